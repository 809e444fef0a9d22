/** The contract of a reducer: a state machine, read and checked. */
import { Cursor } from "../cursor.ts";
import type { Fenced } from "../fence.ts";
import type { Findings } from "../finding.ts";
import { didYouMean } from "../suggest.ts";
import { type Guard, readGuard } from "./guard.ts";
import { kebab, nodeReference } from "./names.ts";
import { flagOf, ignored, invalid, listOf, mapOf, nameRest, numberOf, textOf, versionOf } from "./say.ts";

export interface Machine {
  readonly name: string;
  readonly version: string;
  readonly initial: string;
  readonly terminal: ReadonlySet<string>;
  readonly transitions: readonly Transition[];
}
export interface Transition {
  readonly name: string;
  /** `*` is every state that is not terminal. */
  readonly from: string;
  readonly to: string;
  readonly trigger: string;
  readonly priority: number;
  readonly guards: readonly Guard[];
}

/** Undefined when it was refused, with the reasons in `findings`. What is not run (actions, operations) is named. */
export function readMachine({ data, places }: Fenced, findings: Findings): Machine | undefined {
  const file = Cursor.root(data, findings, places);
  const machine = mapOf(file.get("state_transitions"));
  if (!machine) return undefined;
  const terminal = new Set(listOf(machine.get("terminal_states")).flatMap((item) => textOf(item) ?? []));
  const states = new Map<string, Cursor>();
  for (const item of listOf(machine.get("states"))) {
    const state = mapOf(item);
    const name = state && textOf(state.get("state_name") ?? state.get("name"));
    if (!state || name === undefined) {
      invalid(item, `${item.path} has no state_name`);
      continue;
    }
    if (states.has(name)) invalid(state, `the state "${name}" stands here a second time`);
    states.set(name, state);
    const type = state.get("state_type") ?? state.get("type");
    if (flagOf(state.get("is_terminal") ?? state.get("terminal")) === true || type?.value === "terminal") terminal.add(name);
    tellActions(state, ["entry_actions", "exit_actions"]);
    nameRest(state, ["state_name", "is_terminal", "terminal", "state_type", "type", "entry_actions", "exit_actions"]);
  }
  const initial = machine.has("initial_state")
    ? known(machine.get("initial_state"), states, false)
    : invalid(machine, "a state machine has an initial_state");
  const names = new Set<string>();
  const transitions = listOf(machine.get("transitions")).flatMap((item) => readTransition(item, states, names, terminal) ?? []);
  for (const list of ["terminal_states", "error_states"]) for (const item of listOf(machine.get(list))) known(item, states, false);
  nameRest(
    machine,
    ["states", "transitions", "initial_state", "terminal_states", "error_states", "state_machine_name", "state_machine_version"],
    {
      operations: "operations of people are not offered; start a run that sends the trigger",
      persistence_enabled: "the state is always stored",
      recovery_enabled: "the state is always stored",
    },
  );
  nameRest(file, ["state_transitions"]);
  if (findings.failed || initial === undefined) return undefined;
  tellUnreached(states, initial, transitions);
  return {
    name: nameOf(file, machine, findings.file),
    version: versionOf(file.get("contract_version")) ?? "1.0.0",
    initial,
    terminal,
    transitions,
  };
}

/** Its own name, else the file's, else the machine's. */
function nameOf(file: Cursor, machine: Cursor, path: string): string {
  const base = path.replace(/^.*[/\\]/, "").replace(/\.ya?ml$/i, "");
  const given = textOf(file.get("name")) ?? textOf(file.get("node_name"));
  if (given !== undefined) return nodeReference(given, "reducer");
  const other = base === "contract" || base === "" ? textOf(machine.get("state_machine_name")) : undefined;
  return nodeReference(kebab(other ?? base).replace(/^reducer-/, ""), "reducer");
}

function known(cursor: Cursor | undefined, states: ReadonlyMap<string, Cursor>, any: boolean): string | undefined {
  const name = textOf(cursor);
  if (cursor === undefined || name === undefined || states.has(name) || (any && name === "*")) return name;
  cursor.error("REFERENCE_UNKNOWN", `there is no state "${name}".${didYouMean(name, states.keys())}`);
  return undefined;
}

function readTransition(
  item: Cursor,
  states: ReadonlyMap<string, Cursor>,
  names: Set<string>,
  terminal: ReadonlySet<string>,
): Transition | undefined {
  const cursor = mapOf(item);
  if (!cursor) return undefined;
  const name = textOf(cursor.get("transition_name") ?? cursor.get("name")) ?? item.path;
  if (names.has(name)) invalid(cursor, `the transition "${name}" stands here a second time`);
  names.add(name);
  const from = known(cursor.get("from_state") ?? cursor.get("from"), states, true);
  const to = known(cursor.get("to_state") ?? cursor.get("to"), states, false);
  const trigger = textOf(cursor.get("trigger"));
  const guards = listOf(cursor.get("conditions")).flatMap((condition) => readCondition(condition) ?? []);
  tellActions(cursor, ["actions"]);
  nameRest(cursor, ["transition_name", "from_state", "from", "to_state", "to", "trigger", "priority", "conditions", "actions"]);
  if (from === undefined || to === undefined || trigger === undefined) {
    if (!cursor.findings.failed) invalid(cursor, `the transition "${name}" needs from_state, to_state and trigger`);
    return undefined;
  }
  if (terminal.has(from)) invalid(cursor, `the transition "${name}" leaves "${from}", which is terminal`);
  return { name, from, to, trigger, priority: numberOf(cursor.get("priority"), -1000, 1000) ?? 0, guards };
}

function readCondition(item: Cursor): Guard | undefined {
  const cursor = mapOf(item);
  const expression = cursor?.get("expression");
  const text = textOf(expression);
  if (!cursor || expression === undefined || text === undefined) return invalid(item, `${item.path} needs an expression`);
  nameRest(cursor, ["condition_name", "expression", "required", "condition_type"]);
  const guard = readGuard(text);
  if (typeof guard === "string") return invalid(expression, guard);
  const required = cursor.get("required");
  if (required && flagOf(required) === false) {
    ignored(required, "a condition that is not required decides nothing");
    return undefined;
  }
  return guard;
}

function tellActions(cursor: Cursor, keys: readonly string[]): void {
  for (const key of keys) {
    const list = cursor.get(key);
    if (list && listOf(list).length > 0) ignored(list, "actions are not run: a reducer is pure; let a step after it do them");
  }
}

/** A state that no way leads to is most likely a slip. */
function tellUnreached(states: ReadonlyMap<string, Cursor>, initial: string, transitions: readonly Transition[]): void {
  const reached = new Set([initial]);
  const left = [initial];
  for (let state = left.pop(); state !== undefined; state = left.pop())
    for (const { from, to } of transitions)
      if ((from === state || from === "*") && !reached.has(to)) {
        reached.add(to);
        left.push(to);
      }
  for (const [name, cursor] of states) if (!reached.has(name)) ignored(cursor, `no transition leads to the state "${name}"`);
}
