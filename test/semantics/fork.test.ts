// biome-ignore-all lint/correctness/useYield: a workflow may end at once
/** A fork shares the recorded past of a run and goes on from a step of it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import {
  type AnyNode,
  all,
  attempt,
  compute,
  createOrchestrator,
  each,
  Fatal,
  memory,
  now,
  planWorkflow,
  type Run,
  race,
  reducer,
  restart,
  type Steps,
  signal,
  sleep,
  sqlite,
  workflow,
} from "../../src/index.ts";
import { testOrchestrator } from "../../src/testing/index.ts";
import { anything, Gate, Ledger, play, playOut, quiet } from "./kit.ts";

const go = signal({ name: "go", payload: anything });
const typesOf = async (run: Run) => (await run.facts()).map((fact) => ("step" in fact ? `${fact.type} ${fact.step}` : fact.type));

describe("a run that completed", () => {
  test("is shared up to the step: what stands before is not done again, what follows is", async () => {
    const { act, lines } = new Ledger();
    const { t, run } = await playOut(function* () {
      const a = yield* act("a", { step: "first" });
      const at = yield* now();
      yield* act("b", { step: "second" });
      yield* act("c", { step: "third" });
      return [a.id, at];
    });
    const before = await run.facts();
    const forked = await t.fork("run", { from: "second" });
    await t.advance("1s");
    expect(lines).toEqual(["a", "b", "c", "b", "c"]);
    expect(await forked.result()).toEqual(await run.result());
    expect(await run.facts()).toEqual(before);
    const view = await forked.status();
    expect(view).toMatchObject({ status: "completed", forkedFrom: { runId: "run", step: "second" }, correlationId: "run" });
    expect(view.startedAt).toBeGreaterThan((await run.status()).startedAt);
    expect(await typesOf(forked)).toEqual([
      "run.started",
      "action.dispatched first",
      "action.completed first",
      "value.recorded now",
      "run.forked second",
      "lease.acquired",
      "action.dispatched second",
      "action.completed second",
      "action.dispatched third",
      "action.completed third",
      "run.completed",
    ]);
  });

  test("keeps what it did: a fork that fails takes back its own steps only", async () => {
    const ledger = new Ledger();
    const { t } = await playOut(function* () {
      yield* ledger.act("a", { step: "a" });
      yield* ledger.act("b", { step: "b" });
      yield* ledger.act("c", { step: "c" });
    });
    ledger.manners.c = "fatal";
    const forked = await t.fork("run", { from: "b" });
    await t.advance("1s");
    expect(ledger.lines).toEqual(["a", "b", "c", "b", "c", "undo b"]);
    expect(await forked.status()).toMatchObject({ status: "failed", notUndone: [] });
  });

  test("without a step the run is done anew, with another input if one is given", async () => {
    const { act, lines } = new Ledger();
    const { t, run } = await playOut(
      function* (input) {
        yield* act(String(input));
        return input;
      },
      { input: "one" },
    );
    const same = await t.fork("run");
    const other = await t.fork("run", { input: "two", runId: "other", correlationId: "c" });
    await t.advance("1s");
    expect(lines).toEqual(["one", "one", "two"]);
    expect([await run.result(), await same.result(), await other.result()]).toEqual(["one", "one", "two"]);
    expect(await other.status()).toMatchObject({ runId: "other", correlationId: "c", forkedFrom: { runId: "run" } });
  });

  test("the same fork under the same id is the same run; another one is RUN_ID_CONFLICT", async () => {
    const { act, lines } = new Ledger();
    const { t } = await playOut(function* () {
      yield* act("a", { step: "a" });
    });
    for (let i = 0; i < 2; i++) await t.fork("run", { from: "a", runId: "again" });
    await t.advance("1s");
    await t.fork("run", { from: "a", runId: "again" });
    await t.advance("1s");
    expect(lines).toEqual(["a", "a"]);
    await expect(t.fork("run", { from: "a", runId: "again", input: "b" })).rejects.toMatchObject({ code: "RUN_ID_CONFLICT" });
    await expect(t.fork("run", { from: "a", runId: "run" })).rejects.toMatchObject({ code: "RUN_ID_CONFLICT" });
  });
});

describe("another input", () => {
  test("replaces that of the step, exactly, in all its attempts, and survives a crash", async () => {
    const ledger = new Ledger();
    const { t } = await playOut(function* () {
      const { id } = yield* ledger.again("a", { step: "a" });
      return yield* ledger.look(`after ${id}`);
    });
    ledger.manners.z = ["throw", "ok"];
    const forked = await t.fork("run", { from: "a", input: "z" });
    await t.advance("100ms");
    await t.crash();
    await t.advance("1h");
    expect(ledger.lines).toEqual(["a", "after a", "z", "z", "after z"]);
    expect(await forked.result()).toEqual({ id: "after z" });
    expect((await forked.facts()).find(({ type }) => type === "run.forked")).toMatchObject({ step: "a", input: "z", owes: false });
  });

  test("of a compute, a reducer and a child", async () => {
    const double = compute({ name: "double", input: z.number() }, (n) => n * 2);
    const sum = reducer({ name: "sum", event: z.number(), initial: 0 }, (state: number, n) => state + n);
    const child = workflow({ name: "child", input: z.number() }, function* (n) {
      return n;
    });
    const { t, run } = await playOut(function* () {
      return [yield* double(1), yield* sum(10), yield* child(3)];
    });
    expect(await run.result()).toEqual([2, 10, 3]);
    const forks = [
      await t.fork("run", { from: "double", input: 5 }),
      await t.fork("run", { from: "sum", input: 100 }),
      await t.fork("run", { from: "child", input: 7 }),
    ];
    await t.advance("1s");
    expect(await Promise.all(forks.map((fork) => fork.result()))).toEqual([
      [10, 20, 3],
      [2, 120, 3],
      [2, 10, 7],
    ]);
  });

  test("is checked where the step checks it", async () => {
    const { act } = new Ledger();
    const { t } = await playOut(function* () {
      return (yield* attempt(act("a", { step: "a" }))).error?.code ?? "ok";
    });
    const forked = await t.fork("run", { from: "a", input: 7 });
    await t.advance("1s");
    expect(await forked.result()).toBe("INPUT_INVALID");
  });

  test("what takes none is refused", async () => {
    const { t } = await playOut(function* () {
      yield* sleep("1s");
      yield* now();
    });
    for (const from of ["sleep", "now"]) await expect(t.fork("run", { from, input: 1 })).rejects.toMatchObject({ code: "FORK_IMPOSSIBLE" });
    await expect(t.fork("run", { from: "nowhere" })).rejects.toThrow(/no step "nowhere"; it has "sleep", "now"/);
  });
});

describe("what was under way beside the step", () => {
  test("and was answered later is shared with its answer", async () => {
    const ledger = new Ledger();
    const gates = { slow: new Gate(), "slow child": new Gate() };
    Object.assign(ledger.manners, gates);
    const child = workflow({ name: "child", input: anything }, function* () {
      return yield* ledger.act("slow child", { timeout: "1h" });
    });
    const body = function* (): Steps<unknown> {
      return yield* all({
        left: (function* () {
          yield* ledger.act("a", { step: "a" });
          yield* ledger.act("b", { step: "b" });
        })(),
        right: ledger.act("slow", { timeout: "1h" }),
        child: child(1),
        sleep: sleep("1m"),
        retried: ledger.again("flaky"),
      });
    };
    ledger.manners.flaky = ["throw", "ok"];
    const { t, run } = await play(body);
    await t.advance("10m");
    gates.slow.open();
    gates["slow child"].open();
    await t.advance("1m");
    expect((await run.status()).status).toBe("completed");
    ledger.lines.length = 0;
    const forked = await t.fork("run", { from: "left/b" });
    await t.advance("1s");
    expect(ledger.lines).toEqual(["b"]);
    expect(await forked.result()).toEqual(await run.result());
  });

  test("what a branch beside it did from there on is shared, up to what hangs on the step", async () => {
    const ledger = new Ledger();
    const gate = new Gate();
    ledger.manners.b = [gate, "ok"];
    const double = compute({ name: "double", input: z.number() }, (n) => n * 2);
    const sum = reducer({ name: "sum", event: z.number(), initial: 0 }, (state: number, n) => state + n);
    const child = workflow({ name: "child", input: anything }, function* (): Steps<unknown> {
      return yield* ledger.act("inner");
    });
    const { t, run } = await play(function* () {
      const both = yield* all({
        left: (function* () {
          yield* sleep("1s");
          return yield* ledger.act("b", { step: "b", timeout: "1h" });
        })(),
        right: (function* () {
          yield* sleep("2s");
          yield* ledger.act("c", { step: "c" });
          const numbers = [yield* double(1), yield* sum(1), yield* sum.read(), yield* now()];
          yield* attempt(ledger.look("no", { step: "no", retry: false }));
          yield* child(1);
          yield* sleep("1m");
          yield* ledger.act("d", { step: "d" });
          return numbers;
        })(),
      });
      yield* ledger.act("e", { step: "e" });
      return both;
    });
    ledger.manners.no = "throw";
    await t.advance("10m");
    gate.open();
    await t.advance("1s");
    const result = await run.result();
    expect(ledger.lines).toEqual(["b", "c", "no", "inner", "d", "e"]);
    const forked = await t.fork("run", { from: "left/b", input: "z" });
    await t.advance("1s");
    expect(ledger.lines.slice(6)).toEqual(["z", "e"]);
    expect(await forked.result()).toEqual({ ...(result as object), left: { id: "z" } });
    const order = await typesOf(forked);
    expect(order.indexOf("action.completed right/d")).toBeLessThan(order.indexOf("run.forked left/b"));
  });

  test("but not what was taken back, or hangs on what was", async () => {
    const ledger = new Ledger();
    ledger.manners.b = ["fatal", "ok"];
    const { t } = await playOut(function* () {
      yield* ledger.look("x", { step: "x" });
      yield* all({
        left: (function* () {
          yield* sleep("10s");
          yield* ledger.look("b", { step: "b" });
        })(),
        right: (function* () {
          yield* sleep("1s");
          yield* ledger.look("c", { step: "c" });
          yield* ledger.act("d", { step: "d" });
          yield* ledger.look("e", { step: "e" });
        })(),
      });
    });
    expect(ledger.lines).toEqual(["x", "c", "d", "e", "b", "undo d"]);
    const forked = await t.fork("run", { from: "left/sleep" });
    await t.advance("1m");
    expect((await forked.status()).status).toBe("completed");
    expect(ledger.lines.slice(6)).toEqual(["d", "e", "b"]);
  });

  test("a timer that would give the step up is left out, and has as long to go as it had then", async () => {
    const ledger = new Ledger();
    ledger.manners.slow = ["obey", new Gate(), "ok"];
    const { t, run } = await playOut(function* () {
      yield* ledger.act("before", { step: "before" });
      return (yield* race({ late: sleep("1m"), slow: ledger.again("slow", { step: "slow", timeout: "1h" }) })).winner;
    });
    expect(await run.result()).toBe("late");
    const forked = await t.fork("run", { from: "slow/slow" });
    await t.advance("59s");
    expect(await forked.status()).toMatchObject({ status: "running" });
    await t.advance("10s");
    expect(await forked.result()).toBe("late");
    const again = await t.fork("run", { from: "slow/slow" });
    await t.advance("1s");
    expect(await again.result()).toBe("slow");
    expect(ledger.lines.filter((line) => line === "before")).toHaveLength(1);
  });

  test("a failure beside it that would give it up is no answer: FORK_STEP_OPEN names it", async () => {
    const ledger = new Ledger();
    const gate = new Gate();
    ledger.manners.bad = [gate, "ok"];
    ledger.manners.a = [new Gate(), "ok"];
    const { t, run } = await play(
      function* () {
        yield* ledger.act("before", { step: "before" });
        yield* all({
          bad: ledger.look("bad", { step: "bad", retry: false, timeout: "10s" }),
          a: (function* () {
            yield* sleep("1s");
            yield* ledger.look("a", { step: "a" });
          })(),
        });
      },
      { onFailure: "stop" },
    );
    await t.advance("1h");
    expect((await run.status()).status).toBe("failed");
    await expect(t.fork("run", { from: "a/a" })).rejects.toMatchObject({ code: "FORK_STEP_OPEN", details: { step: "bad/bad" } });
    const forked = await t.retry("run");
    await t.advance("1m");
    expect((await forked.status()).status).toBe("completed");
    expect(ledger.lines).toEqual(["before", "bad", "a", "bad", "a"]);
  });
});

describe("waiting", () => {
  test("signals that came before the step are shared, later ones are not", async () => {
    const { act, lines } = new Ledger();
    const { t, run } = await play(function* () {
      const first = yield* go.wait();
      yield* act(`a ${first}`, { step: "a" });
      return [first, yield* go.wait()];
    });
    await run.signal(go, 1);
    await t.advance("1s");
    await run.signal(go, 2);
    await t.advance("1s");
    expect(await run.result()).toEqual([1, 2]);
    const forked = await t.fork("run", { from: "a" });
    await t.advance("1h");
    expect(await forked.status()).toMatchObject({ status: "waiting" });
    await forked.signal(go, 3);
    await t.advance("1s");
    expect(await forked.result()).toEqual([1, 3]);
    expect(lines).toEqual(["a 1", "a 1"]);
  });

  test("a sleep is slept anew, and a block has its whole time", async () => {
    const { act, lines } = new Ledger();
    const flow = planWorkflow({
      onex: "v1",
      kind: "workflow",
      name: "plan",
      version: "1.0.0",
      steps: {
        one: { effect: "act", with: "one" },
        block: { needs: ["one"], timeout: "10m", steps: { nap: { sleep: "5m" }, two: { effect: "act", with: "two", needs: ["nap"] } } },
      },
    });
    const { t } = await play(
      function* () {
        return yield* flow(null);
      },
      { nodes: [act, flow] },
    );
    await t.advance("6m");
    expect(lines).toEqual(["one", "two"]);
    await t.advance("24h");
    for (const from of ["block", "block/nap"]) {
      lines.length = 0;
      const forked = await t.fork("run/plan", { from });
      await t.advance("4m");
      expect(lines).toEqual([]);
      await t.crash();
      await t.advance("61s");
      expect(lines).toEqual(["two"]);
      expect((await forked.status()).status).toBe("completed");
    }
    const forked = await t.fork("run/plan", { from: "block/two", input: "three" });
    await t.advance("1s");
    expect(lines).toEqual(["two", "three"]);
    expect((await forked.status()).status).toBe("completed");
  });

  test("the fork has the run's whole time", async () => {
    const { act } = new Ledger();
    const { t } = await play(
      function* () {
        yield* act("a", { step: "a" });
        yield* sleep("50s");
      },
      { timeout: "1m" },
    );
    await t.advance("1h");
    const forked = await t.fork("run", { from: "a" });
    await t.advance("1h");
    const again = await t.fork(forked.runId, { from: "sleep" });
    await t.advance("1m");
    expect([(await forked.status()).status, (await again.status()).status]).toEqual(["completed", "completed"]);
  });
});

describe("a run that failed and took back", () => {
  const body = (ledger: Ledger) =>
    function* (): Steps<unknown> {
      yield* ledger.look("x", { step: "x" });
      yield* ledger.act("a", { step: "a" });
      yield* ledger.act("b", { step: "b" });
      return yield* ledger.act("c", { step: "c" });
    };

  test("cannot be shared behind a step that was taken back: FORK_UNDONE names it", async () => {
    const ledger = new Ledger();
    ledger.manners.c = ["fatal", "ok"];
    const { t } = await playOut(body(ledger));
    await expect(t.fork("run", { from: "c" })).rejects.toMatchObject({ code: "FORK_UNDONE", details: { step: "a" } });
    const forked = await t.fork("run", { from: "a" });
    await t.advance("1s");
    expect(ledger.lines).toEqual(["x", "a", "b", "c", "undo b", "undo a", "a", "b", "c"]);
    expect((await forked.status()).status).toBe("completed");
  });

  test("what could not be taken back is shared, and the fork owes it", async () => {
    const ledger = new Ledger();
    ledger.manners.c = "fatal";
    ledger.manners["undo a"] = ["fatal", "ok"];
    const { t, run } = await playOut(body(ledger));
    expect((await run.status()).notUndone).toEqual(["a"]);
    const key = ledger.keys.find(({ line }) => line === "a")?.key;
    ledger.lines.length = 0;
    const forked = await t.fork("run", { from: "b" });
    await t.advance("1s");
    expect(ledger.lines).toEqual(["b", "c", "undo b", "undo a"]);
    expect(await forked.status()).toMatchObject({ status: "failed", notUndone: [] });
    const undo = (await forked.facts()).find((fact) => fact.type === "action.dispatched" && fact.step === "a~undo/back");
    // Its undo is told the key under which it was done.
    expect(undo).toMatchObject({ input: { id: "a", key } });
  });

  test("what a scope took back before the step is shared as taken back", async () => {
    const ledger = new Ledger();
    const { t } = await playOut(function* () {
      yield* attempt(
        (function* (): Steps<null> {
          yield* ledger.act("a", { step: "a" });
          throw new Fatal("NO");
        })(),
      );
      yield* sleep("1s");
      yield* ledger.act("b", { step: "b" });
    });
    const forked = await t.fork("run", { from: "b" });
    await t.advance("1s");
    expect(ledger.lines).toEqual(["a", "undo a", "b", "b"]);
    expect((await forked.status()).status).toBe("completed");
    await expect(t.fork("run", { from: "a~undo/back" })).rejects.toMatchObject({ code: "FORK_IMPOSSIBLE" });
  });

  test("a completed child is shared as it is, and taken back by the fork that owes it", async () => {
    const ledger = new Ledger();
    const child = workflow({ name: "child", input: anything }, function* () {
      yield* ledger.act("inner");
      return "grown";
    });
    ledger.manners.b = "fatal";
    const { t } = await playOut(
      function* () {
        const grown = yield* child(1);
        yield* ledger.act("b", { step: "b" });
        return grown;
      },
      { onFailure: "stop" },
    );
    ledger.manners.b = "ok";
    const good = await t.fork("run", { from: "b" });
    await t.advance("1s");
    expect(await good.result()).toBe("grown");
    expect(ledger.lines).toEqual(["inner", "b", "b"]);
    expect((await t.list({ workflow: "child" })).map(({ id }) => id)).toEqual(["run/child"]);
  });
});

describe("a fork of a fork", () => {
  test("shares the pasts of both, each step under its own key", async () => {
    const ledger = new Ledger();
    const { t } = await playOut(
      function* () {
        for (const id of ["a", "b", "c"]) yield* ledger.act(id, { step: id });
        throw new Fatal("STOP");
      },
      { onFailure: "stop" },
    );
    await t.fork("run", { from: "b", runId: "one" });
    await t.advance("1s");
    await t.fork("one", { from: "c", runId: "two" });
    await t.advance("1s");
    const three = await t.fork("two", { from: "b", runId: "three" });
    await t.advance("1s");
    expect(ledger.lines).toEqual(["a", "b", "c", "b", "c", "c", "b", "c"]);
    expect(new Set(ledger.keys.map(({ key }) => key)).size).toBe(8);
    const origins = async (id: string) => {
      const [started] = await t.run(id).facts();
      return started?.type === "run.started" ? started.origins?.map(({ runId, until }) => `${runId} ${until}`) : [];
    };
    expect([await origins("one"), await origins("two"), await origins("three")]).toEqual([
      ["run 3"],
      ["run 3", "one 6"],
      ["run 3", "one 4"],
    ]);
    expect(await three.status()).toMatchObject({ forkedFrom: { runId: "two", step: "b" } });
  });
});

describe("which runs", () => {
  test("one that is under way is RUN_NOT_ENDED, an unknown one RUN_UNKNOWN", async () => {
    const { t } = await play(function* () {
      yield* sleep("1h");
    });
    await expect(t.fork("run")).rejects.toMatchObject({ code: "RUN_NOT_ENDED" });
    await expect(t.retry("run")).rejects.toMatchObject({ code: "RUN_NOT_ENDED" });
    await expect(t.fork("nobody")).rejects.toMatchObject({ code: "RUN_UNKNOWN" });
  });

  test("one that was paused by hand, once no call is in flight", async () => {
    const ledger = new Ledger();
    const gate = new Gate();
    ledger.manners.b = [gate, "ok"];
    const { t, run } = await play(function* () {
      yield* ledger.act("a", { step: "a" });
      yield* ledger.act("b", { step: "b" });
      yield* ledger.act("c", { step: "c" });
    });
    await run.pause();
    await t.advance("0ms");
    await expect(t.fork("run", { from: "b" })).rejects.toMatchObject({ code: "RUN_NOT_ENDED" });
    gate.open();
    await t.advance("1s");
    const forked = await t.fork("run", { from: "b" });
    await t.advance("1s");
    expect((await forked.status()).status).toBe("completed");
    expect((await run.status()).status).toBe("paused");
    expect(ledger.lines).toEqual(["a", "b", "b", "c"]);
  });

  test("one with a step in doubt, before that step", async () => {
    const ledger = new Ledger();
    ledger.manners.b = [new Gate(), "ok"];
    const { t } = await play(function* () {
      yield* ledger.act("a", { step: "a" });
      yield* all({ b: ledger.act("b", { step: "b" }), c: ledger.act("c", { step: "c" }) });
    });
    await t.crash();
    await t.advance("1s");
    await expect(t.fork("run", { from: "c/c" })).rejects.toMatchObject({ code: "FORK_STEP_OPEN", details: { step: "b/b" } });
    const forked = await t.retry("run");
    await t.advance("1s");
    expect((await forked.status()).status).toBe("completed");
    expect(ledger.lines).toEqual(["a", "b", "c", "b"]);
  });

  test("a step that was settled by hand is shared as it was settled", async () => {
    const ledger = new Ledger();
    ledger.manners.a = new Gate();
    const { t, run } = await play(function* () {
      const { id } = yield* ledger.act("a", { step: "a" });
      yield* ledger.act("b", { step: "b" });
      return id;
    });
    await t.crash();
    await t.advance("1s");
    await run.resume({ step: "a", output: { id: "by hand" } });
    await t.advance("1s");
    const forked = await t.fork("run", { from: "b" });
    await t.advance("1s");
    expect(await forked.result()).toBe("by hand");
    expect(ledger.lines).toEqual(["a", "b", "b"]);
  });

  test("goes on under another version, or says why its past does not fit", async () => {
    const store = memory();
    const { act, look, lines } = new Ledger();
    const flow = (version: string, body: () => Steps<unknown>) => workflow({ name: "flow", version, input: anything }, body);
    const one = flow("1.0.0", function* () {
      yield* act("a", { step: "a" });
      yield* act("b", { step: "b" });
    });
    const two = flow("2.0.0", function* () {
      yield* act("a", { step: "a" });
      yield* look("new", { step: "b" });
      return "two";
    });
    const three = flow("3.0.0", function* () {
      yield* look("other", { step: "a" });
      yield* act("b", { step: "b" });
    });
    const t = createOrchestrator({ store, nodes: [one, two, three], log: quiet });
    await (await t.start(one, null, { runId: "run" })).result();
    const forked = await t.fork("run", { from: "b", version: "2.0.0" });
    expect(await forked.result()).toBe("two");
    expect(await forked.status()).toMatchObject({ version: "2.0.0" });
    expect(lines).toEqual(["a", "b", "new"]);
    await expect(t.fork("run", { from: "b", version: "3.0.0" })).rejects.toMatchObject({
      code: "FORK_IMPOSSIBLE",
      message: expect.stringContaining("calls look there") as string,
    });
    await expect(t.fork("run", { version: "9.0.0" })).rejects.toMatchObject({ code: "WORKFLOW_UNKNOWN" });
    await t.close();
  });

  test("a client without the code leaves it to the owner, where nothing beside the step was under way", async () => {
    const store = memory();
    const { act, lines } = new Ledger();
    const flow = workflow({ name: "flow", input: anything }, function* () {
      yield* act("a", { step: "a" });
      yield* all({ b: act("b", { step: "b" }), c: act("c", { step: "c" }) });
      return "done";
    });
    const owner = createOrchestrator({ store, nodes: [flow], log: quiet });
    await (await owner.start(flow, null, { runId: "run" })).result();
    const client = createOrchestrator({ store, nodes: [], log: quiet });
    const forked = await client.fork("run", { from: "b", input: "z" }).catch((error: unknown) => error);
    expect(forked).toMatchObject({ code: "FORK_IMPOSSIBLE" });
    const run = await client.fork("run", { from: "b/b", input: "z" });
    expect(await owner.run(run.runId).result()).toBe("done");
    expect(lines.sort()).toEqual(["a", "b", "c", "c", "z"]);
    await expect(client.fork("run", { from: "c/c" })).rejects.toThrow(/does not hold the code of flow@1.0.0/);
    await client.close();
    await owner.close();
  });

  test("on SQLite a fork by a client keeps its large values, and goes on with the next owner", async () => {
    const folder = mkdtempSync(join(tmpdir(), "onex-fork-"));
    try {
      const { look, lines } = new Ledger();
      const big = "x".repeat(200_000);
      const flow = workflow({ name: "flow", input: anything }, function* (input) {
        const { id } = yield* look(String(input), { step: "a" });
        return [id.length, (yield* look("b", { step: "b" })).id.length];
      });
      const open = (nodes: readonly AnyNode[]) => createOrchestrator({ store: sqlite(join(folder, "onex.db")), nodes, log: quiet });
      const first = open([flow]);
      expect(await (await first.start(flow, big, { runId: "run" })).result()).toEqual([200_000, 1]);
      await first.close();
      const client = open([]);
      await client.fork("run", { from: "b", input: `${big}y`, runId: "forked" });
      await client.fork("run", { from: "b", input: `${big}y`, runId: "forked" });
      await client.close();
      const next = open([flow]);
      expect(await next.run("forked").result()).toEqual([200_000, 200_001]);
      expect(lines.map((line) => line.length)).toEqual([200_000, 1, 200_001]);
      await next.close();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test("large values are shared too", async () => {
    const { look } = new Ledger();
    const big = "x".repeat(200_000);
    const { t } = await playOut(
      function* (input) {
        const { id } = yield* look(String(input), { step: "a" });
        yield* look("b", { step: "b" });
        return id.length;
      },
      { input: big, stubs: [] },
    );
    const forked = await t.fork("run", { from: "b", input: `${big}y` });
    await t.advance("1s");
    await t.crash();
    expect(await forked.result()).toBe(200_000);
    expect((await forked.facts())[0]).toMatchObject({ input: big });
  });

  test("a restarted run is forked from its last round, and a fork can restart", async () => {
    const ledger = new Ledger();
    const flow = workflow({ name: "rounds", input: z.number() }, function* (n): Steps<unknown> {
      const got = n === 0 ? 0 : yield* go.wait();
      yield* ledger.act(`a${n}`, { step: "a" });
      yield* ledger.act(`b${n}`, { step: "b" });
      return n < 2 ? yield* restart(n + 1) : got;
    });
    const t = testOrchestrator({ nodes: [flow], log: quiet });
    const run = await t.start(flow, 0, { runId: "run" });
    await t.advance("1s");
    await run.signal(go, 1);
    await t.advance("1s");
    await run.signal(go, 2);
    await t.advance("1s");
    expect(await run.result()).toBe(2);
    expect(ledger.lines).toEqual(["a0", "b0", "a1", "b1", "a2", "b2"]);
    const forked = await t.fork("run", { from: "b" });
    await t.advance("1s");
    expect(await forked.result()).toBe(2);
    expect(ledger.lines.slice(6)).toEqual(["b2"]);
    const old = (await t.list()).filter(({ id }) => id.startsWith("run~")).at(-1);
    // A round that ended is a run too: forked from its first step, it goes through all rounds under its own id.
    const loop = await t.fork(old?.id ?? "", { from: "b", runId: "loop" });
    await t.advance("1s");
    await loop.signal(go, 3);
    await t.advance("1s");
    await t.crash();
    await loop.signal(go, 4);
    await t.advance("1s");
    expect(await loop.result()).toBe(4);
    expect(ledger.lines.slice(7)).toEqual(["b0", "a1", "b1", "a2", "b2"]);
    expect(new Set(ledger.keys.map(({ key }) => key)).size).toBe(ledger.keys.length);
    expect((await loop.facts())[0]).not.toHaveProperty("origins");
    // A step that is shared keeps the key under which that round did it.
    const shared = await t.fork(old?.id ?? "", { from: "b", runId: "shared" });
    const [started] = await shared.facts();
    expect(started).toMatchObject({ origins: [{ runId: "run", round: 0, until: 3 }] });
    await expect(t.retry(old?.id ?? "")).rejects.toMatchObject({ code: "FORK_IMPOSSIBLE" });
  });

  test("an edited input wins over `stepInputs`, which the fork keeps", async () => {
    const { look, lines } = new Ledger();
    const child = workflow({ name: "part", input: z.object({ id: z.string() }) }, function* ({ id }) {
      return yield* look(id);
    });
    const flow = workflow({ name: "flow", input: anything }, function* () {
      yield* child({ id: "a" }, { step: "one" });
      yield* child({ id: "b" }, { step: "two" });
    });
    const t = testOrchestrator({ nodes: [flow], log: quiet });
    await t.start(flow, null, { runId: "run", stepInputs: { one: { id: "x" }, two: { id: "y" } } });
    await t.advance("1s");
    await t.fork("run", { from: "one", input: { id: "z" } });
    await t.advance("1s");
    expect(lines).toEqual(["x", "y", "z", "y"]);
  });

  test("a fork has no parent and tells nobody how it ended", async () => {
    const ledger = new Ledger();
    const child = workflow({ name: "child", input: anything, timeout: "1h" }, function* (): Steps<unknown> {
      yield* ledger.act("a", { step: "a" });
      yield* sleep("1m");
      return "grown";
    });
    const { t, run } = await playOut(
      function* () {
        return yield* child(1);
      },
      { timeout: "1h" },
    );
    expect(await run.result()).toBe("grown");
    const forked = await t.fork("run/child", { from: "sleep" });
    await t.advance("2m");
    expect(await forked.result()).toBe("grown");
    const [started] = await forked.facts();
    expect(started).not.toHaveProperty("parent");
    expect(started).not.toHaveProperty("ancestors");
    expect(started).toMatchObject({ deadline: (await forked.status()).startedAt + 3_600_000 });
  });

  test("branches of `each` can be forked by their path", async () => {
    const { act, lines } = new Ledger();
    const { t } = await playOut(function* () {
      return yield* each(["a", "b", "c"], (id) => act(id, { step: "go" }), { concurrency: 1, key: (id) => id });
    });
    const forked = await t.fork("run", { from: "b" });
    await t.advance("1s");
    expect(lines).toEqual(["a", "b", "c", "b", "c"]);
    expect(await forked.result()).toEqual([{ id: "a" }, { id: "b" }, { id: "c" }]);
  });
});
