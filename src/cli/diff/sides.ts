/** OLD and NEW as they were typed: a contract, a module, or one workflow of a module; and what differs between them. */
import { OnexError } from "../../core/failure.ts";
import type { Contract, WorkflowContract } from "../../node/contract.ts";
import { Registry } from "../../node/registry.ts";
import { type Change, Changes } from "../../plan/diff/change.ts";
import { diffContracts } from "../../plan/diff/contracts.ts";
import { diffFlows } from "../../plan/diff/flows.ts";
import { contractInvalid } from "../../plan/finding.ts";
import { openContract } from "../../plan/load.ts";
import type { Read } from "../../plan/workflow.ts";
import { type AnyWorkflow, isYaml, load, loadTarget, splitName } from "../load.ts";

export interface Side {
  /** As it was typed. */
  readonly target: string;
  /** The one workflow that is meant; undefined for a module of which all nodes are compared. */
  readonly workflow: AnyWorkflow | undefined;
  readonly nodes: Registry;
  readonly contracts: readonly Contract[];
  /** Of a contract in YAML. */
  readonly read: Read | undefined;
}

/** Throws what `loadTarget` throws; with `one` also when it is not clear which workflow is meant. */
export async function sideOf(target: string, nodeModules: readonly string[], one: boolean): Promise<Side> {
  const { file, name } = splitName(target);
  const loaded = await load([file], nodeModules);
  const workflow =
    one || name !== undefined || loaded.workflows.length === 1 ? (await loadTarget(target, nodeModules)).workflow : undefined;
  // Loaded twice, a contract is two nodes of one name: the one that is meant takes the place of the other.
  const others = loaded.nodes.filter(
    ({ contract }) => contract.name !== workflow?.contract.name || contract.version !== workflow.contract.version,
  );
  return {
    target,
    workflow,
    nodes: new Registry(workflow ? [...others, workflow] : others),
    contracts: loaded.nodes.map(({ contract }) => contract),
    read: isYaml(file) ? await readOf(file) : undefined,
  };
}

async function readOf(file: string): Promise<Read> {
  const opened = await openContract(file);
  if (!opened.read) throw contractInvalid(file, opened.findings);
  return opened.read;
}

/** What differs, and what could not be compared. */
export interface Difference {
  readonly changes: readonly Change[];
  readonly note?: string;
}

export function differenceOf(old: Side, now: Side): Difference {
  if (old.read && now.read) return { changes: diffFlows({ read: old.read, nodes: old.nodes }, { read: now.read, nodes: now.nodes }) };
  const changes = new Changes();
  const note = "a workflow in code has no steps to compare";
  if (old.workflow && now.workflow) {
    const [was, is] = [old.workflow.contract, now.workflow.contract];
    if (was.name !== is.name) changes.value("name", "", was.name, is.name, "callers", "runs");
    diffContracts(changes, `workflow ${is.name}`, was, is);
  }
  others(changes, old, now);
  return { changes: changes.all, note };
}

/** The other nodes of two modules, by name; of several versions the newest. */
function others(changes: Changes, old: Side, now: Side): void {
  if (old.read || now.read) return;
  const before = newest(old);
  const after = newest(now);
  for (const [name, contract] of before) if (!after.has(name)) changes.add("-", name, contract.version, "callers", "runs");
  for (const [name, contract] of after) {
    const was = before.get(name);
    if (was) diffContracts(changes, name, was, contract);
    else changes.add("+", name, contract.version);
  }
}
function newest({ nodes, contracts, workflow }: Side): Map<string, Contract> {
  const found = new Map<string, Contract>();
  for (const { kind, name } of contracts) {
    const contract = nodes.find(kind, name)?.contract;
    if (contract && contract !== workflow?.contract) found.set(`${kind} ${name}`, contract);
  }
  return found;
}

/** The workflow of a side that runs are judged against, bound to its nodes. Throws OnexError `CONTRACT_INVALID`. */
export function boundTo({ workflow, nodes, target }: Side): { readonly contract: WorkflowContract; readonly nodes: Registry } {
  if (!workflow) throw new OnexError("WORKFLOW_UNKNOWN", `${target} names no workflow whose runs could be judged`);
  const { contract } = workflow;
  try {
    contract.plan?.bind(nodes);
  } catch (error) {
    if (!(error instanceof OnexError)) throw error;
    const todo = "runs are judged with the nodes that they call: name the module that exports them with --nodes";
    throw new OnexError(error.code, `${error.message}\n${todo}`, { cause: error });
  }
  return { contract, nodes };
}
