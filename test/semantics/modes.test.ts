/** The words of the templates, in the native notation: execution modes, branch conditions, failure strategies. */
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { type AnyNode, type Json, type RunView, stream } from "../../src/index.ts";
import { parseWorkflow } from "../../src/plan/workflow.ts";
import { testOrchestrator } from "../../src/testing/index.ts";
import { Gate, Ledger, quiet } from "./kit.ts";

interface Played {
  readonly view: RunView;
  readonly lines: readonly string[];
}

async function play(steps: string, ledger = new Ledger(), input: Json = {}): Promise<Played> {
  const flow = parseWorkflow(`onex: v1\nkind: workflow\nname: flow\nversion: 1.0.0\ntimeout: 1d\n${steps}`, "flow.yaml");
  const t = testOrchestrator({ nodes: [flow, ledger.act, ledger.again, ledger.final, ledger.look] as readonly AnyNode[], log: quiet });
  const run = await t.start(flow, input, { runId: "run" });
  await t.advance("1h");
  const view = await run.status();
  await t.close();
  return { view, lines: ledger.lines };
}
const act = (id: string, more = "") => `${id}: { effect: again, with: ${id}${more} }`;

describe("modes", () => {
  test("sequential: one after the other, in the order of declaration", async () => {
    const { lines } = await play(`concurrency: 1\nsteps:\n  ${act("c")}\n  ${act("a")}\n  ${act("b")}`);
    expect(lines).toEqual(["c", "a", "b"]);
  });

  test("parallel: what waits for nothing first, each wave in the order of declaration", async () => {
    const { lines } = await play(
      `steps:\n  ${act("a")}\n  ${act("b", ", needs: [a]")}\n  ${act("c")}\n  ${act("d", ", needs: [b, c]")}\n  ${act("e", ", needs: [a]")}`,
    );
    expect(lines).toEqual(["a", "c", "b", "e", "d"]);
  });

  test("parallel is at once: no branch waits for another", async () => {
    const ledger = new Ledger();
    const gate = new Gate();
    ledger.manners.a = gate;
    const flow = parseWorkflow(
      `onex: v1\nkind: workflow\nname: flow\nversion: 1.0.0\ntimeout: 1d\nsteps:\n  ${act("a")}\n  ${act("b")}`,
      "flow.yaml",
    );
    const t = testOrchestrator({ nodes: [flow, ledger.again] as readonly AnyNode[], log: quiet });
    const run = await t.start(flow, {}, { runId: "run" });
    await t.advance("0ms");
    expect(ledger.lines).toEqual(["a", "b"]);
    gate.open();
    await t.advance("1s");
    expect((await run.status()).status).toBe("completed");
    await t.close();
  });

  test("conditional: a step runs when its condition holds", async () => {
    const steps = `steps:\n  ${act("a", ", when: input.go")}\n  ${act("b", ', when: "!input.go"')}`;
    expect((await play(steps, new Ledger(), { go: true })).lines).toEqual(["a"]);
    expect((await play(steps, new Ledger(), { go: false })).lines).toEqual(["b"]);
  });

  test("batch: so many items to a body, so many bodies at once", async () => {
    const { view } = await play(
      "steps:\n  load: { each: '[1, 2, 3, 4, 5]', as: part, batchSize: 2, concurrency: 2, do: { set: '${ part }' } }\noutput: ${ load }",
    );
    expect(view.output).toEqual([[1, 2], [3, 4], [5]]);
  });

  test("streaming: a body for each item as it comes, before the stream ends", async () => {
    const gate = new Gate();
    const ledger = new Ledger();
    const rows = stream({ name: "rows", input: z.object({ table: z.string() }), item: z.string() }, async function* ({ table }, { taken }) {
      for (let n = taken; n < 3; n++) {
        if (n === 2) await gate.pass();
        yield `${table}${n}`;
      }
    });
    const flow = parseWorkflow(
      `onex: v1\nkind: workflow\nname: flow\nversion: 1.0.0\ntimeout: 1d\nsteps:\n  load: { each: { effect: rows, with: { table: t } }, do: { effect: look, with: "\${ item }" } }`,
      "flow.yaml",
    );
    const t = testOrchestrator({ nodes: [flow, rows, ledger.look] as readonly AnyNode[], log: quiet });
    const run = await t.start(flow, {}, { runId: "run" });
    await t.advance("1s");
    expect(ledger.lines).toEqual(["t0", "t1"]);
    gate.open();
    await t.advance("1s");
    expect((await run.status()).output).toEqual([{ id: "t0" }, { id: "t1" }, { id: "t2" }]);
    await t.close();
  });
});

describe("branch conditions", () => {
  const outcome = (id: string, condition: string) => `${id}: { effect: again, with: ${id}, when: "${condition}" }`;

  test("if_true, if_false and custom are expressions", async () => {
    const { lines } = await play(
      `steps:\n  check: { set: { good: true, score: 7 } }\n  ${outcome("yes", "check.good")}\n  ${outcome("no", "!check.good")}\n  ${outcome("high", "check.score > 5 && check.good")}`,
    );
    expect(lines).toEqual(["yes", "high"]);
  });

  test.each(["fatal", "ok"] as const)("if_error and if_success: what a step came to (%s)", async (manner) => {
    const ledger = new Ledger();
    ledger.manners.try = manner;
    const { lines, view } = await play(
      `steps:
  try: { steps: { call: { effect: again, with: try } }, output: { ok: true, code: "" }, onError: { set: { ok: false, code: "\${ error.code }" } } }
  ${outcome("saved", "try.ok")}
  ${outcome("mended", "!try.ok")}`,
      ledger,
    );
    expect(lines).toEqual(["try", manner === "ok" ? "saved" : "mended"]);
    expect(view.status).toBe("completed");
  });

  test("if_timeout: an error has a code", async () => {
    const ledger = new Ledger();
    ledger.manners.slow = "obey";
    const { lines } = await play(
      `steps:
  slow: { effect: again, with: slow, timeout: 1s, retry: false, onError: { set: { code: "\${ error.code }" } } }
  late: { effect: again, with: late, when: "has(slow.code) && slow.code == 'STEP_TIMEOUT'" }`,
      ledger,
    );
    expect(lines).toContain("late");
  });
});

describe("failure strategies", () => {
  const three = (more = "") => `steps:\n  ${act("a")}\n  ${act("b", `, needs: [a]${more}`)}\n  ${act("c", ", needs: [b]")}`;
  const failing = (manner: "fatal" | "throw" = "fatal"): Ledger => {
    const ledger = new Ledger();
    ledger.manners.b = manner;
    return ledger;
  };

  test("fail-fast: nothing further runs, and nothing is taken back", async () => {
    const { view, lines } = await play(`onFailure: stop\n${three()}`, failing());
    expect([view.status, lines, view.notUndone]).toEqual(["failed", ["a", "b"], ["a"]]);
  });

  test("compensate: what was done is taken back", async () => {
    const { view, lines } = await play(three(), failing());
    expect([view.status, lines, view.notUndone]).toEqual(["failed", ["a", "b", "undo a"], []]);
  });

  test("continue: the rest goes on", async () => {
    const { view, lines } = await play(three(", onError: continue"), failing());
    expect([view.status, lines]).toEqual(["completed", ["a", "b", "c"]]);
  });

  test("retry: tried again, then as the run says", async () => {
    const ledger = new Ledger();
    ledger.manners.b = ["throw", "throw", "ok"];
    const { view, lines } = await play(three(), ledger);
    expect([view.status, lines]).toEqual(["completed", ["a", "b", "b", "b", "c"]]);
  });

  test("a step's own word beats the run's", async () => {
    const { view, lines } = await play(`onFailure: stop\n${three(", onError: { set: { mended: true } }")}`, failing());
    expect([view.status, lines]).toEqual(["completed", ["a", "b", "c"]]);
  });
});
