/** The 23 rules of execution that ONEX lays down: one test for each that holds. Where one holds in another form, the name of its test says so. */
import { describe, expect, test } from "vitest";
import { z } from "zod";
import type { Json } from "../../core/json.ts";
import type { Run } from "../../engine/api.ts";
import { effect } from "../../node/effect.ts";
import { testOrchestrator } from "../../testing/index.ts";
import { Findings } from "../finding.ts";
import type { Plan } from "../plan.ts";
import { parseWorkflow, readText } from "../workflow.ts";

const contract = (nodes: readonly string[], rules = "", mode = "parallel") => `node_type: orchestrator
workflow_definition:
  workflow_metadata: { workflow_name: rules, execution_mode: ${mode} }
  coordination_rules: { ${rules} }
  execution_graph:
    nodes: [${nodes.join(", ")}]
`;
/** A step that calls an effect of its own name. */
const step = (id: string, dependsOn: readonly string[] = [], more = "") =>
  `{ node_id: ${id}, node_type: effect, depends_on: [${dependsOn.join(", ")}]${more === "" ? "" : `, ${more}`} }`;

interface Played {
  readonly log: readonly string[];
  readonly output:
    | {
        readonly steps: Json;
        readonly skipped: readonly string[];
        readonly errors: readonly { readonly step: string; readonly code: string }[];
      }
    | undefined;
  readonly code: string | undefined;
  readonly facts: string;
  readonly given: ReadonlyMap<string, Json>;
  readonly runIds: readonly string[];
}
/** Runs it; an effect whose name begins with `bad` fails, one that begins with `slow` never ends. */
async function play(text: string, input: Json = {}, times = 1): Promise<Played> {
  const log: string[] = [];
  const given = new Map<string, Json>();
  const ids = [...text.matchAll(/node_id: (\w+)/g)].map(([, id = ""]) => id);
  const nodes = [...new Set(ids)].map((name) =>
    effect({ name, input: z.any(), readonly: true, retry: false }, async (what: Json, { signal }) => {
      log.push(name);
      given.set(name, what);
      if (name.startsWith("bad")) throw new Error("bad");
      if (name.startsWith("slow")) await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      // What a node does to its input is its own affair.
      if (typeof what === "object" && what !== null) Object.assign(what, { config: "changed" });
      return { name };
    }),
  );
  const flow = parseWorkflow(text, "rules.yaml");
  const t = testOrchestrator({ nodes: [flow, ...nodes] });
  const runs: Run[] = [];
  for (let i = 0; i < times; i++) runs.push(await t.start(flow, input));
  await t.advance("1h");
  const run = runs[0] as Run;
  const ended = await run.result().then(
    (output) => ({ output: output as Played["output"], code: undefined }),
    (error: { code: string }) => ({ output: undefined, code: error.code }),
  );
  const facts = JSON.stringify(await run.facts());
  await t.close();
  return { ...ended, log, facts, given, runIds: runs.map(({ runId }) => runId) };
}
function read(text: string) {
  const findings = new Findings("rules.yaml");
  const plan = readText(text, findings, () => undefined)?.plan;
  return {
    plan: plan === undefined ? undefined : (JSON.parse(plan) as Plan),
    codes: findings.sorted().map(({ code }) => code),
    text: plan,
  };
}

describe("the rules", () => {
  test("1 actions are recorded in declaration order; a priority decides only whose call leaves first of those that may leave at once", async () => {
    const steps = [step("c", [], "priority: 900"), step("a"), step("b", [], "priority: 1")];
    expect((await play(contract(steps, "", "sequential"))).log).toEqual(["c", "a", "b"]);
    const { facts, log } = await play(contract(steps));
    expect([...facts.matchAll(/"action.dispatched","step":"(\w)"/g)].map(([, name]) => name)).toEqual(["c", "a", "b"]);
    expect(log).toEqual(["b", "a", "c"]);
  });
  test("2 all actions of a wave come before those of the next, in the order of declaration; none for steps that are skipped", async () => {
    const steps = [step("a"), step("b", ["a"]), step("c"), step("d", [], "enabled: false"), step("e", ["c"], "branch_condition: if_error")];
    const { facts } = await play(contract(steps));
    const dispatched = (JSON.parse(facts) as { type: string; step?: string }[]).filter(({ type }) => type === "action.dispatched");
    expect(dispatched.map((fact) => fact.step)).toEqual(["a", "c", "b"]);
  });
  test("3 depends_on is a set: neither its order nor a repetition counts", () => {
    const of = (dependencies: string[]) =>
      read(contract([step("a"), step("b"), step("c", dependencies)])).plan?.steps.c as { with: object };
    expect(of(["b", "a", "b"]).with).toEqual(of(["a", "b"]).with);
  });
  test("4 a step that is not enabled is skipped and holds nobody up, but may not close a cycle", async () => {
    const { output, log } = await play(contract([step("a", ["b"]), step("b", ["c"], "enabled: false"), step("c")]));
    expect(log).toEqual(["a", "c"]);
    expect(output).toMatchObject({ steps: { b: null }, skipped: ["b"], errors: [] });
    expect(read(contract([step("a", ["b"]), step("b", ["a"], "enabled: false")])).codes).toEqual(["STEP_CYCLE"]);
  });
  test("5 skip_on_failure skips after an earlier failure; a dependency that failed makes it fail", async () => {
    const steps = [step("bad"), step("a"), step("b", ["a"], "skip_on_failure: true"), step("c", ["bad"], "skip_on_failure: true")];
    const { output } = await play(contract(steps, "failure_strategy: continue_on_error"));
    expect(output?.skipped).toEqual(["b"]);
    expect(output?.errors.map(({ step: name, code }) => `${name} ${code}`)).toEqual(["bad EFFECT_THREW", "c DEPENDENCY_FAILED"]);
  });
  test("6 an empty workflow completes at once", async () => {
    const { output, facts } = await play(contract([]));
    expect(output).toEqual({ steps: {}, skipped: [], errors: [] });
    expect((JSON.parse(facts) as { type: string }[]).map(({ type }) => type)).toEqual(["run.started", "lease.acquired", "run.completed"]);
  });
  test("7 a step without dependencies runs in the first wave", async () => {
    expect((await play(contract([step("a"), step("b", ["a"]), step("alone")]))).log).toEqual(["a", "alone", "b"]);
  });
  test("8 a step's error_action beats the strategy of the workflow", async () => {
    expect(
      (await play(contract([step("bad", [], "error_action: continue"), step("b")], "failure_strategy: fail_fast", "sequential"))).log,
    ).toEqual(["bad", "b"]);
    expect(
      (await play(contract([step("bad", [], "error_action: stop"), step("b")], "failure_strategy: continue", "sequential"))).code,
    ).toBe("EFFECT_THREW");
  });
  test("9 stop: what is left of the wave does not begin, and the run has failed", async () => {
    const { log, code } = await play(contract([step("bad"), step("b"), step("c")], "max_parallel_steps: 1"));
    expect([log, code]).toEqual([["bad"], "EFFECT_THREW"]);
  });
  test("10 the timeout of the whole ends the run, and shortens no step's: nothing is called failed of which it is not known", async () => {
    const { code, facts } = await play(contract([step("slow", [], "timeout_ms: 50000"), step("b", ["slow"])], "timeout_ms: 2000"));
    expect(code).toBe("RUN_TIMEOUT");
    const sent = (JSON.parse(facts) as { type: string; at: number; notAfter?: number }[]).find(({ type }) => type === "action.dispatched");
    expect((sent?.notAfter ?? 0) - (sent?.at ?? 0)).toBe(50_000);
    expect(facts).not.toContain('"step":"b"');
    // What was under way was cancelled, and nobody claims that it did not happen.
    const failed = (JSON.parse(facts) as { type: string }[]).filter(({ type }) => type === "action.failed");
    expect(failed).toMatchObject([{ step: "slow", outcome: "unknown" }]);
  });
  test("11 the mode that is asked for counts before the contract's, when it is loaded: a run is pinned to its plan", () => {
    const steps = (executionMode: "sequential" | "parallel") =>
      Object.keys(
        (
          JSON.parse(
            parseWorkflow(contract([step("a"), step("b"), step("c", ["a"])]), "rules.yaml", undefined, { executionMode }).contract.plan
              ?.text ?? "",
          ) as Plan
        ).steps,
      );
    expect(steps("parallel")).toEqual(["a", "b", "_all_settled", "c"]);
    expect(steps("sequential")).toEqual(["a", "b", "c"]);
  });
  test("12 outputs and what nodes are given are JSON", async () => {
    const { given, output } = await play(contract([step("a"), step("b", ["a"])]), { n: 1 });
    expect(JSON.parse(JSON.stringify(output))).toEqual(output);
    expect(given.get("b")).toMatchObject({ input: { n: 1 }, a: { name: "a" } });
  });
  test("13 names may repeat, with a warning; ids may not", () => {
    expect(read(contract([step("a", [], "node_name: N"), step("b", [], "node_name: N")])).codes).toEqual(["ONEX_NAME_REPEATED"]);
    expect(read(contract([step("a"), step("a")])).codes).toEqual(["ONEX_INVALID"]);
  });
  test("14 skipped steps are listed in the order of declaration", async () => {
    const off = "enabled: false";
    const steps = [
      step("z", [], off),
      step("y", ["a"], "branch_condition: if_error"),
      step("a"),
      step("b", [], off),
      step("x", ["a"], "condition: if_timeout"),
    ];
    expect((await play(contract(steps))).output?.skipped).toEqual(["z", "y", "b", "x"]);
  });
  test("15 no wave is seen in facts, steps or output", async () => {
    const { facts, output } = await play(contract([step("a"), step("b"), step("c", ["a", "b"])]));
    const ids = (JSON.parse(facts) as { step?: string }[]).flatMap(({ step: name }) => name ?? []);
    expect(new Set(ids)).toEqual(new Set(["a", "b", "c"]));
    expect(Object.keys(output?.steps as object)).toEqual(["a", "b", "c"]);
  });
  test("16 neither the definition nor what a node is given changes under another", async () => {
    const text = contract([step("a", [], "metadata: { n: 1 }"), step("b", ["a"])]);
    const { given, output } = await play(text, { order: 1 }, 2);
    expect(given.get("b")).toMatchObject({ input: { order: 1 }, a: { name: "a" } });
    expect(output).toMatchObject({ errors: [] });
    expect(read(text).text).toBe(parseWorkflow(text, "rules.yaml").contract.plan?.text);
  });
  test("17 ids come from the contract: the same text gives the same plan", () => {
    const text = contract([step("a"), step("b", ["a"])]);
    expect(read(text).text).toBe(read(text).text);
    expect(Object.keys(read(text).plan?.steps ?? {})).toEqual(["a", "b"]);
  });
  test("18 each start is a run of its own", async () => {
    expect(new Set((await play(contract([step("a")]), {}, 3)).runIds).size).toBe(3);
  });
  test("19 structure before dependencies before cycles", () => {
    const bad = contract([step("a", ["b"], "priority: none"), step("b", ["a", "x"])]);
    expect(read(bad).codes).toEqual(["ONEX_INVALID"]);
    expect(read(bad.replace("priority: none", "priority: 1")).codes).toEqual(["REFERENCE_UNKNOWN"]);
    expect(read(bad.replace("priority: none", "priority: 1").replace(", x]", "]")).codes).toEqual(["STEP_CYCLE"]);
  });
  test("20 the orchestrator does no I/O: a plan holds calls, and only effects reach out", () => {
    const { plan } = read(
      contract([step("a"), "{ node_id: b, node_type: compute, depends_on: [a] }", "{ node_id: c, node_type: reducer }"]),
    );
    for (const made of Object.values(plan?.steps ?? {}))
      expect(["effect", "compute", "reducer", "set"].filter((verb) => Object.hasOwn(made, verb)).length).toBe(1);
  });
  test("21 reserved fields are ignored, and named", async () => {
    const text = contract([step("a", [], "compensation_action: x, checkpoint_required: true, idempotency_key: k")]);
    expect(read(text).codes).toEqual(["ONEX_IGNORED", "ONEX_IGNORED", "ONEX_IGNORED"]);
    expect((await play(text)).log).toEqual(["a"]);
  });
  test("22 an unknown type of a step is refused, never taken for another", () => {
    expect(read(contract(["{ node_id: a, node_type: effectt }"])).codes).toEqual(["ONEX_INVALID"]);
    expect(read(contract(["{ node_id: a, node_type: PLUGIN }"])).codes).toEqual(["ONEX_UNSUPPORTED"]);
  });
  test("23 what the engine says of a run stands apart from what the contract says", async () => {
    const { given } = await play(contract([step("a", [], "metadata: { runId: mine, workflow_id: mine }")]), { run: "mine" });
    expect(given.get("a")).toMatchObject({ input: { run: "mine" } });
    expect(read(contract([step("run"), step("input", ["run"])])).plan?.steps).toMatchObject({
      step_run: {},
      step_input: { with: { input: "${ input }" } },
    });
  });
});
