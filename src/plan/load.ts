/** Contracts from files: the only place of this folder that reads any. */
import { readFileSync, realpathSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import { OnexError } from "../core/failure.ts";
import type { Json } from "../core/json.ts";
import type { NodeSource } from "../node/contract.ts";
import type { Reducer } from "../node/reducer.ts";
import type { Workflow } from "../node/workflow.ts";
import { checkFlow } from "./check.ts";
import { limits } from "./fence.ts";
import { type Finding, Findings } from "./finding.ts";
import { fenceAny, isStateMachine } from "./onex/contract.ts";
import { checkFingerprint } from "./onex/fingerprint.ts";
import { readMachine } from "./onex/machine.ts";
import { withOtherNames } from "./onex/nodes.ts";
import { type MachineState, machineReducer } from "./onex/reducer.ts";
import type { ReadRef } from "./schema-files.ts";
import { parseSubcontract, type Subcontract } from "./subcontract.ts";
import { configOf, type PlanOptions, parseWorkflow, type Read, readFenced, sha256 } from "./workflow.ts";

/**
 * A YAML contract as a workflow: of onex (`onex: v1`), or of ONEX, by its keys. There a step's node is given
 * `{ config, input, DEPENDENCY: output, … }`: its `metadata` and `step_config`, the run's input, and what each step that it
 * depends on gave (null when that was skipped); the output of the run is `{ steps, skipped, errors }`.
 * Throws OnexError `CONTRACT_NOT_FOUND`, `CONTRACT_INVALID`.
 */
export async function loadWorkflow(file: string, options: PlanOptions = {}): Promise<Workflow<Json, Json>> {
  return parseWorkflow(await read(file), file, beside(file), options);
}

/**
 * The ONEX contract of a reducer (`state_transitions`) as a node. Its events are `{ trigger, key?, data? }`, its state is
 * `{ state, data }`. Throws OnexError `CONTRACT_NOT_FOUND`, `CONTRACT_INVALID`.
 */
export async function onexReducer(file: string): Promise<Reducer<Json, MachineState, [key?: string]>> {
  const findings = new Findings(file);
  const fenced = fenceAny(await read(file), findings, beside(file));
  const machine = fenced && isStateMachine(fenced.data) ? readMachine(fenced, findings) : undefined;
  findings.refuse();
  if (!machine) throw new OnexError("CONTRACT_INVALID", `${file} is not the ONEX contract of a reducer: it has no state_transitions`);
  return machineReducer(machine, findings);
}

/** A subcontract of a generated node, for tests that hold it against its model. Throws OnexError `CONTRACT_NOT_FOUND`, `CONTRACT_INVALID`. */
export async function readSubcontract(file: string): Promise<Subcontract> {
  return parseSubcontract(await read(file), file);
}

/** A contract that was read, for those who look at it without running it; `read` is undefined when there are errors. */
export interface Opened {
  readonly read: Read | undefined;
  readonly findings: readonly Finding[];
  readonly text: string;
}

/** Everything there is to say about a contract; with `nodes` also whether it fits them. Throws OnexError `CONTRACT_NOT_FOUND`. */
export async function checkFile(file: string, nodes?: NodeSource, options: PlanOptions = {}): Promise<readonly Finding[]> {
  return (await openContract(file, nodes, options)).findings;
}

/** The same, with what was read. Throws OnexError `CONTRACT_NOT_FOUND`. */
export async function openContract(file: string, nodes?: NodeSource, options: PlanOptions = {}): Promise<Opened> {
  const findings = new Findings(file);
  const text = await read(file);
  const fenced = fenceAny(text, findings, beside(file));
  if (fenced && isStateMachine(fenced.data)) {
    checkFingerprint(fenced, findings, sha256);
    readMachine(fenced, findings);
    return { read: undefined, findings: findings.sorted(), text };
  }
  const found = fenced && readFenced(fenced, findings, beside(file), options.executionMode);
  if (found && options.config !== undefined) configOf(found, options, findings);
  if (!found || !nodes) return { read: findings.failed ? undefined : found, findings: findings.sorted(), text };
  const bound = new Findings(file);
  checkFlow(found, found.plan === undefined ? nodes : withOtherNames(nodes), bound);
  return { read: findings.failed || bound.failed ? undefined : found, findings: together(findings.all, bound.all), text };
}

/** Each once: with the nodes, all that was said without them is said again, often in better words. */
function together(without: readonly Finding[], bound: readonly Finding[]): Finding[] {
  const key = ({ code, line, column }: Finding): string => `${code} ${line}:${column}`;
  const again = new Set(bound.map(key));
  const seen = new Map(
    [...without.filter((finding) => !again.has(key(finding))), ...bound].map((finding) => [JSON.stringify(finding), finding]),
  );
  return [...seen.values()].sort((a, b) => a.line - b.line || a.column - b.column);
}

async function read(file: string): Promise<string> {
  try {
    const text = await readFile(file);
    if (text.length > limits.bytes)
      throw new OnexError(
        "CONTRACT_INVALID",
        `${file} has ${text.length} bytes; a contract has at most ${limits.bytes} (1 MiB): divide it into workflows that call each other`,
      );
    return new TextDecoder("utf-8", { fatal: true }).decode(text);
  } catch (error) {
    if (error instanceof OnexError) throw error;
    const { code } = error as { code?: string };
    if (code === "ENOENT" || code === "ENOTDIR") throw new OnexError("CONTRACT_NOT_FOUND", `there is no file ${resolve(file)}`);
    if (code === "EISDIR") throw new OnexError("CONTRACT_NOT_FOUND", `${resolve(file)} is a folder; name the contract in it`);
    if (error instanceof TypeError) throw new OnexError("CONTRACT_INVALID", `${file} is not UTF-8 text`);
    throw new OnexError("CONTRACT_NOT_FOUND", `${resolve(file)} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Reads files of the contract's folder, also when a link in it points elsewhere: then not. */
function beside(file: string): ReadRef {
  const folder = resolve(dirname(file));
  return (path) => {
    try {
      const root = realpathSync(folder);
      const found = realpathSync(join(root, path));
      const inside = relative(root, found);
      if (inside.startsWith(`..${sep}`) || inside === ".." || resolve(inside) === inside) return undefined;
      if (!statSync(found).isFile()) return undefined;
      return readFileSync(found, "utf8");
    } catch {
      return undefined;
    }
  };
}
