/**
 * Canaries: values that must turn up nowhere but where they were sent. One run goes through everything that records, logs or
 * shows values, over a real file; then the file and all that was said is searched for each of them.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import { z } from "zod";
import {
  attempt,
  compute,
  createOrchestrator,
  each,
  effect,
  Fatal,
  type Log,
  memory,
  type Orchestrator,
  reducer,
  restart,
  signal,
  sleep,
  sqlite,
  stream,
  workflow,
} from "../../src/index.ts";
import { testOrchestrator } from "../../src/testing/index.ts";
import { anything, Gate, quiet } from "./kit.ts";

const folders: string[] = [];
const open = new Set<Orchestrator>();
afterEach(async () => {
  for (const orchestrator of open) await orchestrator.close({ graceMs: 0 });
  open.clear();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});
function newFile(): string {
  const folder = mkdtempSync(join(tmpdir(), "onex-secrets-"));
  folders.push(folder);
  return join(folder, "onex.db");
}

let made = 0;
/** A value that is nowhere else in the world. */
const canary = (name: string): string => `${name}-${made++}-${randomBytes(9).toString("hex")}`;

/** What is said to a log. */
class Heard {
  readonly lines: string[] = [];
  readonly log: Log = {
    debug: (...line) => void this.lines.push(JSON.stringify(line)),
    info: (...line) => void this.lines.push(JSON.stringify(line)),
    warn: (...line) => void this.lines.push(JSON.stringify(line)),
    error: (...line) => void this.lines.push(JSON.stringify(line)),
  };
}

/** Every file of the store but that of its key. */
function stored(file: string): Buffer {
  const folder = join(file, "..");
  return Buffer.concat(
    readdirSync(folder)
      .filter((name) => !name.endsWith("-key"))
      .map((name) => readFileSync(join(folder, name))),
  );
}

const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
function onex(file: string, ...args: readonly string[]): string {
  return execFileSync(process.execPath, [main, ...args, "--store", `sqlite:${file}`], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
}

function thrown(ask: () => Promise<unknown>): Promise<string> {
  return ask().then(
    () => "",
    (error: Error & { readonly details?: unknown; readonly error?: unknown }) =>
      `${error.stack} ${error.message} ${JSON.stringify(error.details)} ${JSON.stringify(error.error)}`,
  );
}

test("no secret is in the file, in a log, in an error or on the command line, and nothing is lost", async () => {
  const file = newFile();
  const heard = new Heard();
  const registered = canary('reg"istered\\');
  const inCli = canary("cli-registered");
  const c = {
    password: canary("password"),
    nested: canary("nested"),
    listed: canary("listed"),
    output: canary("output"),
    echo: canary("echo"),
    aws: `AKIA${randomBytes(8).toString("hex").toUpperCase()}`,
    github: `ghp_${randomBytes(18).toString("hex")}`,
    jwt: `eyJ${randomBytes(12).toString("hex")}.eyJ${randomBytes(12).toString("hex")}.${randomBytes(12).toString("hex")}`,
    bearer: canary("bearer"),
    url: canary("url"),
    pem: randomBytes(30).toString("hex"),
    note: canary("note"),
    state: canary("state"),
    event: canary("event"),
    signal: canary("signal"),
    child: canary("child"),
    childOutput: canary("childOutput"),
    cause: canary("cause"),
    details: canary("details"),
    inCompute: canary("inCompute"),
    inReducer: canary("inReducer"),
    item: canary("item"),
    scheduled: canary("scheduled"),
    inWorkflow: canary("inWorkflow"),
    stepInput: canary("stepInput"),
    blob: canary("blob"),
    log: canary("log"),
    field: canary("field"),
    again: canary("again"),
    undo: canary("undo"),
  };
  const seen: Record<string, unknown> = {};

  const unlogin = effect({ name: "unlogin", input: anything, idempotent: true, irreversible: "is an undo" }, async (input) => {
    seen.undo = input;
    return null;
  });
  const login = effect(
    {
      name: "login",
      input: anything,
      idempotent: true,
      retry: { maxAttempts: 2, delay: "1ms" },
      undo: ({ input }) => unlogin({ password: input.password }),
    },
    async (input, { attempt, progress, log, resume }) => {
      if (attempt === 1) {
        progress({ refreshToken: c.note });
        log.error(`signed in with ${input.password} and ${registered}`, {
          deep: [{ apiKey: c.field, cause: new Error(`Bearer ${c.log}`, { cause: new Error(registered) }) }],
        });
        throw new Error(`cannot log in as ${input.password} with ${registered}`, { cause: new Error(c.cause) });
      }
      seen.login = input;
      seen.resume = resume;
      return {
        accessToken: c.output,
        greeting: `hello ${input.echo.secret}`,
        free: registered,
        key: c.aws,
        more: [{ text: `see ${c.github}` }],
      };
    },
  );
  const refuse = effect({ name: "refuse", input: anything, readonly: true }, async () => {
    throw new Fatal("REFUSED", {
      message: `no: postgres://root:${c.url}@db/x, authorization: Bearer ${c.bearer}`,
      details: { clientSecret: c.details, at: [registered] },
      cause: new AggregateError([new Error(c.cause)], c.cause),
    });
  });
  const large = effect({ name: "large", input: anything, readonly: true }, async () => ({ pad: "x".repeat(70_000), password: c.blob }));
  const breakCompute = compute({ name: "break-compute", input: anything }, ({ pin }) => {
    throw new Error(`the pin ${pin} is wrong`);
  });
  const pem = compute({ name: "pem", input: anything }, () => `-----BEGIN PRIVATE KEY-----\n${c.pem}\n-----END PRIVATE KEY-----`);
  const vault = reducer({ name: "vault", event: anything, initial: {}, key: () => "one" }, (_state, { token, bad }) => {
    if (bad) throw new Error(`refused ${bad.secret}`);
    return { token, session: { cookie: c.state } };
  });
  const rows = stream({ name: "rows", input: anything, item: anything }, async function* () {
    yield { password: c.item };
  });
  const answer = signal({ name: "answer", payload: anything });
  const child = workflow({ name: "child-of-it", input: anything }, function* ({ password }) {
    yield* sleep("1ms");
    return { password: c.childOutput, echoed: `it was ${password}` };
  });
  const flow = workflow({ name: "flow", input: anything, version: "1.0.0" }, function* (input, { log }) {
    if (input.round === 2) return { password: input.password, jwt: c.jwt };
    log.warn(`it began with ${input.password}`, { token: c.log });
    const got = yield* login({ password: input.password, echo: { secret: c.echo } });
    const refused = yield* attempt(refuse({}));
    const wrong = yield* attempt(breakCompute({ pin: c.inCompute }));
    yield* pem({});
    yield* large({});
    yield* vault({ token: c.event });
    const bad = yield* attempt(vault({ token: "none", bad: { secret: c.inReducer } }));
    const state = yield* vault.read("one");
    const said = yield* answer.wait();
    const sub = yield* child({ password: c.child }, { runId: "sub" });
    // biome-ignore lint/correctness/useYield: performs nothing
    const items = yield* each(rows({}), function* (item) {
      return item;
    });
    seen.flow = { got, state, said, sub, items, refused: refused.ok, wrong: wrong.ok, bad: bad.ok };
    if (input.fail) throw new Error(`it ended with ${c.inWorkflow} ${said.password} token=${c.inWorkflow}`);
    return yield* restart({ round: 2, password: c.again });
  });
  const nodes = [flow, child, login, vault] as const;
  const make = () => {
    const made = createOrchestrator({ store: sqlite(file), nodes, log: heard.log, secrets: { registered, inCli }, parkAfterMs: 0 });
    open.add(made as Orchestrator);
    return made;
  };
  const orchestrator = make();
  const input = { password: c.password, list: [{ deep: { nested: { api_key: c.nested } } }], headers: { cookie: [c.listed] } };
  const faces: string[] = [];
  const look = async () => {
    for (const id of ["ok", "bad", "sub"]) {
      const run = orchestrator.run(id);
      faces.push(JSON.stringify(await run.status()), JSON.stringify(await run.facts()));
      faces.push(
        onex(file, "show", id),
        onex(file, "show", id, "--facts"),
        onex(file, "show", id, "--json"),
        onex(file, "show", id, "--facts", "--json"),
      );
    }
    faces.push(JSON.stringify(await orchestrator.list()), onex(file, "ls"), onex(file, "ls", "--json"));
  };

  const ok = await orchestrator.start(flow, input, { runId: "ok", stepInputs: { pem: { pwd: c.stepInput } } });
  const events = (async () => {
    for await (const fact of ok.events()) faces.push(JSON.stringify(fact));
  })();
  const text = { password: c.signal, free: inCli, nested: JSON.stringify({ secret: c.signal }) };
  await until(async () => (await ok.status()).steps.some((step) => step.kind === "signal" && step.status === "waiting"));
  // From a process that registered nothing.
  onex(file, "signal", "ok", "answer", JSON.stringify(text));
  expect(await ok.result()).toEqual({ password: c.again, jwt: c.jwt });
  await events;
  expect(seen.login).toEqual({ password: c.password, echo: { secret: c.echo } });
  expect(seen.resume).toEqual({ refreshToken: c.note });
  expect(seen.flow).toMatchObject({
    got: { accessToken: c.output, greeting: `hello ${c.echo}`, free: registered, key: c.aws },
    state: { token: c.event, session: { cookie: c.state } },
    said: text,
    sub: { password: c.childOutput, echoed: `it was ${c.child}` },
    items: [{ password: c.item }],
    refused: false,
    wrong: false,
    bad: false,
  });
  expect(await orchestrator.read(vault, "one")).toEqual({ token: c.event, session: { cookie: c.state } });

  const bad = await orchestrator.start(flow, { ...input, fail: true }, { runId: "bad" });
  await bad.signal("answer", { password: c.signal });
  faces.push(await thrown(() => bad.result()));
  expect(seen.undo).toEqual({ password: c.password });
  const processed = await orchestrator.process({
    workflowType: "flow",
    workflowContext: { round: 2, password: c.again },
    idempotencyKey: "once",
  });
  expect(processed.workflowResult.finalOutput).toEqual({ password: c.again, jwt: c.jwt });
  faces.push(JSON.stringify({ ...processed, workflowResult: processed.workflowResult.steps }));
  const stopped = await orchestrator.start(flow, input, { runId: "stopped" });
  await stopped.cancel(`leaked ${registered} password=${c.undo}`);
  faces.push(await thrown(() => stopped.result()), JSON.stringify(await stopped.facts()));
  const schedule = { id: "nightly", workflow: flow, cron: "0 3 * * *", input: { password: c.scheduled } };
  faces.push(JSON.stringify([await orchestrator.schedules.put(schedule), await orchestrator.schedules.list()]));
  faces.push(onex(file, "schedules"), onex(file, "schedules", "--json"));
  const forked = await orchestrator.retry("bad", { runId: "forked" });
  await forked.signal("answer", { password: c.signal });
  faces.push(await thrown(() => forked.result()), JSON.stringify(await forked.facts()), onex(file, "show", "forked", "--json"));
  faces.push(JSON.stringify([await orchestrator.getPerformanceMetrics(), await orchestrator.healthCheck()]));
  await look();
  const before = stored(file);
  await orchestrator.close();

  const all = Buffer.concat([before, stored(file)]).toString("latin1");
  const said = [...faces, ...heard.lines].join("\n");
  expect(all, "what is searched is the log").toContain("run.started");
  expect(heard.lines.join("\n")).toContain("signed in with");
  expect(said).toContain("[redacted]");
  for (const [name, value] of Object.entries({ ...c, registered, inCli })) {
    for (const form of [value, JSON.stringify(value).slice(1, -1)]) {
      expect(all.includes(form), `${name} is in the file`).toBe(false);
      expect(said.includes(form), `${name} is shown: ${excerpt(said, form)}`).toBe(false);
    }
  }
  expect(statSync(`${file}-key`).mode & 0o777).toBe(0o600);
});

function excerpt(text: string, part: string): string {
  const at = text.indexOf(part);
  return at < 0 ? "" : text.slice(Math.max(0, at - 300), at + 100);
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setImmediate(resolve));
}

describe("the key", () => {
  const answer = signal({ name: "answer", payload: anything });
  const sent: unknown[] = [];
  const send = effect({ name: "send", input: anything, idempotent: true, irreversible: "a letter" }, async (input) => {
    sent.push(input);
    return null;
  });
  const flow = workflow({ name: "flow", input: anything }, function* (input) {
    const { pin } = yield* answer.wait();
    yield* send({ password: input.password, pin });
    return input.password;
  });
  const make = (file: string, more: object = {}) => {
    const made = createOrchestrator({ store: sqlite(file), nodes: [flow, send], log: quiet, ...more });
    open.add(made as Orchestrator);
    return made;
  };

  test("is not made before there is a secret", async () => {
    const file = newFile();
    const orchestrator = make(file);
    await orchestrator.start(flow, { amount: 1 }, { runId: "a" });
    await orchestrator.run("a").signal("answer", { amount: 2 });
    await orchestrator.run("a").result();
    expect(existsSync(`${file}-key`)).toBe(false);
    await orchestrator.start(flow, { password: "a new secret" }, { runId: "b" });
    expect(readFileSync(`${file}-key`, "utf8")).toMatch(/^[A-Za-z0-9+/]{43}=\n$/);
  });

  test("that is gone leaves its runs waiting, listed and shown; put back, they go on with what they had", async () => {
    const file = newFile();
    const first = make(file);
    await first.start(flow, { password: "a lost secret" }, { runId: "a" });
    await first.run("a").signal("answer", { pin: 1234 }, { messageId: "m" });
    await first.run("a").result();
    await first.start(flow, { password: "a lost secret", n: 2 }, { runId: "b" });
    await first.close();
    renameSync(`${file}-key`, `${file}-kept`);

    const warned: string[] = [];
    const second = make(file, {
      log: { ...quiet, warn: (_message: string, fields?: { readonly code?: string }) => warned.push(fields?.code ?? "") },
    });
    await second.run("b").signal("answer", { pin: 4321 });
    await until(async () => (await second.run("b").status()).blocked !== undefined);
    expect(warned).toContain("SECRET_KEY_MISSING");
    const shown = await second.run("b").status();
    expect(shown).toMatchObject({ blocked: "SECRET_KEY_MISSING", input: { password: "[redacted]", n: 2 } });
    expect((await second.list()).map(({ id }) => id)).toEqual(["b", "a"]);
    await expect(second.run("a").result()).rejects.toMatchObject({ code: "SECRET_KEY_MISSING" });
    expect(onex(file, "show", "b")).toContain("SECRET_KEY_MISSING");
    // Others go on meanwhile, under a new key.
    await second.start(flow, { password: "another secret" }, { runId: "c" });
    await second.run("c").signal("answer", { pin: 1 });
    expect(await second.run("c").result()).toBe("another secret");
    await second.close();

    writeFileSync(`${file}-key`, `${readFileSync(`${file}-key`, "utf8")}${readFileSync(`${file}-kept`, "utf8")}`);
    const third = make(file);
    expect(await third.run("b").result()).toBe("a lost secret");
    expect(await third.run("a").result()).toBe("a lost secret");
    expect(await third.run("c").result()).toBe("another secret");
    expect(sent.at(-1)).toEqual({ password: "a lost secret", pin: 4321 });
  });

  test("can be the user's own, and then no file is made", async () => {
    const file = newFile();
    const first = make(file, { secretKey: "a passphrase of some words" });
    await first.start(flow, { password: "held by a passphrase" }, { runId: "a" });
    await first.close();
    expect(existsSync(`${file}-key`)).toBe(false);
    const second = make(file, { secretKey: "a passphrase of some words" });
    await second.run("a").signal("answer", { pin: 1 });
    expect(await second.run("a").result()).toBe("held by a passphrase");
  });

  test("the same id with the same secret is the same run; the digest is of no use to guess it", async () => {
    const file = newFile();
    const orchestrator = make(file);
    await orchestrator.start(flow, { pin: 1234 }, { runId: "a" });
    await orchestrator.start(flow, { pin: 1234 }, { runId: "a" });
    await expect(orchestrator.start(flow, { pin: 1235 }, { runId: "a" })).rejects.toMatchObject({ code: "RUN_ID_CONFLICT" });
    const other = make(newFile());
    await other.start(flow, { pin: 1234 }, { runId: "a" });
    const digest = async (one: typeof other) => (await one.list())[0]?.digest;
    expect(await digest(orchestrator)).not.toBe(await digest(other));
  });
});

describe("a run with secrets", () => {
  test("is sent the same input again after a crash, and sees the same errors", async () => {
    const gate = new Gate();
    const inputs: unknown[] = [];
    const login = effect({ name: "login", input: anything, idempotent: true, irreversible: "it is a login" }, async (input) => {
      inputs.push(input);
      await gate.pass();
      throw new Fatal("NO", { message: `wrong password ${input.password}`, details: { tried: input.password } });
    });
    const flow = workflow({ name: "flow", input: anything }, function* (input) {
      const tried = yield* attempt(login({ password: input.password }));
      yield* sleep("1h");
      return tried.ok ? "in" : `${tried.error.message} ${JSON.stringify(tried.error.details)}`;
    });
    const t = testOrchestrator({ nodes: [flow], log: quiet });
    const run = await t.start(flow, { password: "hunter2-hunter2" });
    await t.advance("0ms");
    await t.crash();
    gate.open();
    await t.advance("0ms");
    expect(inputs).toEqual([{ password: "hunter2-hunter2" }, { password: "hunter2-hunter2" }]);
    await t.crash();
    await t.advance("1h");
    expect(await run.result()).toBe('wrong password [redacted] {"tried":"[redacted]"}');
  });

  test("refuses an input or a signal without quoting it", async () => {
    const strict = z.object({ password: z.string().refine(() => false, { error: (issue) => `not ${String(issue.input)}` }) });
    const answer = signal({ name: "answer", payload: strict });
    const flow = workflow({ name: "flow", input: strict }, function* () {
      return yield* answer.wait();
    });
    const waiting = workflow({ name: "waiting", input: anything }, function* () {
      return yield* answer.wait();
    });
    const t = testOrchestrator({ nodes: [flow, waiting], log: quiet });
    const refused = await thrown(() => t.start(flow, { password: "hunter2-hunter2" }));
    expect(refused).toContain("not [redacted]");
    expect(refused).not.toContain("hunter2");
    const run = await t.start(waiting, {});
    const unsigned = await thrown(() => run.signal(answer, { password: "hunter2-hunter2" }));
    expect(unsigned).toContain("not [redacted]");
    await run.signal("answer", { password: "hunter2-hunter2" });
    await t.advance("0ms");
    const facts = JSON.stringify(await run.facts());
    expect(facts).toContain("not [redacted]");
    expect(facts).not.toContain("hunter2");
  });

  test("gives a parent its child's true output, and takes it back with the true input", async () => {
    const undone: unknown[] = [];
    const takeBack = effect({ name: "take-back", input: anything, idempotent: true, irreversible: "takes back" }, async (input) => {
      undone.push(input);
      return null;
    });
    const grant = effect(
      { name: "grant", input: anything, output: z.object({ token: z.string() }), idempotent: true, undo: (done) => takeBack(done) },
      async ({ user }) => ({
        token: `t-${user}-0123`,
      }),
    );
    const child = workflow({ name: "child", input: anything, output: z.object({ token: z.string() }) }, function* (input) {
      return yield* grant(input);
    });
    const flow = workflow({ name: "flow", input: anything }, function* () {
      const { token } = yield* child({ user: "ann", secret: "an open secret" });
      throw new Error(`cannot use ${token}`);
    });
    const t = testOrchestrator({ nodes: [flow, child], log: quiet });
    const run = await t.start(flow, {});
    await t.advance("1m");
    expect(undone).toMatchObject([{ input: { user: "ann", secret: "an open secret" }, output: { token: "t-ann-0123" } }]);
    const error = await thrown(() => run.result());
    expect(error).toContain("cannot use [redacted]");
    expect(error).not.toContain("t-ann");
  });
});

test("a value too short to be told from others is refused", () => {
  const flow = workflow({ name: "flow", input: anything }, function* () {});
  const make = (more: object) => () => createOrchestrator({ store: memory(), nodes: [flow], ...more });
  expect(make({ secrets: ["12345"] })).toThrow(/secrets: 0 is no text of at least 6/);
  expect(make({ secrets: { apiKey: "" } })).toThrow(/secrets: apiKey/);
  expect(make({ secretKey: "short" })).toThrow(/secretKey has less than 16/);
});

test("the command line knows the values that a module exports as `secrets`, and prints no cause of an error with a secret", async () => {
  const file = newFile();
  const module = join(file, "../flow.mjs");
  const value = canary("exported");
  const any = '{ "~standard": { version: 1, vendor: "test", validate: (value) => ({ value }) } }';
  writeFileSync(
    module,
    `import { effect, workflow } from "onex";
     export const secrets = { key: process.env.CANARY, none: process.env.NO_SUCH_VARIABLE };
     const say = effect({ name: "say", input: ${any}, readonly: true }, async (input) => {
       if (input.fail) throw new Error("with " + process.env.CANARY);
       return { said: "it is " + process.env.CANARY };
     });
     export const flow = workflow({ name: "flow", input: ${any} }, function* (input) { return yield* say(input); });
     if (process.env.BREAK) throw new Error("password=" + process.env.BREAK, { cause: new Error("token=" + process.env.BREAK) });`,
  );
  const run = (args: readonly string[], env: NodeJS.ProcessEnv) =>
    spawnSync(process.execPath, [main, "run", module, "--store", `sqlite:${file}`, ...args], {
      encoding: "utf8",
      env: { ...process.env, CANARY: value, ...env },
    });
  const done = run(["--run-id", "a"], {});
  expect(JSON.parse(done.stdout), "the output is what was asked for").toEqual({ said: `it is ${value}` });
  const failed = run(["--run-id", "b", "--input", '{"fail": true}'], {});
  const broken = run(["--verbose"], { BREAK: "hunter2-hunter2" });
  expect(failed.stderr).toContain("with [redacted]");
  expect(broken.stderr).toMatch(/password=\[redacted\][\s\S]*token=\[redacted\]/);
  const all = [
    done.stderr,
    failed.stdout,
    failed.stderr,
    broken.stdout,
    broken.stderr,
    onex(file, "show", "a", "--facts"),
    stored(file).toString("latin1"),
  ];
  // The module itself lies beside the store, and names no value.
  for (const text of all) for (const secret of [value, "hunter2-hunter2"]) expect(text.includes(secret), text).toBe(false);
});
