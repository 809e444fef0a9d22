/** Whatever becomes of calls, runs and processes, no slot, start or probe is lost, and no limit is passed. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { z } from "zod";
import { all, attempt, effect, Fatal, RetryLater, race, type Steps, sleep, workflow } from "../../src/index.ts";
import { testOrchestrator } from "../../src/testing/index.ts";
import { Gate, quiet } from "./kit.ts";

const ways = ["ok", "throw", "fatal", "later", "hang", "deaf"] as const;

const Plan = z.object({
  shape: z.enum(["all", "race", "chain", "fail"]),
  calls: z.array(z.object({ way: z.enum(ways), key: z.enum(["x", "y"]), priority: z.number().int() })),
});
type Plan = z.infer<typeof Plan>;

const plans: fc.Arbitrary<Plan> = fc.record({
  shape: fc.constantFrom("all", "race", "chain", "fail"),
  calls: fc.array(
    fc.record({
      way: fc.constantFrom(...ways, "ok" as const, "ok" as const),
      key: fc.constantFrom("x", "y"),
      priority: fc.integer({ min: 1, max: 3 }),
    }),
    { minLength: 1, maxLength: 4 },
  ),
});
const moves = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("start" as const), plan: plans }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 0, max: 5_000 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("cancel" as const), which: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("crash" as const) }) },
);

test("random runs, cancels and crashes", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(moves, { minLength: 4, maxLength: 30 }), async (given) => {
      /** Calls in flight of the process that lives, by key. */
      let flying: string[] = [];
      let life = 0;
      const hold = new Gate();
      const limits = { concurrency: { limit: 2, key: ({ key }: { readonly key: string }) => key } };
      const back = effect(
        { name: "back", input: z.string(), idempotent: true, irreversible: "an undo", rate: { limit: 3, per: "1s" } },
        async () => null,
      );
      const call = effect(
        {
          name: "call",
          input: z.object({ way: z.enum([...ways, "hold"]), key: z.string() }),
          idempotent: true,
          timeout: "3s",
          retry: { maxAttempts: 3, backoff: "fixed", delay: "1s", jitter: "none", within: "20s" },
          undo: () => back("x"),
          rate: { limit: 5, per: "1s" },
          ...limits,
        },
        async ({ way, key }, { signal }) => {
          const born = life;
          flying.push(key);
          expect(flying.filter((one) => one === key).length, key).toBeLessThanOrEqual(2);
          const over = () => {
            if (born === life) flying.splice(flying.indexOf(key), 1);
          };
          // One that is sent again to be aborted begins aborted.
          const aborted = new Promise<never>((_, reject) => {
            if (signal.aborted) reject(signal.reason);
            else signal.addEventListener("abort", () => reject(signal.reason));
          });
          // One that is deaf is given up after the grace period, and is in flight no more.
          aborted.catch(() => {
            if (way === "deaf") over();
          });
          if (way === "deaf") return new Promise(() => {});
          try {
            if (way === "hold") await Promise.race([hold.pass(), aborted]);
            if (way === "hang") await aborted;
            if (way === "throw") throw new Error("it broke");
            if (way === "fatal") throw new Fatal("NO");
            if (way === "later") throw new RetryLater("2s");
            return null;
          } finally {
            over();
          }
        },
      );
      const flow = workflow({ name: "flow", input: Plan, timeout: "5m" }, function* ({ shape, calls }) {
        const one = ({ way, key, priority }: Plan["calls"][number]): Steps<unknown> =>
          (function* () {
            return yield* attempt(call({ way, key }, { priority }));
          })();
        if (shape === "chain") for (const each of calls) yield* one(each);
        else if (shape === "race") yield* race({ work: all(calls.map(one)), over: sleep("2s") });
        else yield* all(calls.map(one));
        if (shape === "fail") throw new Fatal("NO");
      });
      const last = workflow({ name: "last", input: z.string() }, function* (key) {
        yield* all([call({ way: "hold", key }, { timeout: "1h" }), call({ way: "hold", key }, { timeout: "1h" })]);
      });
      const t = testOrchestrator({
        nodes: [flow, last],
        log: quiet,
        circuitBreaker: { local: true, failureThreshold: 3, openMs: 4_000, halfOpenMaxCalls: 1 },
      });
      const ids: string[] = [];
      for (const move of given) {
        if (move.kind === "start") ids.push((await t.start(flow, move.plan)).runId);
        if (move.kind === "wait") await t.advance(`${move.ms}ms`);
        if (move.kind === "cancel" && ids.length > 0)
          await t
            .run(ids[move.which % ids.length] as string)
            .cancel()
            .catch(() => {});
        if (move.kind === "crash") {
          life++;
          flying = [];
          await t.crash();
        }
      }
      await t.advance("1h");
      for (const id of ids) expect(["completed", "failed", "cancelled"], id).toContain((await t.run(id).status()).status);
      await t.idle();
      expect(flying).toEqual([]);
      // The breaker may be half open: two calls that succeed close it. Then all room is there again, and four go at once.
      await t.start(flow, {
        shape: "chain",
        calls: Array.from({ length: 3 }, () => ({ way: "ok" as const, key: "x" as const, priority: 1 })),
      });
      await t.advance("10s");
      for (const key of ["x", "y"]) await t.start(last, key, { runId: key });
      await t.advance("5s");
      expect(flying.sort()).toEqual(["x", "x", "y", "y"]);
      hold.open();
      await t.advance("5s");
      await Promise.all([t.run("x").result(), t.run("y").result()]);
      await t.close();
    }),
    { numRuns: 60 },
  );
});
