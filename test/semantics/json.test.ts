/** What is recorded is JSON, valid and not too large (API rule 4). */
import { expect, test } from "vitest";
import { z } from "zod";
import { attempt, compute, effect, reducer, sleep, workflow } from "../../src/index.ts";
import { testOrchestrator } from "../../src/testing/index.ts";
import { anything, Ledger, play, playOut, quiet } from "./kit.ts";

const lossy: [string, () => unknown][] = [
  ["a Date", () => new Date(0)],
  ["a Map", () => new Map()],
  ["a bigint", () => 1n],
  ["a function", () => () => 1],
  ["a class", () => new (class Order {})()],
  ["NaN", () => Number.NaN],
  ["undefined in a list", () => [undefined]],
];

test.each(lossy)("%s in an output is OUTPUT_NOT_JSON, in a compute, an effect and a workflow", async (_name, make) => {
  const pure = compute({ name: "pure", input: anything }, () => make() as null);
  const act = effect({ name: "act", input: anything, readonly: true }, async () => make() as null);
  const codes: unknown[] = [];
  const { view } = await playOut(function* () {
    codes.push((yield* attempt(pure(1))).error?.code, (yield* attempt(act(1))).error?.code);
    return { deep: [make()] };
  });
  expect(codes.slice(-2)).toEqual(["OUTPUT_NOT_JSON", "OUTPUT_NOT_JSON"]);
  expect((await view()).error).toMatchObject({ code: "OUTPUT_NOT_JSON", message: expect.stringContaining("deep[0]") });
});

test("an effect whose output cannot be recorded is not tried again, and its outcome is unknown", async () => {
  const undone: unknown[] = [];
  const back = effect({ name: "back", input: anything, irreversible: "is an undo" }, async (done) => {
    undone.push(done);
    return null;
  });
  let calls = 0;
  const act = effect(
    {
      name: "act",
      input: anything,
      output: z.object({ id: z.string() }),
      idempotent: true,
      undo: ({ output }) => back({ known: output !== undefined }),
    },
    async () => {
      calls++;
      return { id: 7 } as never;
    },
  );
  const { view } = await playOut(function* () {
    yield* act(1);
  });
  expect(await view()).toMatchObject({ status: "failed", error: { code: "OUTPUT_INVALID", message: expect.stringContaining("id") } });
  expect(calls).toBe(1);
  expect(undone).toEqual([{ known: false }]);
});

test("a workflow's declared output is held", async () => {
  const flow = workflow({ name: "flow", input: anything, output: z.object({ n: z.number() }) }, function* () {
    yield* sleep("1s");
    return { n: "one" } as never;
  });
  const t = testOrchestrator({ nodes: [flow], log: quiet });
  const run = await t.start(flow, null);
  await t.advance("1s");
  expect((await run.status()).error).toMatchObject({ code: "OUTPUT_INVALID" });
});

test("facts keep what was returned, callers get what the schema makes of it", async () => {
  const shout = compute(
    {
      name: "shout",
      input: z.string(),
      output: z.object({ text: z.string().transform((text) => text.length), extra: z.number().default(3) }),
    },
    (text) => ({ text }),
  );
  const { view } = await playOut(function* () {
    return yield* shout("four");
  });
  expect((await view()).output).toEqual({ text: 4, extra: 3 });
  expect((await view()).steps[0]?.output).toEqual({ text: "four" });
});

test("what a workflow gets live is what it gets on replay", async () => {
  const seen: unknown[] = [];
  const given = { keep: [1], drop: undefined };
  const pure = compute({ name: "pure", input: anything }, () => given as { keep: number[] });
  const { t } = await play(function* () {
    const value = yield* pure(1);
    value.keep.push(2);
    seen.push({ ...value });
    yield* sleep("1h");
  });
  await t.crash();
  await t.advance("1h");
  expect(seen.length).toBeGreaterThan(1);
  for (const value of seen) expect(value).toEqual({ keep: [1, 2] });
  expect(Object.keys(seen[0] as object)).toEqual(["keep"]);
  expect(given.keep).toEqual([1]);
});

test("an input that does not fit is refused at the start, and fails a step before it is tried", async () => {
  const ledger = new Ledger();
  const flow = workflow({ name: "flow", input: z.object({ n: z.number() }) }, function* () {
    return (yield* attempt(ledger.act(7 as never))).error?.code;
  });
  const t = testOrchestrator({ nodes: [flow], log: quiet });
  await expect(t.start(flow, { n: "x" } as never)).rejects.toMatchObject({ code: "INPUT_INVALID", message: expect.stringContaining("n:") });
  await expect(t.start(flow, { n: 1n } as never)).rejects.toMatchObject({ code: "INPUT_NOT_JSON" });
  const run = await t.start(flow, { n: 1 });
  await t.advance("1s");
  const failed = (await run.facts()).filter(({ type }) => type === "step.failed");
  expect(failed).toMatchObject([{ step: "act", attempts: 0, error: { code: "INPUT_INVALID" } }]);
  expect(ledger.lines).toEqual([]);
});

test("an input of a step that is no JSON fails the step", async () => {
  const { view } = await playOut(function* () {
    return (yield* attempt(new Ledger().act(new Date(0) as never))).error?.code;
  });
  expect((await view()).output).toBe("OUTPUT_NOT_JSON");
});

test("more than a mebibyte is VALUE_TOO_LARGE: refused at the start, else the step fails", async () => {
  const big = "x".repeat(1024 * 1024);
  let calls = 0;
  const act = effect({ name: "act", input: anything, idempotent: true, irreversible: "for the test" }, async () => {
    calls++;
    return big;
  });
  const pure = compute({ name: "pure", input: anything }, () => big);
  const sum = reducer({ name: "sum", event: anything, initial: "" }, () => big);
  const codes: unknown[] = [];
  const { t, view } = await playOut(function* () {
    for (const op of [act(1), pure(1), sum(1), act(big)]) codes.push((yield* attempt(op)).error?.code);
    return big;
  });
  expect(codes.slice(-4)).toEqual(Array(4).fill("VALUE_TOO_LARGE"));
  expect(calls).toBe(1);
  expect((await view()).error?.code).toBe("VALUE_TOO_LARGE");
  expect(await t.read(sum)).toBe("");
  await expect(t.run("run").signal("x", big)).rejects.toMatchObject({ code: "VALUE_TOO_LARGE" });
});

test("a schema that validates asynchronously is refused, but for an effect's input", async () => {
  const later = z.string().refine(async () => true);
  const pure = compute({ name: "pure", input: later }, (text) => text);
  const act = effect({ name: "act", input: later, readonly: true }, async (text) => text);
  const { view } = await playOut(function* () {
    return [(yield* attempt(pure("a"))).error?.code, yield* act("b")];
  });
  expect((await view()).output).toEqual(["SCHEMA_ASYNC", "b"]);
});
