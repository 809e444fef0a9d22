/** What the dialects say, and what is said about them, with line and column. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { type RetryPolicy, worstCaseRetryMs } from "../../core/retry.ts";
import { Findings } from "../finding.ts";
import { checkFile, loadWorkflow } from "../load.ts";
import type { Plan } from "../plan.ts";
import { parseWorkflow, readText, restoreWorkflow } from "../workflow.ts";

/** The plan that is made of a contract, and what there is to say: `line:column CODE message`, errors with `!`. */
function read(text: string, file = "test.yaml") {
  const findings = new Findings(file);
  const found = readText(text, findings, () => undefined);
  return {
    plan: found?.plan === undefined ? undefined : (JSON.parse(found.plan) as Plan),
    said: findings.sorted().map((f) => `${f.level === "error" ? "!" : ""}${f.line}:${f.column} ${f.code} ${f.message}`),
  };
}
const graph = (nodes: string, rest = "") => `node_type: orchestrator
execution_graph:
  nodes:
${nodes
  .split("\n")
  .map((line) => `    - ${line}`)
  .join("\n")}
${rest}`;
const given = { config: {}, input: "${ input }" };

describe("the dialects", () => {
  test("workflow_coordination, with its three homes of mode, times and retries", () => {
    const { plan, said } = read(`node_type: ORCHESTRATOR_GENERIC
contract_version: { major: 2, minor: 1, patch: 0 }
workflow_coordination:
  execution_mode: parallel
  workflow_definition:
    workflow_metadata: { workflow_name: Nightly Load, workflow_version: "3.0.0", description: Loads }
    execution_graph:
      nodes:
        - { node_id: read, node_type: EFFECT_GENERIC, target_node_type: NodeFileReaderEffect, metadata: { path: /in, timeout_ms: 5000, retry_count: 1 } }
        - { node_id: sum-up, node_type: Compute, depends_on: [read], timeout_ms: 10 }
    coordination_rules: { max_parallel_steps: 4, failure_recovery_strategy: RETRY, max_retries: 2, retry_backoff_ms: 100, timeout_ms: 60000, step_timeout_ms: 2000 }
`);
    expect(said).toEqual([
      "10:70 ONEX_IGNORED timeout_ms: a compute is pure and runs within the turn: it is neither cut off nor tried again",
    ]);
    const retry = { backoff: "exponential", delay: "100ms", factor: 2, jitter: "none" };
    expect(plan).toEqual({
      onex: "v1",
      kind: "workflow",
      name: "nightly-load",
      version: "3.0.0",
      description: "Loads",
      timeout: "60000ms",
      concurrency: 4,
      defaults: { timeout: "2000ms", retry: { ...retry, maxAttempts: 3, maxDelay: "200ms" } },
      onFailure: "compensate",
      steps: {
        read: {
          effect: "file-reader",
          with: { ...given, config: { path: "/in" } },
          timeout: "5000ms",
          retry: { ...retry, maxAttempts: 2, maxDelay: "100ms" },
        },
        sum_up: { compute: "sum-up", with: { ...given, read: "${ read }" }, description: "sum-up" },
      },
      output: { steps: { read: "${ read }", sum_up: "${ sum_up }" }, skipped: [], errors: [] },
    });
  });

  test("the tutorial: steps with ids", () => {
    const { plan, said } = read(`name: order_flow
contract_version: "1.0.0"
workflow_definition:
  execution_graph:
    steps:
      - { step_id: price, step_type: compute, target_node_type: NodePriceCompute }
      - { step_id: store, step_type: reducer, target_node_type: OrderReducer, depends_on: [price], enabled: false }
      - { step_id: tell, step_type: orchestrator, dependencies: [store, price], priority: 5 }
`);
    expect(said).toEqual([]);
    expect(plan).toMatchObject({ name: "order-flow", onFailure: "stop", timeout: "600000ms" });
    expect(plan?.steps).toEqual({
      price: { compute: "price", with: given },
      tell: { workflow: "tell", with: { ...given, price: "${ price }" }, priority: 5 },
    });
    expect(plan?.output).toEqual({ steps: { price: "${ price }", store: null, tell: "${ tell }" }, skipped: ["store"], errors: [] });
  });

  test("event flows: the kind is in the name, a flow is a dependency", () => {
    const { plan, said } = read(`workflow_id: scan_all
node_type: workflow
initial_command: go
nodes: [node_find_effect, node_check_compute, node_sum_reducer, node_next_orchestrator]
event_flow:
  - { source: initial_command, target: node_find_effect, topic: a }
  - { source: node_find_effect, target: node_check_compute, topic: b }
  - { source: node_find_effect, target: node_sum_reducer, topic: c }
  - { source: node_check_compute, target: node_next_orchestrator, topic: d }
  - { source: node_next_orchestrator, target: terminal, topic: e }
`);
    expect(said).toEqual([expect.stringMatching(/^3:1 ONEX_IGNORED initial_command: events are not sent/)]);
    expect(plan?.name).toBe("scan-all");
    expect(plan?.steps).toEqual({
      node_find_effect: { effect: "find", with: given },
      node_check_compute: { compute: "check", with: { ...given, node_find_effect: "${ node_find_effect }" } },
      node_sum_reducer: { reducer: "sum", with: { ...given, node_find_effect: "${ node_find_effect }" } },
      _all_settled: { set: null, needs: ["node_check_compute", "node_sum_reducer"] },
      node_next_orchestrator: {
        workflow: "next",
        with: { ...given, node_check_compute: "${ node_check_compute }" },
        needs: ["_all_settled"],
      },
    });
  });

  test("an orchestrator without steps is a workflow that completes at once", () => {
    const { plan, said } = read("name: idle\nnode_type: orchestrator\ndescriptor: { timeout_ms: 5 }\nsurprise: 1\n");
    expect(said).toEqual([
      "3:1 ONEX_IGNORED descriptor: what a node is follows from its definition in code",
      "4:1 ONEX_IGNORED surprise: is not read.",
    ]);
    expect(plan?.output).toEqual({ steps: {}, skipped: [], errors: [] });
  });

  test("without edges beside depends_on, the edges are the graph", () => {
    const { plan, said } = read(
      graph("{ node_id: a, node_type: tool }\n{ node_id: b, node_type: transformer }", "  edges: [{ from_node: a, to_node: b }]"),
    );
    expect(said).toEqual([]);
    expect(plan?.steps.b).toEqual({ compute: "b", with: { ...given, a: "${ a }" } });
  });

  test.each([
    ["effect", "this is the contract of a node (EFFECT_GENERIC), not of a workflow", "node_type: EFFECT_GENERIC\n"],
    ["reducer", "this is the contract of a reducer, not of a workflow", "state_transitions: {}\n"],
  ])("the contract of an %s is refused as a workflow", (_, message, text) => {
    expect(read(text)).toEqual({ plan: undefined, said: [expect.stringContaining(`ONEX_UNSUPPORTED ${message}`)] });
  });

  test("YAML without a word of either kind is no contract", () => {
    expect(read("hello: 1\n").said[0]).toMatch(/PLAN_INVALID/);
  });
});

describe("findings", () => {
  const said = (nodes: string, rest = "") => read(graph(nodes, rest)).said;

  test("rule 19: what is malformed hides dependencies, which hide cycles", () => {
    const bad =
      "{ node_id: a, node_type: effect, depends_on: [b], timeout_ms: soon }\n{ node_id: b, node_type: effect, depends_on: [a, nobody] }";
    expect(said(bad)).toEqual(['!4:69 ONEX_INVALID timeout_ms is a whole number from 1 to 86400000, not "soon"']);
    expect(said(bad.replace(", timeout_ms: soon", ""))).toEqual(['!5:56 REFERENCE_UNKNOWN there is no step "nobody".']);
    expect(said(bad.replace(", timeout_ms: soon", "").replace(", nobody", ""))).toEqual([
      "!4:7 STEP_CYCLE these steps wait for each other: a → b → a (each waits for the one before it)",
    ]);
  });

  test.each([
    ["{ node_type: effect }", "!4:7 ONEX_INVALID execution_graph.nodes.0 has no node_id"],
    ["{ node_id: a }", '!4:7 ONEX_INVALID the step "a" has no node_type'],
    ["{ node_id: a, node_type: effekt }", '!4:32 ONEX_INVALID execution_graph.nodes.0.node_type: ONEX has no node type "effekt"'],
    [
      "{ node_id: a, node_type: RUNTIME_HOST_GENERIC }",
      '!4:21 ONEX_UNSUPPORTED node_type: "RUNTIME_HOST_GENERIC" is none of compute, effect, reducer and orchestrator',
    ],
    ["{ node_id: a, node_type: effect, step_type: compute }", "!4:51 ONEX_CONFLICT"],
    ["{ node_id: a, node_type: effect }\n{ node_id: a, node_type: effect }", '!5:7 ONEX_INVALID the id "a" stands here a second time'],
    [
      "{ node_id: a-b, node_type: effect }\n{ node_id: a b, node_type: effect }",
      '!5:7 ONEX_INVALID the ids "a-b" and "a b" are one name, a_b',
    ],
    ["{ node_id: a, node_type: effect, depends_on: [a] }", '!4:53 STEP_CYCLE the step "a" depends on itself'],
    ["{ node_id: a, node_type: effect, error_action: explode }", "!4:54 ONEX_INVALID error_action is stop, continue, retry"],
    ["{ node_id: a, node_type: effect, priority: 0 }", "!4:50 ONEX_INVALID priority is a whole number from 1 to 1000, not 0"],
    ["{ node_id: a, node_type: effect, max_memory_mb: 5 }", "4:40 ONEX_IGNORED max_memory_mb: a step is not limited in memory"],
    ["{ node_id: a, node_type: effect, dependson: [b] }", '4:40 ONEX_IGNORED dependson: is not read. Did you mean "depends_on"?'],
    ["{ node_id: a, node_type: effect, metadata: { home: '${env.HOME}' } }", "!4:58 ONEX_ENVIRONMENT home: ${env.HOME} has no default"],
    [
      "{ node_id: a, node_type: effect, metadata: { home: '${env.HOME:/x}' } }",
      '4:58 ONEX_ENVIRONMENT home: ${env.HOME:/x} is always "/x"',
    ],
    [
      "{ node_id: a, node_type: effect, step_config: { skip_condition: x } }",
      "!4:55 ONEX_UNSUPPORTED skip_condition: is text without a grammar",
    ],
    [
      "{ node_id: a, node_type: effect, branch_condition: if_true }",
      "!4:58 ONEX_INVALID execution_graph.nodes.0.branch_condition is judged on one step, and this one depends on 0",
    ],
    ["{ node_id: a, node_type: effect, branch_condition: { type: maybe } }", "!4:58 ONEX_INVALID"],
    ["{ node_id: a, node_type: effect, branch_condition: { type: if_true, step: z } }", '!4:81 REFERENCE_UNKNOWN there is no step "z".'],
    ["{ node_id: a, node_type: effect, branch_condition: 'input.n >' }", "!4:58 EXPRESSION_INVALID"],
    [
      "{ node_id: a, node_type: effect, stream: true }",
      '!4:7 ONEX_UNSUPPORTED the stream "a": the mode is sequential: write `execution_mode: streaming`',
    ],
    [
      "{ node_id: a, node_type: effect, node_name: N }\n{ node_id: b, node_type: effect, node_name: N }",
      '5:51 ONEX_NAME_REPEATED the name "N" stands in line 4 too',
    ],
    [
      "{ node_id: a, node_type: effect, timeout_ms: 2000, retry_count: 2 }",
      '4:7 ONEX_TIMING the step "a" waits up to 3000 ms between its 3 attempts, longer than its timeout of 2000 ms',
    ],
  ])("%s", (nodes, finding) => {
    expect(said(nodes)).toEqual([expect.stringContaining(finding)]);
  });

  test("edges and depends_on that disagree", () => {
    const nodes =
      "{ node_id: a, node_type: effect }\n{ node_id: b, node_type: effect, depends_on: [a] }\n{ node_id: c, node_type: effect, depends_on: [a] }";
    expect(said(nodes, "  edges: [{ from_node: a, to_node: b }, { from_node: b, to_node: c }, { from_node: a, to_node: x }]")).toEqual([
      '!6:53 ONEX_CONFLICT "c" depends on "a", and no edge goes from there to it',
      '!7:41 ONEX_CONFLICT this edge goes from "b" to "c", whose depends_on does not name it',
      '!7:96 REFERENCE_UNKNOWN there is no step "x".',
    ]);
  });

  test("rules that contradict each other or change nothing", () => {
    const rest = (rules: string) => `coordination_rules: { ${rules} }`;
    const one = "{ node_id: a, node_type: effect }";
    expect(said(one, rest("execution_mode: parallel, parallel_execution_allowed: false"))).toEqual([
      "5:77 ONEX_CONFLICT coordination_rules.parallel_execution_allowed is false and the mode is parallel: the steps run one after the other",
    ]);
    expect(said(one, `execution_mode: batch\n${rest("execution_mode: parallel")}`)).toEqual([
      "6:39 ONEX_CONFLICT coordination_rules.execution_mode is parallel, and execution_mode says batch, which counts",
    ]);
    expect(said(one, rest("allow_partial_completion: true, rollback_enabled: true, detect_cycles: false"))).toEqual([
      expect.stringMatching(/^5:23 ONEX_IGNORED allow_partial_completion: only steps that continue/),
      "5:55 ONEX_IGNORED rollback_enabled: say failure_recovery_strategy: compensate",
      "5:79 ONEX_IGNORED detect_cycles: cycles are always refused, and dependencies always kept",
    ]);
    expect(said(one, rest("failure_recovery_strategy: retyr"))).toEqual([expect.stringContaining('not "retyr". Did you mean "retry"?')]);
    expect(said(one, "conditional_branching: { decision_points: [x] }")[0]).toMatch(
      /^!5:26 ONEX_UNSUPPORTED decision_points: decisions stand at the steps/,
    );
  });
});

describe("files", () => {
  const folder = mkdtempSync(join(tmpdir(), "onex-contracts-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, "in/parts"), { recursive: true });
  const write = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  write("secret.yaml", "[1]");
  write("in/parts/nodes.yaml", "- { node_id: a, node_type: effect, metadata: !include more.yaml }\n- { node_id: b, node_type: effekt }\n");
  write("in/parts/more.yaml", "path: /in\n");

  test("!include stands for the file's data, and what is wrong there stands at the tag", async () => {
    const file = write("in/flow.yaml", "node_type: orchestrator\nexecution_graph:\n  nodes: !include parts/nodes.yaml\n");
    const findings = await checkFile(file);
    expect(findings).toMatchObject([{ level: "error", code: "ONEX_INVALID", line: 3, column: 19 }]);
    write("in/parts/nodes.yaml", "- { node_id: a, node_type: effect, metadata: !include more.yaml }\n");
    const flow = await loadWorkflow(file);
    expect((JSON.parse(flow.contract.plan?.text ?? "") as Plan).steps).toEqual({
      a: { effect: "a", with: { ...given, config: { path: "/in" } } },
    });
    expect(flow.contract.name).toBe("flow");
  });

  test.each([
    ["../secret.yaml", /there is no such file in the contract's folder or below it/],
    ["/etc/passwd", /the path is relative/],
    ["link.yaml", /there is no such file in the contract's folder/],
    ["nobody.yaml", /there is no such file/],
    ["loop.yaml", /files include each other more than 8 deep/],
  ])("!include %s is refused", async (path, why) => {
    if (path === "link.yaml") symlinkSync(join(folder, "secret.yaml"), join(folder, "in/link.yaml"));
    write("in/loop.yaml", "x: !include loop.yaml\n");
    await expect(
      loadWorkflow(write("in/bad.yaml", `node_type: orchestrator\nexecution_graph: { nodes: !include ${path} }\n`)),
    ).rejects.toThrow(why);
  });

  test("a contract of onex has no !include", () => {
    expect(() => parseWorkflow("onex: v1\nkind: workflow\nname: t\nversion: 1.0.0\nsteps: !include x.yaml\n", "t.yaml")).toThrow(
      /!include is read as a YAML tag/,
    );
  });

  test("the stored definition gives the same plan, and the plan is what a run is pinned to", () => {
    const first = parseWorkflow(
      graph("{ node_id: a, node_type: effect }\n{ node_id: b, node_type: effect, depends_on: [a], on_error: continue }"),
      "flow.yaml",
    );
    const { plan } = first.contract;
    const again = restoreWorkflow(plan?.definition ?? "").contract;
    expect(again.plan).toMatchObject({ text: plan?.text, hash: plan?.hash, definition: plan?.definition });
    expect(parseWorkflow(`# a comment\n${graph("{ node_id: a, node_type: effect }")}`, "flow.yaml").contract.plan?.hash).toBe(
      parseWorkflow(graph("{ node_id: a, node_type: effect }"), "flow.yaml").contract.plan?.hash,
    );
  });
});

const shared = fileURLToPath(new URL("../../../../shared/contracts/", import.meta.url));
if (!existsSync(shared)) console.warn(`${shared} is not there: the tests of its files are skipped`);

describe.skipIf(!existsSync(shared))("the shared contracts", () => {
  test.each([
    ["compliance_orchestrator.yaml", 0, ["20:1", "23:1", "34:1"]],
    ["compliance_workflow.yaml", 4, ["18:1", "19:1"]],
    ["node_cross_repo_validation_orchestrator.yaml", 0, ["36:1", "81:1", "89:1"]],
    ["orchestrator_data_pipeline.yaml", 7, ["198:7", "199:7", "202:7", "208:7", "209:7", "210:7", "213:3"]],
    [
      "runtime_orchestrator.yaml",
      4,
      ["93:28", "157:29", "202:7", "207:7", "208:7", "209:7", "212:3", "227:3", "236:3", "365:1", "471:1", "543:1", "677:1"],
    ],
  ])("%s loads, and every part that is not run is named", async (name, steps, places) => {
    const findings = await checkFile(shared + name);
    expect(findings.map(({ level, line, column }) => `${level} ${line}:${column}`)).toEqual(places.map((place) => `warning ${place}`));
    const plan = JSON.parse((await loadWorkflow(shared + name)).contract.plan?.text ?? "") as Plan;
    expect(Object.keys((plan.output as { steps: object }).steps).length).toBe(steps);
  });

  test("the sums of retries are those that the runtime contract states", () => {
    const { timing_constraints } = parse(readFileSync(`${shared}runtime_orchestrator.yaml`, "utf8")) as {
      timing_constraints: {
        validations: {
          operation: string;
          worst_case_retry_ms: number;
          retry_config: { max_retries: number; base_delay_ms: number; max_delay_ms?: number; jitter_factor: number };
        }[];
      };
    };
    expect(timing_constraints.validations.length).toBe(4);
    for (const { operation, worst_case_retry_ms, retry_config } of timing_constraints.validations) {
      const policy: RetryPolicy = {
        maxAttempts: retry_config.max_retries + 1,
        delay: `${retry_config.base_delay_ms}ms`,
        ...(retry_config.max_delay_ms === undefined ? {} : { maxDelay: `${retry_config.max_delay_ms}ms` }),
      };
      expect(worstCaseRetryMs(policy, retry_config.jitter_factor), operation).toBe(worst_case_retry_ms);
    }
  });

  test.each(["orchestrator_data_pipeline", "runtime_orchestrator", "reducer_metrics_aggregator"])(
    "%s has the fingerprint that it states, and no other",
    async (name) => {
      const text = readFileSync(`${shared}${name}.yaml`, "utf8");
      const findings = (content: string) => read(content).said.filter((line) => line.includes("ONEX_FINGERPRINT"));
      expect(findings(text)).toEqual([]);
      expect(findings(text.replace("ONEX Framework", "Somebody"))).toEqual([
        expect.stringMatching(/^\d+:14 ONEX_FINGERPRINT the content has the fingerprint 1\.1\.0:[0-9a-f]{12}/),
      ]);
      expect(findings(text.replace(/fingerprint: "1.1.0/, 'fingerprint: "1.0.0'))).toEqual([
        expect.stringContaining("is of version 1.0.0, and the contract is 1.1.0"),
      ]);
    },
  );

  test("a sum that is not what its figures give is named", async () => {
    const text = readFileSync(`${shared}runtime_orchestrator.yaml`, "utf8").replace(
      "worst_case_retry_ms: 14375",
      "worst_case_retry_ms: 14374",
    );
    expect(read(text).said).toContain(
      "282:28 ONEX_TIMING contract_loader.scan_contracts_directory says that its retries wait 14374 ms at worst; they wait 14375 ms",
    );
  });
});
