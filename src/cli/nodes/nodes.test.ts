/** What `onex nodes` is given, and the socket that it listens on. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Gate, quiet } from "../../../test/semantics/kit.ts";
import { createNodeHost, createOrchestrator, effect, memory, workflow } from "../../index.ts";
import { listen } from "./listen.ts";
import { type NodesOptions, servingOf } from "./options.ts";

const secret = "sixteen letters.";
let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "onex-nodes-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("what was typed", () => {
  test("defaults are this machine alone", () => {
    expect(servingOf({}, {})).toEqual({
      port: 3400,
      hostname: "127.0.0.1",
      secrets: [],
      maxCalls: 256,
      graceMs: 10_000,
      record: undefined,
    });
  });

  test("secrets come from files, in their order, else from the environment", () => {
    const file = (name: string, text: string) => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    const [one, other] = [file("new", `${secret}\n`), file("old", "another secret 7")];
    const env = { ONEX_NODE_SECRET: "of the environment" };
    expect(servingOf({ secretFile: [one, other], host: "0.0.0.0" }, env).secrets).toEqual([secret, "another secret 7"]);
    expect(servingOf({ host: "::" }, env).secrets).toEqual(["of the environment"]);
  });

  test.each<[NodesOptions, NodeJS.ProcessEnv, string]>([
    [{ host: "0.0.0.0" }, {}, "NODES_UNSAFE"],
    [{ host: "192.168.1.4" }, {}, "NODES_UNSAFE"],
    [{ host: "127.evil.example" }, {}, "NODES_UNSAFE"],
    [{ secretFile: ["nowhere"] }, {}, "FILE_MISSING"],
    [{}, { ONEX_NODE_SECRET: "short" }, "OPTION_INVALID"],
    [{ port: "65536" }, {}, "USAGE"],
    [{ port: "1e3" }, {}, "USAGE"],
    [{ maxCalls: "0" }, {}, "USAGE"],
    [{ grace: "10" }, {}, "INVALID_DURATION"],
  ])("%j with %j is %s", (options, env, code) => {
    expect(() => servingOf(options, env)).toThrow(expect.objectContaining({ code }));
  });
});

describe("the socket", () => {
  const anything = { "~standard": { version: 1, vendor: "test", validate: (value: unknown) => ({ value: value as never }) } } as const;
  const hostOf = () => createNodeHost({ nodes: [effect({ name: "act", input: anything }, async () => null)], log: quiet });

  test("a port that is taken is told", async () => {
    const first = await listen(hostOf(), { port: 0, hostname: "127.0.0.1" });
    await expect(listen(hostOf(), { port: first.port, hostname: "127.0.0.1" })).rejects.toMatchObject({
      code: "LISTEN_FAILED",
      message: expect.stringContaining("another process listens there"),
    });
    await first.close({ graceMs: 0 });
  });

  test("headers that are too large get no further", async () => {
    const { port, close } = await listen(hostOf(), { port: 0, hostname: "127.0.0.1" });
    const response = await fetch(`http://127.0.0.1:${port}/nodes/health`, { headers: { "x-large": "x".repeat(20_000) } });
    expect(response.status).toBe(431);
    expect((await fetch(`http://127.0.0.1:${port}/nodes/health`)).status).toBe(200);
    await close({ graceMs: 0 });
  });

  test("a body that is too large is refused, and so is one that is no action", async () => {
    const { port, close } = await listen(hostOf(), { port: 0, hostname: "127.0.0.1" });
    const post = async (body: string) => {
      const headers = { "content-type": "application/json" };
      const response = await fetch(`http://127.0.0.1:${port}/nodes`, { method: "POST", body, headers });
      return [response.status, ((await response.json()) as { error: { code: string } }).error.code];
    };
    expect(await post("x".repeat(3 * 1024 * 1024))).toEqual([413, "VALUE_TOO_LARGE"]);
    expect(await post("{}")).toEqual([400, "ACTION_INVALID"]);
    await close({ graceMs: 0 });
  });

  test("closing lets go of who is connected and asks nothing", async () => {
    const { port, close } = await listen(hostOf(), { port: 0, hostname: "127.0.0.1" });
    const socket = connect(port, "127.0.0.1");
    await new Promise((connected) => socket.once("connect", connected));
    const gone = new Promise((closed) => socket.once("close", closed));
    await close({ graceMs: 0 });
    await gone;
  });

  test("closing answers what is under way", async () => {
    const hold = new Gate();
    const held = effect({ name: "held", input: anything }, async () => {
      await hold.pass();
      return "done";
    });
    const { port, close } = await listen(createNodeHost({ nodes: [held], log: quiet }), { port: 0, hostname: "127.0.0.1" });
    const url = `http://127.0.0.1:${port}/nodes`;
    const flow = workflow({ name: "flow", input: anything }, function* () {
      return yield* held(null as never);
    });
    const orchestrator = createOrchestrator({ store: memory(), nodes: [flow], endpoints: { held: url }, log: quiet });
    const run = await orchestrator.start(flow, null as never);
    await expect.poll(async () => (await fetch(`${url}/health`)).json()).toMatchObject({ under_way: 1 });
    const closed = close({ graceMs: 60_000 });
    await expect.poll(async () => (await fetch(`${url}/health`)).status).toBe(503);
    hold.open();
    expect(await run.result()).toBe("done");
    await closed;
    await orchestrator.close();
  });
});
