/** Stand-ins and the calls that were made (API rule 19). */
import { expect, test } from "vitest";
import { z } from "zod";
import { effect, sleep, workflow } from "../../src/index.ts";
import { stub, testOrchestrator } from "../../src/testing/index.ts";
import { anything, quiet } from "./kit.ts";

const charge = effect(
  { name: "charge", input: z.object({ amount: z.number() }), output: z.object({ receipt: z.string() }), idempotent: true },
  async () => ({ receipt: "real" }),
);
const mail = effect({ name: "mail", input: z.string(), readonly: true }, async (to) => to.length);
const flow = workflow({ name: "flow", input: z.number() }, function* (amount) {
  const { receipt } = yield* charge({ amount });
  yield* sleep("1h");
  return [receipt, yield* mail("bob")];
});

test("a stub stands in for its effect, with input and context; others run themselves", async () => {
  const t = testOrchestrator({
    nodes: [flow],
    stubs: [stub(charge, ({ amount }, { attempt, runId }) => ({ receipt: `${runId} ${amount} ${attempt}` }))],
    log: quiet,
  });
  const run = await t.start(flow, 5, { runId: "r" });
  await t.advance("1h");
  expect(await run.result()).toEqual(["r 5 1", 3]);
});

test("calls are counted for stubs and for real ones, over crashes, with their keys", async () => {
  let calls = 0;
  const t = testOrchestrator({
    nodes: [flow],
    stubs: [
      stub(charge, async ({ amount }) => {
        if (++calls === 1) await new Promise(() => {});
        return { receipt: `r${amount}` };
      }),
    ],
    log: quiet,
  });
  const run = await t.start(flow, 1);
  await t.advance("0ms");
  await t.crash();
  await t.advance("1h");
  expect(await run.result()).toEqual(["r1", 3]);
  const made = t.calls(charge);
  expect(made.map(({ input }) => input)).toEqual([{ amount: 1 }, { amount: 1 }]);
  expect(made[0]?.idempotencyKey).toBe(made[1]?.idempotencyKey);
  expect(t.calls(mail)).toMatchObject([{ input: "bob" }]);
});

test("a stub that throws fails the step as the effect would", async () => {
  const t = testOrchestrator({
    nodes: [flow],
    stubs: [
      stub(charge, () => {
        throw Object.assign(new Error("down"), { code: "ECONNREFUSED" });
      }),
    ],
    log: quiet,
  });
  const run = await t.start(flow, 1);
  await t.advance("1h");
  expect((await run.status()).error?.code).toBe("ECONNREFUSED");
  expect(t.calls(charge)).toHaveLength(3);
});

test("a stub's answer is held against the effect's schema", async () => {
  const t = testOrchestrator({ nodes: [flow], stubs: [stub(charge, () => ({ no: "receipt" }) as never)], log: quiet });
  const run = await t.start(flow, 1);
  await t.advance("1h");
  expect((await run.status()).error?.code).toBe("OUTPUT_INVALID");
});

test("`run` is the bare function", async () => {
  expect(await (mail.run as (to: string) => Promise<number>)("four")).toBe(4);
  expect(anything.parse(1)).toBe(1);
});

test("waiting for a result survives a crash", async () => {
  const t = testOrchestrator({ nodes: [flow], log: quiet });
  const run = await t.start(flow, 1);
  const result = run.result();
  await t.advance("30m");
  await t.crash();
  await t.advance("30m");
  expect(await result).toEqual(["real", 3]);
});
