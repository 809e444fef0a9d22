/**
 * An ONEX contract → a native plan, or what else it is. Nothing is left out in silence: what onex cannot honour is named
 * with its place, as ONEX_IGNORED where the run is the same without it, as ONEX_UNSUPPORTED where it is not.
 *
 * Errors come in the order of rule 19: what is malformed, then dependencies, then cycles; one kind hides the next.
 */
import type { Json } from "../../core/json.ts";
import { Cursor } from "../cursor.ts";
import { type Fenced, fence, type Places } from "../fence.ts";
import type { Findings } from "../finding.ts";
import type { ReadRef } from "../schema-files.ts";
import { readEventFlow } from "./event-flow.ts";
import { includes } from "./include.ts";
import { actionOf, type Lowered, lower } from "./lower.ts";
import type { Mode, OnexStep, OnexWorkflow, OnFailure, Rules } from "./model.ts";
import { kebab, kindOfType } from "./names.ts";
import { readRules } from "./rules.ts";
import { mapOf, textOf, versionOf } from "./say.ts";
import { readSteps } from "./steps.ts";
import { streamProblem } from "./streaming.ts";
import { checkRetries, checkValidations } from "./timing.ts";
import { tellUnread } from "./unread.ts";
import { tellCycle } from "./waves.ts";

const marks: readonly string[] = [
  "workflow_coordination",
  "workflow_definition",
  "execution_graph",
  "event_flow",
  "event_bus",
  "event_emission",
  "descriptor",
  "state_transitions",
  "contract_version",
  "node_type",
  "workflow_id",
];

/** Reads YAML that may be an ONEX contract: there `!include` is a tag, in a contract of onex it is not. */
export function fenceAny(text: string, findings: Findings, readRef: ReadRef): Fenced | undefined {
  return /^(?:"onex"|'onex'|onex)\s*:/m.test(text) ? fence(text, findings) : fence(text, findings, includes(readRef, findings));
}

/** Whether data is an ONEX contract, by its keys. */
export function isOnex(data: Json): boolean {
  if (typeof data !== "object" || data === null || Array.isArray(data) || Object.hasOwn(data, "onex")) return false;
  return marks.some((mark) => Object.hasOwn(data, mark));
}

/** Whether an ONEX contract is that of a reducer: a state machine. */
export function isStateMachine(data: Json): boolean {
  return isOnex(data) && Object.hasOwn(data as object, "state_transitions");
}

/** The plan of a contract; undefined when it was refused, with the reasons in `findings`. */
export function translate(data: Json, findings: Findings, places: Places, mode?: Mode): Lowered | undefined {
  const file = Cursor.root(data, findings, places);
  if (file.has("state_transitions")) {
    const machine = file.get("state_transitions");
    machine?.error(
      "ONEX_UNSUPPORTED",
      "this is the contract of a reducer, not of a workflow; name it as a node: --nodes FILE.yaml, or `await onexReducer(file)` in code",
      machine.keyPlace,
    );
    return undefined;
  }
  const type = file.get("node_type");
  const kind = typeof type?.value === "string" ? kindOfType(type.value) : undefined;
  if (type && kind !== undefined && kind !== "workflow") {
    type.error(
      "ONEX_UNSUPPORTED",
      `this is the contract of a node (${String(type.value)}), not of a workflow; write the node in code and name its module with --nodes`,
    );
    return undefined;
  }
  const workflow = readWorkflow(file, mode);
  if (!workflow || findings.failed) return undefined;
  tellCycle(workflow.steps, findings);
  const onFailure = failureOf(workflow, findings);
  if (findings.failed) return undefined;
  checkRetries(workflow, findings);
  checkValidations(file.get("timing_constraints"));
  return lower(workflow, onFailure);
}

function readWorkflow(file: Cursor, mode: Mode | undefined): OnexWorkflow | undefined {
  const coordination = mapOf(file.get("workflow_coordination"));
  const definition = mapOf(coordination?.get("workflow_definition") ?? file.get("workflow_definition"));
  const metadata = mapOf((definition ?? file).get("workflow_metadata"));
  const graph = mapOf((definition ?? coordination ?? file).get("execution_graph") ?? file.get("execution_graph"));
  const homes = {
    metadata,
    coordination: coordination ?? file,
    rules: mapOf((definition ?? coordination ?? file).get("coordination_rules") ?? file.get("coordination_rules")),
    errorHandling: mapOf(file.get("error_handling")),
  };
  const flows = file.has("event_flow");
  const said = readRules(homes, flows ? "parallel" : "sequential");
  // Rule 11.
  const rules = mode === undefined ? said : { ...said, mode };
  const nodes = graph?.get("nodes") ?? graph?.get("steps") ?? (definition ?? file).get("steps");
  const steps = flows ? readEventFlow(file) : readSteps(nodes, graph?.get("edges"));
  tellUnread(file, coordination, definition, metadata, graph);
  if (!steps || file.findings.failed) return undefined;
  checkBranches(steps, file.findings);
  checkStreams(rules, steps, file.findings);
  return {
    name: nameOf(
      [
        metadata?.get("workflow_name"),
        (definition ?? file).get("workflow_id"),
        file.get("workflow_id"),
        file.get("name"),
        file.get("node_name"),
      ],
      file.findings.file,
    ),
    version:
      versionOf(metadata?.get("workflow_version")) ?? versionOf(file.get("contract_version")) ?? versionOf(file.get("version")) ?? "1.0.0",
    description: textOf(metadata?.get("description")) ?? textOf(file.get("description")),
    place: (metadata ?? definition ?? coordination ?? file).keyPlace,
    rules,
    steps,
  };
}

/** The first name that is given, else the file's. */
function nameOf(names: readonly (Cursor | undefined)[], file: string): string {
  const given = names.map(textOf).find((text) => text !== undefined) ?? file.replace(/^.*[/\\]/, "").replace(/\.ya?ml$/i, "");
  const name = kebab(given);
  return /^[a-z]/.test(name) ? name : `workflow-${name}`.replace(/-$/, "");
}

/** A condition reads steps that run. */
function checkBranches(steps: readonly OnexStep[], findings: Findings): void {
  const off = new Map(steps.filter(({ enabled }) => !enabled).map((step) => [step.name, step.id]));
  for (const { branch, id } of steps) {
    if (!branch || branch.type === "custom" || !off.has(branch.of)) continue;
    findings.error(
      "ONEX_INVALID",
      branch.place,
      `"${id}" is taken or not by what becomes of "${off.get(branch.of)}", which is not enabled`,
    );
  }
}

function checkStreams(rules: Rules, steps: readonly OnexStep[], findings: Findings): void {
  const enabled = steps.filter((step) => step.enabled);
  for (const step of enabled) {
    if (!step.streams) continue;
    const problem =
      rules.mode === "streaming" ? streamProblem(step, enabled) : `the mode is ${rules.mode}: write \`execution_mode: streaming\``;
    if (problem !== undefined) findings.error("ONEX_UNSUPPORTED", step.place, `the stream "${step.id}": ${problem}`);
  }
}

/**
 * What a failed run does is one thing for the whole run: it takes all back, or it stops. Steps that disagree about it are
 * refused; that a step continues, or stops a run that would continue, is its own affair.
 */
function failureOf({ rules, steps }: OnexWorkflow, findings: Findings): "stop" | "compensate" {
  const wishOf = (action: OnFailure): "stop" | "compensate" | undefined =>
    action === "stop" ? "stop" : action === "continue" ? undefined : "compensate";
  let wish = wishOf(rules.onFailure);
  const said = rules.onFailure;
  for (const step of steps) {
    const own = step.enabled ? wishOf(actionOf(step, rules)) : undefined;
    if (own === undefined || own === wish) continue;
    if (wish === undefined) wish = own;
    else
      findings.error(
        "ONEX_UNSUPPORTED",
        step.place,
        `the step "${step.id}" would ${own === "stop" ? "stop the run and leave what was done" : "have all taken back"}, and ${said === "continue" ? "another step" : `failure_recovery_strategy (${said})`} the other; a run does one of the two`,
      );
  }
  return wish ?? "compensate";
}
