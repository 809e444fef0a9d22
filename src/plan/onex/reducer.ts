/** A state machine as a reducer node: events with a trigger, a state that remembers the data they brought. */
import { Fatal } from "../../core/failure.ts";
import type { Json } from "../../core/json.ts";
import { type Reducer, reducer } from "../../node/reducer.ts";
import type { Schema } from "../../node/schema.ts";
import type { JsonMap } from "../cursor.ts";
import { type Findings, nowhere } from "../finding.ts";
import { Schemas } from "../json-schema.ts";
import { noFiles, SchemaFiles } from "../schema-files.ts";
import type { Machine, Transition } from "./machine.ts";

export interface MachineState {
  readonly state: string;
  /** What the events so far brought, the later over the earlier; conditions read it. */
  readonly data: { readonly [field: string]: unknown };
}

/**
 * An event is `{ trigger, key?, data? }`; `key` tells machines of one kind apart. As a step of an ONEX contract gives it,
 * `{ config: { trigger, key? }, input, DEPENDENCY: output … }`, the data is all that beside the trigger.
 */
export function machineReducer(machine: Machine, findings: Findings): Reducer<Json, MachineState, [key?: string]> {
  const triggers = [...new Set(machine.transitions.map(({ trigger }) => trigger))];
  const words = { type: "object", properties: { trigger: { enum: triggers }, key: { type: "string" } } };
  const schema = { ...words, properties: { ...words.properties, data: { type: "object" }, config: words } };
  const event = new Schemas(new SchemaFiles(noFiles, findings), findings).make(schema, "event", nowhere) as Schema<Json, Json>;
  const initial: MachineState = { state: machine.initial, data: {} };
  return reducer({ name: machine.name, version: machine.version, event, initial, key: (given) => eventOf(given).key }, (now, given) =>
    step(machine, now, given),
  ) as unknown as Reducer<Json, MachineState, [key?: string]>;
}

/** The state after an event. Throws Fatal `ONEX_NO_TRANSITION`, `ONEX_GUARD_UNMET`: then nothing is applied. */
export function step(machine: Machine, now: MachineState, given: Json): MachineState {
  const { trigger, data: brought } = eventOf(given);
  if (trigger === undefined) throw new Fatal("ONEX_NO_TRANSITION", { message: `${machine.name}: the event has no trigger` });
  const data = { ...(now.data as JsonMap), ...brought };
  if (machine.terminal.has(now.state))
    throw new Fatal("ONEX_NO_TRANSITION", { message: `${machine.name} is ${now.state}, which is terminal; nothing follows "${trigger}"` });
  const ways = waysFrom(machine, now.state, trigger);
  if (ways.length === 0)
    throw new Fatal("ONEX_NO_TRANSITION", { message: `${machine.name} is ${now.state}, from where "${trigger}" leads nowhere` });
  const taken = ways.find(({ guards }) => guards.every((guard) => guard.holds(data)));
  if (taken) return { state: taken.to, data };
  const unmet = ways.flatMap(({ guards }) => guards.filter((guard) => !guard.holds(data)).map(({ text }) => text));
  throw new Fatal("ONEX_GUARD_UNMET", { message: `${machine.name} is ${now.state}, and "${trigger}" needs ${unmet.join(", or ")}` });
}

/** A transition from the state itself preempts those from `*`; then higher priority, then those with conditions first. */
function waysFrom(machine: Machine, state: string, trigger: string): readonly Transition[] {
  const all = machine.transitions.filter((way) => way.trigger === trigger);
  const own = all.filter(({ from }) => from === state);
  const ways = own.length > 0 ? own : all.filter(({ from }) => from === "*");
  return ways.sort((a, b) => Number(a.guards.length === 0) - Number(b.guards.length === 0) || b.priority - a.priority);
}

function eventOf(given: Json): { readonly trigger: string | undefined; readonly key: string; readonly data: JsonMap } {
  const event = mapOf(given);
  if (event.trigger !== undefined) return { trigger: String(event.trigger), key: String(event.key ?? ""), data: mapOf(event.data) };
  const { config, input, ...outputs } = event;
  const { trigger, key, ...settings } = mapOf(config);
  const data = { ...mapOf(input), ...settings, ...outputs };
  return { trigger: trigger === undefined ? undefined : String(trigger), key: String(key ?? ""), data };
}
function mapOf(value: Json | undefined): JsonMap {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonMap) : {};
}
