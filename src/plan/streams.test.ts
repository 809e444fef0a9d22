/** `each` over a stream in a plan: what is said before it runs, and how it runs. */
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { Fatal } from "../core/failure.ts";
import type { Json } from "../core/json.ts";
import { compute } from "../node/compute.ts";
import type { AnyNode } from "../node/contract.ts";
import { effect } from "../node/effect.ts";
import { Registry } from "../node/registry.ts";
import { stream } from "../node/stream.ts";
import { testOrchestrator } from "../testing/index.ts";
import { checkFlow } from "./check.ts";
import { Findings, describe as line } from "./finding.ts";
import type { Plan, Step } from "./plan.ts";
import { planWorkflow, readText } from "./workflow.ts";

const rows = stream(
  { name: "rows", input: z.object({ count: z.number() }), item: z.object({ n: z.number() }) },
  async function* ({ count }, { taken }) {
    for (let n = taken; n < count; n++) yield { n };
  },
);
const days = stream(
  { name: "days", input: z.object({}), item: z.string().transform((text) => ({ at: text, day: text.length })) },
  async function* () {
    yield "2030-01-01";
  },
);
const once = effect({ name: "once", input: z.object({}), readonly: true }, async () => [1, 2]);
const double = compute({ name: "double", input: z.object({ n: z.number() }), output: z.object({ n: z.number() }) }, ({ n }) => {
  if (n === 13) throw new Fatal("UNLUCKY");
  return { n: 2 * n };
});
const sum = compute({ name: "sum", input: z.object({ rows: z.array(z.object({ n: z.number() })) }) }, (given) =>
  given.rows.reduce((total, { n }) => total + n, 0),
);
const nodes: readonly AnyNode[] = [rows, days, once, double, sum];

/** Steps begin in line 7, two columns in. */
function said(steps: string): string[] {
  const findings = new Findings("f.yaml");
  const indented = steps.replaceAll(/^/gm, "  ");
  const text = `onex: v1\nkind: workflow\nname: t\nversion: 1.0.0\ntimeout: 1d\nsteps:\n${indented}`;
  const read = readText(text, findings, () => undefined);
  if (read && !findings.failed) checkFlow(read, new Registry(nodes), findings);
  return findings.sorted().map((finding) => line(finding).replace("f.yaml:", ""));
}

describe("check", () => {
  test.each([
    "a: { each: { effect: rows, with: { count: 3 } }, do: { compute: double, with: { n: \"${ item.n }\" } } }\nb: { set: '${ a[0].n + 1 }' }",
    'a: { each: { effect: rows, with: { count: 3 }, timeout: 5s, retry: 5 }, as: row, batchSize: 2, do: { compute: sum, with: { rows: "${ row }" } } }',
    "a: { effect: rows, with: { count: 3 } }\nb: { set: '${ a.map(row, row.n + 1) }' }",
    "n: { set: 3 }\na: { each: { effect: rows, with: { count: '${ n }' } }, do: { set: '${ index }' } }",
    "a: { each: { effect: days }, do: { set: '${ item.anything }' } }",
  ])("%s is clean", (steps) => {
    expect(said(steps)).toEqual([]);
  });

  test.each([
    [
      "a: { each: { effect: once }, do: { set: 1 } }",
      "7:24 TYPE_MISMATCH each goes over a list or a stream, and once is an effect that answers once; call it in a step of its own, and write each: THAT_STEP",
    ],
    [
      "a: { each: { effect: row, with: { count: 1 } }, do: { set: 1 } }",
      '7:24 NODE_UNKNOWN there is no effect "row". Did you mean "rows"?',
    ],
    [
      "a: { each: { effect: rows, with: { cuont: 1 } }, do: { set: 1 } }",
      '7:24 INPUT_MISMATCH effect rows takes "count" (a number), and `with` has none; is "cuont" meant to be it?',
    ],
    [
      "a: { each: { effect: rows, with: { count: 1 } }, do: { set: '${ item.m }' } }",
      '7:72 REFERENCE_UNKNOWN `item` has no "m". It has n.',
    ],
    [
      "a: { each: { effect: rows, with: { count: 1 } }, batchSize: 2, do: { set: '${ item.n }' } }",
      '7:81 TYPE_MISMATCH `item` is a list, and has no "n"',
    ],
    ["a: { each: { effect: rows, with: { count: '${ nothing }' } }, do: { set: 1 } }", "7:49 REFERENCE_UNKNOWN"],
  ])("%s", (steps, sentence) => {
    expect(said(steps).join("\n")).toContain(sentence);
  });
});

async function run(steps: Record<string, Step>, more: Partial<Plan> = {}, input: Json = {}) {
  const target = planWorkflow({ onex: "v1", kind: "workflow", name: "t", version: "1.0.0", timeout: "30d", steps, ...more });
  const t = testOrchestrator({ nodes: [target, ...nodes] });
  const started = await t.start(target, input);
  await t.advance("1h");
  const view = await started.status();
  await t.close();
  return view;
}

describe("run", () => {
  const source = { effect: "rows", with: { count: "${ input.count }" } };

  test("items are consumed under the paths that those of a list have", async () => {
    const view = await run({ a: { each: source, do: { compute: "double", with: { n: "${ item.n + index }" } } } }, {}, { count: 3 });
    expect(view.output).toEqual([{ n: 0 }, { n: 4 }, { n: 8 }]);
    expect(view.steps.map(({ step }) => step)).toEqual(["a/rows", "a/0/double", "a/1/double", "a/2/double"]);
    const list = await run({ a: { each: "[1, 2, 3]", do: { compute: "double", with: { n: "${ item }" } } } });
    expect(list.steps.map(({ step }) => step)).toEqual(["a/0/double", "a/1/double", "a/2/double"]);
  });

  test("in batches, under another name", async () => {
    const view = await run(
      { a: { each: source, as: "batch", batchSize: 2, do: { compute: "sum", with: { rows: "${ batch }" } } } },
      {},
      { count: 5 },
    );
    expect(view.output).toEqual([1, 5, 4]);
  });

  test("failed items are collected, or fail the step", async () => {
    const step: Step = { each: source, do: { compute: "double", with: { n: "${ item.n }" } } };
    const collected = await run({ a: { ...step, onItemError: "collect" } as Step, b: { set: "${ a.errors[0] }" } }, {}, { count: 15 });
    expect(collected.output).toMatchObject({ index: 13, item: { n: 13 }, code: "UNLUCKY", step: "a/13/double" });
    expect(await run({ a: step }, {}, { count: 15 })).toMatchObject({
      status: "failed",
      error: { code: "UNLUCKY" },
      failedStep: "a/13/double",
    });
  });

  test("as a step of its own it gives the list", async () => {
    expect((await run({ a: source, b: { set: "${ a.map(row, row.n) }" } }, {}, { count: 3 })).output).toEqual([0, 1, 2]);
  });

  test("its items are read as their schema gives them", async () => {
    const view = await run({
      a: { each: { effect: "days" }, do: { set: "${ item.day }" } },
      b: { effect: "days" },
      c: { set: "${ [a, b] }" },
    });
    expect(view.output).toEqual([[10], [{ at: "2030-01-01", day: 10 }]]);
  });

  test("it takes no slot from its consumers", async () => {
    const view = await run({ a: { each: source, do: { effect: "once" } } }, { concurrency: 1 }, { count: 3 });
    expect(view.output).toEqual([
      [1, 2],
      [1, 2],
      [1, 2],
    ]);
  });

  test("a node that is no stream is refused before anything runs", async () => {
    const step: Step = { each: { effect: "once" }, do: { set: 1 } };
    await expect(run({ a: step })).rejects.toMatchObject({ code: "CONTRACT_INVALID" });
  });
});
