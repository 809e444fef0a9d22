/** A crash leaves a call unanswered: send it again, count it as failed, or ask a person (API rule 5). */
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { all, attempt, effect, StepError, sleep } from "../../src/index.ts";
import { anything, Gate, Ledger, play } from "./kit.ts";

/** An effect that hangs in its first process and answers in the second. */
function doubtful(how: { readonly idempotent?: boolean; readonly inDoubt?: "retry" | "fail" | "pause" }) {
  const seen: { readonly key: string; readonly epoch: number; readonly attempt: number; readonly input: unknown }[] = [];
  const undone: (string | undefined)[] = [];
  const back = effect({ name: "back", input: anything, irreversible: "is an undo" }, async ({ output }) => {
    undone.push(output ?? "unknown");
    return null;
  });
  const node = effect(
    {
      name: "charge",
      input: anything,
      output: z.string(),
      ...how,
      undo: ({ output }) => back({ output }),
    },
    async (input, { idempotencyKey: key, epoch, attempt }) => {
      seen.push({ key, epoch, attempt, input });
      if (seen.length === 1) await new Promise(() => {});
      return `answer ${seen.length}`;
    },
  );
  return { node, seen, undone };
}

describe("retry", () => {
  test.each([{ idempotent: true }, { inDoubt: "retry" } as const])(
    "sends the same call again: key, input and attempt stay, the epoch rises (%j)",
    async (how) => {
      const { node, seen } = doubtful(how);
      const { t, view } = await play(function* () {
        return yield* node({ amount: 1 });
      });
      await t.crash();
      expect(seen).toHaveLength(2);
      expect(seen[1]).toMatchObject({ key: seen[0]?.key, attempt: 1, input: { amount: 1 } });
      expect(seen.map(({ epoch }) => epoch)).toEqual([1, 2]);
      expect(await view()).toMatchObject({ status: "completed", output: "answer 2" });
      expect(t.stats().redelivered).toBe(1);
    },
  );

  test("is what a readonly effect gets", async () => {
    const ledger = new Ledger();
    ledger.manners.a = ["deaf", "ok"];
    const { t, view } = await play(function* () {
      return yield* ledger.look("a");
    });
    await t.crash();
    expect(ledger.lines).toEqual(["a", "a"]);
    expect((await view()).status).toBe("completed");
  });
});

describe("fail", () => {
  test("fails the step with IN_DOUBT, its outcome unknown", async () => {
    const { node, seen, undone } = doubtful({ inDoubt: "fail" });
    const { t, view } = await play(function* () {
      const tried = yield* attempt(node(1));
      return tried.ok ? "ok" : tried.error.code;
    });
    await t.crash();
    expect(seen).toHaveLength(1);
    expect(await view()).toMatchObject({ status: "completed", output: "IN_DOUBT" });
    expect(undone).toEqual(["unknown"]);
  });
});

describe("pause", () => {
  async function paused() {
    const charge = doubtful({});
    const caught: unknown[] = [];
    const played = await play(function* () {
      try {
        return yield* charge.node(1);
      } catch (error) {
        caught.push(error);
        return "caught";
      }
    });
    await played.t.crash();
    return { ...played, ...charge, caught };
  }

  test("is the default of an effect that is not idempotent, and status says why", async () => {
    const { view, seen } = await paused();
    expect(seen).toHaveLength(1);
    expect(await view()).toMatchObject({ status: "paused", paused: { code: "IN_DOUBT", step: "charge" } });
    expect((await view()).steps[0]).toMatchObject({ step: "charge", status: "paused" });
  });

  test("holds over another crash, and result() waits", async () => {
    const { t, run, view, seen } = await paused();
    await t.crash();
    await t.advance("24h");
    expect(seen).toHaveLength(1);
    expect((await view()).paused).toMatchObject({ code: "IN_DOUBT" });
    const waiting = run.result({ timeout: "1h" }).catch((error) => error.code);
    await t.advance("2h");
    expect(await waiting).toBe("RESULT_TIMEOUT");
  });

  test("settled by `retry`: the same call again", async () => {
    const { t, run, view, seen } = await paused();
    await run.resume({ step: "charge", as: "retry" });
    await t.advance("1s");
    expect(seen).toHaveLength(2);
    expect(seen[1]?.key).toBe(seen[0]?.key);
    expect(await view()).toMatchObject({ status: "completed", output: "answer 2" });
    expect((await view()).paused).toBeUndefined();
  });

  test("settled by `fail`: the workflow gets a StepError, and what may have happened is taken back", async () => {
    const { t, run, view, seen, caught, undone } = await paused();
    await run.resume({ step: "charge", as: "fail" });
    await t.advance("1s");
    expect(seen).toHaveLength(1);
    expect(caught[0]).toBeInstanceOf(StepError);
    expect(caught[0]).toMatchObject({ code: "IN_DOUBT", step: "charge" });
    expect(await view()).toMatchObject({ status: "completed", output: "caught" });
    expect(undone).toEqual(["unknown"]);
  });

  test("settled by an output: it counts as the answer, and survives a crash", async () => {
    const { t, run, view, seen } = await paused();
    await run.resume({ step: "charge", output: "by hand" });
    await t.crash();
    expect(seen).toHaveLength(1);
    expect(await view()).toMatchObject({ status: "completed", output: "by hand" });
    expect((await run.facts()).find((fact) => fact.type === "run.resumed")).toMatchObject({
      step: "charge",
      as: "output",
      output: "by hand",
    });
  });

  test("an output that does not fit its schema leaves the step paused", async () => {
    const { t, run, view, undone } = await paused();
    await run.resume({ step: "charge", output: 7 });
    await t.advance("1s");
    expect(await view()).toMatchObject({ status: "paused", paused: { step: "charge", message: expect.stringContaining("does not fit") } });
    await run.resume({ step: "charge", output: "by hand" });
    await t.advance("1s");
    expect(await view()).toMatchObject({ status: "completed", output: "by hand" });
    expect(undone).toEqual([]);
  });

  test("resume without a choice is refused, and so is settling a step that is not paused", async () => {
    const { run } = await paused();
    await expect(run.resume()).rejects.toMatchObject({ code: "STEP_IN_DOUBT" });
    await expect(run.resume({ step: "other", as: "retry" })).rejects.toMatchObject({ code: "STEP_NOT_PAUSED" });
  });

  test("a paused step is given up by a cancel, and taken back as unknown", async () => {
    const { t, run, view, undone } = await paused();
    await run.cancel();
    await t.advance("1s");
    expect((await view()).status).toBe("cancelled");
    expect(undone).toEqual(["unknown"]);
  });

  test("what waits beside the paused step goes on", async () => {
    const ledger = new Ledger();
    ledger.manners.a = ["deaf", "ok"];
    const { t, run, view } = await play(function* () {
      yield* all([
        ledger.act("a"),
        (function* () {
          yield* sleep("1m");
          yield* ledger.act("b");
        })(),
      ]);
    });
    await t.crash();
    await t.advance("2m");
    expect(ledger.lines).toEqual(["a", "b"]);
    expect((await view()).paused).toMatchObject({ step: "0/act" });
    await run.resume({ step: "0/act", as: "retry" });
    await t.advance("1s");
    expect((await view()).status).toBe("completed");
  });
});

describe("poison", () => {
  async function poisoned() {
    const ledger = new Ledger();
    ledger.manners.a = "deaf";
    const played = await play(function* () {
      return yield* ledger.again("a");
    });
    for (let i = 0; i < 5; i++) await played.t.crash();
    return { ...played, ledger };
  }

  test("after five deliveries without an answer the call is not sent again by itself", async () => {
    const { t, view, ledger } = await poisoned();
    expect(ledger.lines).toHaveLength(5);
    expect(await view()).toMatchObject({ status: "paused", paused: { code: "POISON", step: "again" } });
    await t.crash();
    expect(ledger.lines).toHaveLength(5);
  });

  test("resume tries it again, with the same key", async () => {
    const { t, run, view, ledger } = await poisoned();
    ledger.manners.a = "ok";
    await run.resume();
    await t.advance("1s");
    expect(ledger.lines).toHaveLength(6);
    expect(new Set(ledger.keys.map(({ key }) => key)).size).toBe(1);
    expect((await view()).status).toBe("completed");
  });
});

test("a call that was answered before the crash is not made again", async () => {
  const ledger = new Ledger();
  const gate = new Gate();
  ledger.manners.b = gate;
  const { t, view } = await play(function* () {
    yield* ledger.act("a");
    yield* ledger.again("b");
  });
  gate.open();
  await t.crash();
  await t.advance("1s");
  expect(ledger.lines).toEqual(["a", "b", "b"]);
  expect((await view()).status).toBe("completed");
});
