/** What a run is pinned to: what it started with, or the definition that it was moved to last. */
import type { Fact, FactOf, Started } from "./fact.ts";

/** Which program drives a run: a workflow by name and version, and of a contract the hash of its definition. */
export type Pin = Pick<Started, "workflow" | "version" | "definition">;

/** The first fact of a log as the run goes on with it: pinned to what it was moved to last. */
export function pinned(facts: readonly Fact[]): Started {
  const moved = facts.findLast((fact) => fact.type === "run.migrated");
  const started = facts[0] as Started;
  return moved ? repinned(started, moved) : started;
}

/** The start of a run with another pin. */
export function repinned(started: Started, { version, definition }: Omit<FactOf<"run.migrated">, "type" | "at">): Started {
  const { definition: _before, ...rest } = started;
  return { ...rest, version, ...(definition === undefined ? {} : { definition }) };
}

/** Whether two pins name the same program. */
export function isPin(one: Omit<Pin, "workflow">, other: Omit<Pin, "workflow">): boolean {
  return one.version === other.version && one.definition === other.definition;
}
