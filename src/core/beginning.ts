/** What a run was given when it began, and what its steps draw from that: their keys, and the inputs put in the place of others. */
import type { FactOf, Origin, Started } from "./fact.ts";
import type { Json } from "./json.ts";
import { repinned } from "./pin.ts";

export class Beginning {
  started: Started | undefined;
  readonly #keyOf: (step: string, runId?: string) => string;
  /** Steps that a fork shares: the runs that began them. */
  readonly #origins = new Map<string, Origin>();
  readonly #usedInputs = new Set<string>();

  constructor(keyOf: (step: string, runId?: string) => string) {
    this.#keyOf = keyOf;
  }

  get round(): number {
    return this.started?.round ?? 0;
  }
  /** It goes on with another definition. */
  moved(fact: FactOf<"run.migrated">): void {
    if (this.started) this.started = repinned(this.started, fact);
  }

  /** The step is begun by the fact of that number. What is begun in the shared past of a fork is that run's, and so is its key. */
  begun(step: string, position: number): void {
    const origin = this.started?.origins?.find(({ until }) => position <= until);
    if (origin && !this.#origins.has(step)) this.#origins.set(step, origin);
  }
  /** The same for all attempts of a step, and another one after each `restart`: a new round is new work. */
  keyOf(step: string): string {
    const origin = this.#origins.get(step);
    const round = origin ? origin.round : this.round;
    return this.#keyOf(round === 0 ? step : `${round}\0${step}`, origin?.runId);
  }

  /** The input of a step, with what `stepInputs` puts in its place. */
  stepInput(step: string, input: Json): Json {
    const given = this.started?.stepInputs;
    if (!given) return input;
    // A step's name is the last part of its path, without the number of its repetition.
    const name = step.slice(step.lastIndexOf("/") + 1).replace(/#\d+$/, "");
    const over = Object.hasOwn(given, name) ? given[name] : undefined;
    if (!over) return input;
    this.#usedInputs.add(name);
    return typeof input === "object" && input !== null && !Array.isArray(input) ? { ...input, ...over } : { ...over };
  }
  /** Names in `stepInputs` that no step had so far. */
  get unusedInputs(): string[] {
    return Object.keys(this.started?.stepInputs ?? {}).filter((name) => !this.#usedInputs.has(name));
  }
}
