import { expect, test } from "vitest";
import { z } from "zod";
import { effect, Fatal, RetryLater, type RetryPolicy, StepError } from "../../src/index.ts";
import { anything, play, playOut } from "./kit.ts";

/** An effect that fails `times` times with what `fail` throws. */
function failing(times: number, fail: (attempt: number) => unknown = () => new Error("again")) {
  const keys: string[] = [];
  const attempts: number[] = [];
  const node = effect(
    { name: "call", input: anything, output: z.string(), irreversible: "for the test" },
    async (_input, { attempt, idempotencyKey }) => {
      keys.push(idempotencyKey);
      attempts.push(attempt);
      if (attempts.length <= times) throw fail(attempt);
      return "ok";
    },
  );
  return { node, keys, attempts };
}
/** Seconds between the attempts. */
async function waits(retry: RetryPolicy, fail?: (attempt: number) => unknown, seed = 1): Promise<number[]> {
  const { node } = failing(100, fail);
  const { facts } = await playOut(
    function* () {
      yield* node(1, { retry });
    },
    { seed },
  );
  const at = (await facts()).flatMap((fact) => (fact.type === "action.dispatched" ? [fact.at] : []));
  return at.slice(1).map((time, i) => (time - (at[i] as number)) / 1000);
}

test.each([
  ["fixed", [2, 2, 2, 2]],
  ["linear", [2, 4, 6, 8]],
  ["exponential", [2, 4, 8, 16]],
] as const)("%s backoff", async (backoff, expected) => {
  expect(await waits({ maxAttempts: 5, backoff, delay: "2s", jitter: "none" })).toEqual(expected);
});

test("a factor, and a cap on the wait", async () => {
  expect(await waits({ maxAttempts: 5, delay: "1s", factor: 3, maxDelay: "10s", jitter: "none" })).toEqual([1, 3, 9, 10]);
});

test("full jitter stays under the wait, and comes from the run's seed", async () => {
  const policy = { maxAttempts: 6, backoff: "fixed", delay: "10s" } as const;
  const first = await waits(policy);
  for (const seconds of first) {
    expect(seconds).toBeGreaterThanOrEqual(0);
    expect(seconds).toBeLessThanOrEqual(10);
  }
  expect(new Set(first).size).toBeGreaterThan(2);
  expect(await waits(policy)).toEqual(first);
  expect(await waits(policy, undefined, 2)).not.toEqual(first);
});

test("a code in `except` is not tried again", async () => {
  const refused = () => Object.assign(new Error("no"), { code: "ENOENT" });
  expect(await waits({ maxAttempts: 5, except: ["ENOENT"] }, refused)).toEqual([]);
});

test("`within` is the budget of all attempts", async () => {
  expect(await waits({ maxAttempts: 9, backoff: "fixed", delay: "4s", jitter: "none", within: "10s" })).toEqual([4, 4]);
});

test("RetryLater says when", async () => {
  expect(await waits({ maxAttempts: 3, delay: "1s" }, () => new RetryLater("5m"))).toEqual([300, 300]);
  expect(await waits({ maxAttempts: 3, within: "1m" }, () => new RetryLater("5m"))).toEqual([]);
});

test("Fatal is not tried again, whatever the policy", async () => {
  expect(await waits({ maxAttempts: 5 }, () => new Fatal("NO"))).toEqual([]);
});

test("without a word an effect that may be repeated gets three attempts, another one gets one", async () => {
  for (const [how, count] of [
    [{ idempotent: true }, 3],
    [{ readonly: true }, 3],
    [{}, 1],
  ] as const) {
    let calls = 0;
    const node = effect({ name: "call", input: anything, ...(how as object) }, async () => {
      calls++;
      throw new Error("again");
    });
    await playOut(function* () {
      yield* node(1);
    });
    expect(calls).toBe(count);
  }
});

test("the call's words win over the node's; `false` is one attempt", async () => {
  let calls = 0;
  const node = effect({ name: "call", input: anything, idempotent: true, retry: { maxAttempts: 5, delay: "1s" } }, async () => {
    calls++;
    throw new Error("again");
  });
  await playOut(function* () {
    yield* node(1);
  });
  expect(calls).toBe(5);
  await playOut(function* () {
    yield* node(1, { retry: { maxAttempts: 2 } });
  });
  expect(calls).toBe(7);
  await playOut(function* () {
    yield* node(1, { retry: false });
  });
  expect(calls).toBe(8);
});

test("attempts are counted, the key stays, and the failure says how often it was tried", async () => {
  const { node, keys, attempts } = failing(9);
  let error: unknown;
  const { view } = await playOut(function* () {
    try {
      yield* node(1, { retry: { maxAttempts: 3, delay: "1s" } });
    } catch (caught) {
      error = caught;
    }
    return null;
  });
  expect(attempts).toEqual([1, 2, 3]);
  expect(new Set(keys).size).toBe(1);
  expect(error).toBeInstanceOf(StepError);
  expect(error).toMatchObject({ code: "EFFECT_THREW", message: expect.stringContaining("again"), attempts: 3 });
  expect((await view()).retries).toBe(2);
});

test("a retry waits through a crash, and is not made twice", async () => {
  const { node, attempts } = failing(1);
  const { t, view } = await play(function* () {
    return yield* node(1, { retry: { maxAttempts: 3, delay: "1h", maxDelay: "2h", jitter: "none" } });
  });
  expect((await view()).steps[0]).toMatchObject({ status: "retrying", attempts: 1 });
  await t.crash();
  await t.advance("59m");
  await t.crash();
  expect(attempts).toEqual([1]);
  await t.advance("1m");
  expect(attempts).toEqual([1, 2]);
  expect((await view()).output).toBe("ok");
});

test("D41: every attempt is a fact with the error of its own", async () => {
  const { node } = failing(2, (attempt) => Object.assign(new Error(`failure ${attempt}`), { code: `E${attempt}` }));
  const { facts, view } = await playOut(function* () {
    return yield* node(1, { retry: { maxAttempts: 3, delay: "1s" } });
  });
  expect(
    (await facts()).flatMap((fact) => (fact.type === "action.failed" ? [[fact.attempt, fact.error.code, fact.error.message]] : [])),
  ).toEqual([
    [1, "E1", "failure 1"],
    [2, "E2", "failure 2"],
  ]);
  expect((await view()).output).toBe("ok");
});
