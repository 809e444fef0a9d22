// biome-ignore-all lint/correctness/useYield: a workflow may end at once
/** Runs within runs: how deep, not in circles, and what reaches from a parent to all below it. */
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { attempt, createOrchestrator, Fatal, memory, restart, type Steps, sleep, type Workflow, workflow } from "../../src/index.ts";
import { testOrchestrator } from "../../src/testing/index.ts";
import { anything, Ledger, play, playOut, quiet } from "./kit.ts";

const flowOf = (name: string, body: (input: never) => Steps<unknown>) =>
  workflow({ name, input: anything }, body as (input: unknown) => Steps<unknown>);

describe("depth", () => {
  const down: Workflow<number, number> = workflow({ name: "down", input: z.number(), output: z.number() }, function* (n): Steps<number> {
    if (n === 0) return 0;
    const below = yield* attempt(down(n - 1));
    if (!below.ok) throw new Fatal(below.error.code, { message: below.error.message });
    return below.value + 1;
  });

  test("a child may stand 32 runs below its root; a deeper one fails its step with WORKFLOW_DEPTH", async () => {
    const t = testOrchestrator({ nodes: [down], log: quiet });
    const deep = await t.start(down, 32, { runId: "deep" });
    const deeper = await t.start(down, 33, { runId: "deeper" });
    await t.advance("1m");
    expect(await deep.result()).toBe(32);
    await expect(deeper.result()).rejects.toMatchObject({ code: "WORKFLOW_DEPTH" });
    expect(await t.list({ workflow: "down", limit: 1000 })).toHaveLength(33 + 33);
  });

  test("`maxWorkflowDepth` says how deep", async () => {
    const t = createOrchestrator({ store: memory(), nodes: [down], maxWorkflowDepth: 1, log: quiet });
    expect(await (await t.start(down, 1)).result()).toBe(1);
    await expect((await t.start(down, 2)).result()).rejects.toThrow(
      /more than maxWorkflowDepth \(1\): down@1.0.0 → down@1.0.0 → down@1.0.0/,
    );
    await t.close();
    for (const maxWorkflowDepth of [0, 101, 1.5])
      expect(() => createOrchestrator({ store: memory(), nodes: [], maxWorkflowDepth })).toThrow(/maxWorkflowDepth/);
  });

  test("what is down there can be taken back", async () => {
    const { act, lines } = new Ledger();
    const nest: Workflow<number, unknown> = workflow({ name: "nest", input: z.number() }, function* (n): Steps<unknown> {
      if (n > 0) yield* nest(n - 1);
      yield* act(String(n));
      if (n === 3) throw new Fatal("BROKEN");
      return null;
    });
    const t = createOrchestrator({ store: memory(), nodes: [nest], maxWorkflowDepth: 3, log: quiet });
    await expect((await t.start(nest, 3)).result()).rejects.toMatchObject({ code: "BROKEN", notUndone: [] });
    expect(lines).toEqual(["0", "1", "2", "3", "undo 3", "undo 2", "undo 1", "undo 0"]);
    await t.close();
  });
});

describe("circles", () => {
  test("a call of itself with the same input is WORKFLOW_CYCLE, at once and through others; the chain is named", async () => {
    const self: Workflow<unknown, unknown> = workflow({ name: "self", input: anything }, function* (input): Steps<unknown> {
      return yield* self(input);
    });
    const even: Workflow<unknown, unknown> = workflow({ name: "even", input: anything }, function* (input): Steps<unknown> {
      return yield* odd(input);
    });
    const odd = workflow({ name: "odd", input: anything }, function* (): Steps<unknown> {
      return yield* even({ b: 1, a: 2 });
    });
    const t = testOrchestrator({ nodes: [self, even], log: quiet });
    const one = await t.start(self, { a: 1 });
    const two = await t.start(even, { a: 2, b: 1 });
    await t.advance("1m");
    await expect(one.result()).rejects.toThrow(/WORKFLOW_CYCLE.*self@1.0.0 → self@1.0.0/);
    await expect(two.result()).rejects.toThrow(/even@1.0.0 → odd@1.0.0 → even@1.0.0/);
  });

  test("recursion with other inputs is fine, and so is a sibling with the same", async () => {
    const sum = workflow({ name: "sum", input: z.number(), output: z.number() }, function* (n): Steps<number> {
      return n === 0 ? 0 : n + (yield* sum(n - 1));
    });
    const { view } = await playOut(function* () {
      return [yield* sum(5), yield* sum(5, { step: "again" })];
    });
    expect((await view()).output).toEqual([15, 15]);
  });

  test("another version of a workflow may be handed the same input", async () => {
    const old = workflow({ name: "flow2", version: "1.0.0", input: anything }, function* () {
      return "old";
    });
    const wrapper = workflow({ name: "flow2", version: "2.0.0", input: anything }, function* (input): Steps<unknown> {
      return yield* old(input);
    });
    const t = testOrchestrator({ nodes: [wrapper], log: quiet });
    const run = await t.start(wrapper, 1);
    await t.advance("1s");
    expect(await run.result()).toBe("old");
  });

  test("is seen after a crash, and through a restart of the run above", async () => {
    const self: Workflow<number, unknown> = workflow({ name: "self", input: z.number() }, function* (n): Steps<unknown> {
      if (n === 0) return yield* restart(1);
      yield* sleep("1m");
      return (yield* attempt(self(1))).error?.code;
    });
    const t = testOrchestrator({ nodes: [self], log: quiet });
    const run = await t.start(self, 0, { runId: "run" });
    await t.advance("1s");
    await t.crash();
    await t.advance("2m");
    expect(await run.result()).toBe("WORKFLOW_CYCLE");
  });
});

describe("the parent's deadline", () => {
  test("reaches children and grandchildren: theirs is the earlier of it and of their own", async () => {
    const short = workflow({ name: "short", input: anything, timeout: "5s" }, function* () {
      yield* sleep("1h");
    });
    const leaf = flowOf("leaf", function* () {
      yield* sleep("1h");
    });
    const child = flowOf("child", function* () {
      const first = (yield* attempt(short(1))).error?.code;
      yield* leaf(first);
    });
    const { t, run } = await play(
      function* () {
        yield* child(1);
      },
      { timeout: "1m" },
    );
    await t.advance("30s");
    const deadlineOf = async (id: string) => {
      const [started] = await t.run(id).facts();
      return started?.type === "run.started" ? (started.deadline ?? 0) - (await run.status()).startedAt : undefined;
    };
    expect(await deadlineOf("run")).toBe(60_000);
    expect(await deadlineOf("run/child")).toBe(60_000);
    expect(await deadlineOf("run/child/short")).toBe(5_000);
    expect(await deadlineOf("run/child/leaf")).toBe(60_000);
    expect((await t.run("run/child/short").status()).error?.code).toBe("RUN_TIMEOUT");
    await t.advance("1m");
    for (const id of ["run", "run/child", "run/child/leaf"])
      expect(await t.run(id).status()).toMatchObject({ status: expect.stringMatching(/failed|cancelled/) as string });
    expect((await run.status()).error?.code).toBe("RUN_TIMEOUT");
  });

  test("holds over a restart of the child", async () => {
    const loop = workflow({ name: "loop", input: z.number(), timeout: "50s" }, function* (n): Steps<unknown> {
      yield* sleep("10s");
      return yield* restart(n + 1);
    });
    const { t, run } = await play(
      function* () {
        yield* loop(0);
      },
      { timeout: "1m" },
    );
    await t.advance("2m");
    expect((await run.status()).error?.code).toBe("RUN_TIMEOUT");
    const [started] = await t.run("run/loop").facts();
    expect(started).toMatchObject({ deadline: (await run.status()).startedAt + 60_000 });
  });

  test("does not cut what takes something back: neither the undo of a child nor a workflow that is an undo", async () => {
    const ledger = new Ledger();
    ledger.manners["undo inner"] = ["throw", "throw", "ok"];
    const child = flowOf("child", function* () {
      yield* ledger.again("inner");
    });
    const { t, run } = await play(
      function* () {
        yield* child(1);
        yield* sleep("1h");
      },
      { timeout: "10s" },
    );
    await t.advance("1h");
    expect(await run.status()).toMatchObject({ status: "failed", error: { code: "RUN_TIMEOUT" }, notUndone: [] });
    expect(ledger.lines).toEqual(["inner", "undo inner", "undo inner", "undo inner"]);
    const [started] = await t.run("run/child~undo").facts();
    expect(started).toMatchObject({ type: "run.started" });
    expect(started).not.toHaveProperty("deadline");
  });

  test("a child that is begun as cleanup, once the time is over, has its own", async () => {
    const { look, lines } = new Ledger();
    const tidy = flowOf("tidy", function* () {
      yield* sleep("5s");
      yield* look("tidied");
    });
    const { t, run } = await play(
      function* () {
        try {
          yield* sleep("1h");
        } finally {
          yield* tidy(1);
        }
      },
      { timeout: "10s" },
    );
    await t.advance("1h");
    expect((await run.status()).error?.code).toBe("RUN_TIMEOUT");
    expect(lines).toEqual(["tidied"]);
  });
});

describe("from a parent to all below", () => {
  test("cancel, correlation and priority reach grandchildren", async () => {
    const { act, lines } = new Ledger();
    const grandchild = flowOf("grandchild", function* () {
      yield* act("deep");
      yield* sleep("1h");
    });
    const child = flowOf("child", function* () {
      yield* act("middle");
      yield* grandchild(1);
    });
    const root = flowOf("root", function* () {
      yield* child(1);
    });
    const t = testOrchestrator({ nodes: [root], log: quiet });
    const run = await t.start(root, 1, { runId: "root", correlationId: "order-7", priority: 9 });
    await t.advance("1s");
    for (const id of ["root/child", "root/child/grandchild"])
      expect((await t.run(id).facts())[0]).toMatchObject({ correlationId: "order-7", priority: 9 });
    await t.crash();
    await run.cancel("enough");
    await t.advance("1s");
    expect(lines).toEqual(["middle", "deep", "undo deep", "undo middle"]);
    for (const id of ["root", "root/child", "root/child/grandchild"]) expect((await t.run(id).status()).status).toBe("cancelled");
  });
});
