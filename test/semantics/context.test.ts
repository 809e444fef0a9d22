/** The second argument of effects and workflows (API rule 13). */
import { expect, test } from "vitest";
import { type EffectContext, effect, service, sleep, workflow } from "../../src/index.ts";
import { testOrchestrator } from "../../src/testing/index.ts";
import { anything, play, quiet } from "./kit.ts";

test("an effect knows its run, attempt, deadline, key and services", async () => {
  const slot = service<string>("slot");
  const seen: EffectContext[] = [];
  const act = effect(
    {
      name: "act",
      input: anything,
      uses: { slot },
      timeout: "10s",
      idempotent: true,
      retry: { maxAttempts: 2, delay: "1s", jitter: "none" },
    },
    async (_input, context) => {
      seen.push(context);
      if (context.attempt === 1) throw new Error("again");
      return context.slot;
    },
  );
  const flow = workflow({ name: "flow", input: anything }, function* () {
    return [yield* act(1), yield* act(1)];
  });
  const t = testOrchestrator({ nodes: [flow], provide: [slot.from("a service")], log: quiet });
  const run = await t.start(flow, null, { runId: "r", correlationId: "c" });
  await t.advance("1m");
  expect(await run.result()).toEqual(["a service", "a service"]);
  const start = Date.UTC(2030, 0, 1);
  expect(
    seen.map(({ runId, correlationId, epoch, attempt, deadline, resume }) => ({
      runId,
      correlationId,
      epoch,
      attempt,
      deadline: deadline - start,
      resume,
    })),
  ).toEqual([
    { runId: "r", correlationId: "c", epoch: 1, attempt: 1, deadline: 10_000, resume: undefined },
    { runId: "r", correlationId: "c", epoch: 1, attempt: 2, deadline: 11_000, resume: undefined },
    { runId: "r", correlationId: "c", epoch: 1, attempt: 1, deadline: 11_000, resume: undefined },
    { runId: "r", correlationId: "c", epoch: 1, attempt: 2, deadline: 12_000, resume: undefined },
  ]);
  const keys = seen.map(({ idempotencyKey }) => idempotencyKey);
  expect(keys[0]).toBe(keys[1]);
  expect(keys[2]).toBe(keys[3]);
  expect(keys[0]).not.toBe(keys[2]);
  expect(keys[0]).toMatch(/^[0-9a-f]{32}$/);
  // Every attempt is an action of its own, all under the lease of this process.
  expect(new Set(seen.map(({ actionId }) => actionId)).size).toBe(4);
  expect(new Set(seen.map(({ leaseId }) => leaseId)).size).toBe(1);
});

test("D45, D59: the input is the caller's in every attempt: nothing is put into it, and no name is reserved", async () => {
  const given = {
    workflow_context: 1,
    correlation_id: "mine",
    action: "mine",
    retry_attempt: 9,
    original_error: "mine",
    workflow_id: "mine",
  };
  const seen: unknown[] = [];
  const act = effect(
    { name: "act", input: anything, idempotent: true, retry: { maxAttempts: 2, delay: "1s" } },
    async (input, { attempt }) => {
      seen.push(input);
      if (attempt === 1) throw new Error("again");
      return input;
    },
  );
  const { t, run, view } = await play(function* () {
    return [yield* act(given), yield* act({})];
  });
  await t.advance("1m");
  expect(seen).toEqual([given, given, {}, {}]);
  expect((await view()).output).toEqual([given, {}]);
  expect((await run.facts()).flatMap((fact) => (fact.type === "action.dispatched" ? [fact.input] : []))).toEqual([given, given, {}, {}]);
});

test("its signal is aborted with a reason: a timeout, a cancel, the end of the process", async () => {
  const reasons: string[] = [];
  const act = effect(
    { name: "act", input: anything, idempotent: true, timeout: "10s", retry: { maxAttempts: 2, delay: "1s" } },
    (_input, { signal }) =>
      new Promise((_, reject) => {
        signal.addEventListener("abort", () => {
          reasons.push((signal.reason as { code: string }).code);
          reject(signal.reason);
        });
      }),
  );
  const { t, run } = await play(function* () {
    yield* act(1);
  });
  await t.advance("5s");
  await t.crash();
  await t.advance("12s");
  await run.cancel();
  await t.advance("1s");
  expect(reasons).toEqual(["ORCHESTRATOR_CLOSED", "STEP_TIMEOUT", "CANCELLED"]);
});

test("a signal that is asked for after the abort is aborted already", async () => {
  let late: boolean | undefined;
  let go: (() => void) | undefined;
  const act = effect({ name: "act", input: anything, readonly: true, retry: false, timeout: "1s" }, async (_input, context) => {
    await new Promise<void>((resolve) => {
      go = resolve;
    });
    late = context.signal.aborted;
    return null;
  });
  const { t } = await play(function* () {
    yield* act(1);
  });
  await t.advance("2s");
  go?.();
  await t.advance("1s");
  expect(late).toBe(true);
});

test("a workflow knows its run", async () => {
  const flow = workflow({ name: "flow", input: anything }, function* (_input, { runId, correlationId }) {
    yield* sleep("1s");
    return [runId, correlationId];
  });
  const t = testOrchestrator({ nodes: [flow], log: quiet });
  const run = await t.start(flow, null, { runId: "r" });
  await t.advance("1s");
  expect(await run.result()).toEqual(["r", "r"]);
});
