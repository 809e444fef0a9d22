/** What the checker says of a flow is what happens when it runs: each finding beside the run that it foretells. */
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { type AnyNode, compute, type Duration, type Json, type RunView } from "../../src/index.ts";
import { Registry } from "../../src/node/registry.ts";
import { checkFlow } from "../../src/plan/check.ts";
import { Findings } from "../../src/plan/finding.ts";
import { callTiming } from "../../src/plan/timing.ts";
import { parseWorkflow, readText } from "../../src/plan/workflow.ts";
import { testOrchestrator } from "../../src/testing/index.ts";
import { Ledger, quiet } from "./kit.ts";

interface Told {
  /** What is said of it, without what every such step is told. */
  readonly codes: readonly string[];
  readonly view: RunView;
  /** What was called outside, in order. */
  readonly lines: readonly string[];
}

const head = "onex: v1\nkind: workflow\nname: flow\nversion: 1.0.0\n";
const threw = { times: 0 };
const broken = compute({ name: "broken", input: z.any(), output: z.null() }, () => {
  threw.times++;
  throw new Error("it broke");
});

async function tell(body: string, input: Json = {}, ledger = new Ledger(), after: Duration = "3d"): Promise<Told> {
  const text = `${head}${/^timeout:/m.test(body) ? "" : "timeout: 1d\n"}${body}`;
  const inner = [ledger.act, ledger.again, ledger.final, ledger.look, ledger.back, broken] as readonly AnyNode[];
  const findings = new Findings("flow.yaml");
  const read = readText(text, findings, () => undefined);
  if (read) checkFlow(read, new Registry(inner), findings);
  const flow = parseWorkflow(text, "flow.yaml");
  const t = testOrchestrator({ nodes: [flow, ...inner], log: quiet });
  const run = await t.start(flow, input, { runId: "run" });
  await t.advance(after);
  const view = await run.status();
  await t.close();
  return { codes: [...new Set(findings.all.map(({ code }) => code))], view, lines: ledger.lines };
}

describe("what never runs", () => {
  test("a step after one that always fails", async () => {
    const { codes, view, lines } = await tell(
      "steps:\n  refuse: { fail: { code: NOT_APPROVED } }\n  charge: { effect: final, with: charge, needs: [refuse] }",
    );
    expect(codes).toEqual(["STEP_UNREACHABLE"]);
    expect(view).toMatchObject({ status: "failed", error: { code: "NOT_APPROVED" } });
    expect(lines).toEqual([]);
  });

  test("a join of too few that can succeed", async () => {
    const { codes, view } = await tell(
      "steps:\n  sms: { effect: final, with: sms }\n  fax: { fail: { code: NO_FAX } }\n  told: { needs: { any: [sms, fax], count: 2 }, set: true }",
    );
    expect(codes).toEqual(["JOIN_NEVER"]);
    expect(view).toMatchObject({ status: "failed", error: { code: "NEEDS_UNMET" } });
  });

  test("a run with a step that always fails", async () => {
    const { codes, view } = await tell(
      "steps:\n  charge: { effect: final, with: charge }\n  refuse: { needs: [charge], fail: { code: NO } }",
    );
    expect(codes).toEqual(["RUN_ALWAYS_FAILS"]);
    expect(view).toMatchObject({ status: "failed", error: { code: "NO" } });
  });

  test("a case behind a wider one, whatever the input", async () => {
    const rate =
      "steps:\n  rate:\n    switch:\n      - { when: input.weight > 10, set: van }\n      - { when: input.weight > 30, set: truck }\n      - { set: bike }";
    for (const weight of [0, 10, 11, 30, 31, 1e9]) {
      const { codes, view } = await tell(rate, { weight });
      expect(codes).toEqual(["STEP_UNREACHABLE"]);
      expect(view.output).toBe(weight > 10 ? "van" : "bike");
    }
  });

  test("a turn that could end what no turn changes", async () => {
    const { codes, view, lines } = await tell(
      "steps:\n  poll: { repeat: { effect: look, with: x }, until: input.ready == true, max: 3, every: 1m }",
      { ready: false },
    );
    expect(codes).toEqual(["CONDITION_CONSTANT"]);
    expect(view).toMatchObject({ status: "failed", error: { code: "REPEAT_LIMIT" } });
    expect(lines).toEqual(["x", "x", "x"]);
  });
});

describe("what is decided before it begins", () => {
  test("a branch that is skipped wins", async () => {
    const { codes, view } = await tell(
      "steps:\n  answer: { race: { asked: { when: input.ask, effect: look, with: x }, late: { sleep: 1m } } }",
      { ask: false },
    );
    expect(codes).toEqual(["RACE_DECIDED"]);
    expect(view.output).toEqual({ winner: "asked", value: null });
  });

  test("a branch that ends at once wins, though another was declared first", async () => {
    const { codes, view } = await tell("steps:\n  answer: { race: { asked: { effect: look, with: x }, later: { set: later } } }");
    expect(codes).toEqual(["RACE_DECIDED"]);
    expect(view.output).toEqual({ winner: "later", value: "later" });
  });

  test("calls of a race that are made one at a time", async () => {
    const { codes, lines } = await tell(
      "concurrency: 1\nsteps:\n  answer: { race: { first: { effect: look, with: one }, second: { effect: look, with: two } } }",
    );
    expect(codes).toEqual(["RACE_DECIDED"]);
    expect(lines).toEqual(["one"]);
  });
});

describe("what comes too late", () => {
  test.each([
    ["a sleep", "TIMEOUT_CERTAIN", "steps:\n  pause: { sleep: 2d }"],
    ["sleeps one after the other", "TIMEOUT_CERTAIN", "steps:\n  one: { sleep: 20h }\n  two: { sleep: 20h, needs: [one] }"],
    ["the last turn of a repeat", "REPEAT_BEYOND", "steps:\n  poll: { repeat: { set: false }, until: last, every: 1h, max: 72 }"],
  ])("%s", async (_, code, body) => {
    const { codes, view } = await tell(body);
    expect(codes).toEqual([code]);
    expect(view).toMatchObject({ status: "failed", error: { code: "RUN_TIMEOUT" } });
  });

  test.each([
    ["a run", "RUN_TIMEOUT", "timeout: 0s\nsteps:\n  call: { effect: look, with: x }"],
    ["a call", "STEP_TIMEOUT", "steps:\n  call: { effect: look, with: x, timeout: 0s, retry: false }"],
  ])("%s without any time", async (_, code, body) => {
    const ledger = new Ledger();
    ledger.manners.x = "obey";
    const { codes, view } = await tell(body, {}, ledger);
    expect(codes).toEqual(["TIMEOUT_CERTAIN"]);
    expect(view).toMatchObject({ status: "failed", error: { code } });
  });

  test("attempts that use all their time", async () => {
    const ledger = new Ledger();
    ledger.manners.x = "obey";
    const body = "timeout: 1m\nsteps:\n  call: { effect: look, with: x, timeout: 20s, retry: { maxAttempts: 3, delay: 5s, jitter: none } }";
    const { codes, view, lines } = await tell(body, {}, ledger);
    expect(codes).toEqual(["RETRY_BEYOND"]);
    expect(view).toMatchObject({ status: "failed", error: { code: "RUN_TIMEOUT" } });
    expect(lines.length).toBe(3);
  });

  test("a retry after an attempt that used up the budget", async () => {
    const ledger = new Ledger();
    ledger.manners.x = "obey";
    const body = "steps:\n  call: { effect: look, with: x, timeout: 20s, retry: { maxAttempts: 3, delay: 1s, jitter: none, within: 20s } }";
    const { codes, view, lines } = await tell(body, {}, ledger);
    expect(codes).toEqual(["RETRY_BUDGET"]);
    expect(view).toMatchObject({ status: "failed", error: { code: "STEP_TIMEOUT" } });
    expect(lines.length).toBe(1);
  });

  test("a delay that is cut at maxDelay", async () => {
    const ledger = new Ledger();
    ledger.manners.x = "throw";
    const body = "steps:\n  call: { effect: look, with: x, retry: { maxAttempts: 2, backoff: fixed, delay: 5m, jitter: none } }";
    const { codes, lines } = await tell(body, {}, ledger, "61s");
    expect(codes).toEqual(["RETRY_CAPPED"]);
    expect(lines.length).toBe(2);
  });

  test.each([
    ["{ maxAttempts: 3, backoff: fixed, delay: 5s, jitter: none }"],
    ["{ maxAttempts: 5, backoff: linear, delay: 7s, maxDelay: 20s, jitter: none }"],
    ["{ maxAttempts: 4, delay: 2s, factor: 3, jitter: none }"],
    ["{ maxAttempts: 8, delay: 1s, jitter: none, within: 1m }"],
  ])("the worst time of a call under %s is never exceeded, and without a budget it is reached", async (retry) => {
    const text = `${head}timeout: 1d\nsteps:\n  call: { effect: look, with: x, timeout: 10s, retry: ${retry} }`;
    const ledger = new Ledger();
    ledger.manners.x = "obey";
    const flow = parseWorkflow(text, "flow.yaml");
    const step = readText(text, new Findings("flow.yaml"), () => undefined)?.flow.body.steps[0]?.body;
    const timing = step && callTiming(step, {}, undefined);
    if (!timing) throw new Error("the step says both its timeout and its retries");
    const t = testOrchestrator({ nodes: [flow, ledger.look] as readonly AnyNode[], log: quiet });
    const run = await t.start(flow, {}, { runId: "run" });
    await t.advance(`${timing.worstMs - 1}ms`);
    if (timing.retry.withinMs === Number.POSITIVE_INFINITY) expect((await run.status()).status).not.toBe("failed");
    await t.advance("1ms");
    expect((await run.status()).status).toBe("failed");
    await t.close();
  });
});

describe("what changes nothing", () => {
  test("an undo of what is irreversible", async () => {
    const { codes, view, lines } = await tell(
      "steps:\n  letter: { effect: final, with: letter, undo: { effect: look, with: never mind } }\n  stop: { needs: [letter], when: input.stop, fail: { code: NO } }",
      { stop: true },
    );
    expect(codes).toEqual(["MODIFIER_NEEDLESS"]);
    expect(view.status).toBe("failed");
    expect(lines).toEqual(["letter"]);
  });

  test("an undo in a run that leaves everything as it is", async () => {
    const { codes, lines } = await tell(
      "onFailure: stop\nsteps:\n  order: { effect: act, with: order, undo: { effect: look, with: never mind } }\n  stop: { needs: [order], when: input.stop, fail: { code: NO } }",
      { stop: true },
    );
    expect(codes).toEqual(["UNDO_STOPPED"]);
    expect(lines).toEqual(["order"]);
  });

  test("a retry of a compute", async () => {
    threw.times = 0;
    const { codes, view } = await tell("steps:\n  sum: { compute: broken, with: 1, retry: { maxAttempts: 3, jitter: none } }");
    expect(codes).toEqual(["MODIFIER_NEEDLESS"]);
    expect(view.status).toBe("failed");
    expect(threw.times).toBe(1);
  });
});
