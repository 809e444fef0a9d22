/** Services: how clients, database handles, configuration and secrets reach effects, and nothing else (API rule 9). */
import { OnexError } from "../core/failure.ts";
import { shown } from "../core/fields.ts";

/** A typed slot for what an effect needs. */
export interface Service<T> {
  readonly name: string;
  /** What fills it: a value, or a function that makes it once. */
  from(make: T | (() => T | Promise<T>)): Provided;
}
export interface Provided {
  readonly service: string;
  /** Makes it, once a process. */
  readonly make: () => unknown;
}

/** Throws OnexError `NODE_INVALID` for what is no name. */
export function service<T>(name: string): Service<T> {
  if (typeof name !== "string" || name === "")
    throw new OnexError("NODE_INVALID", `service ${shown(name)}: give it a name, as in service<Bank>("bank")`);
  return {
    name,
    from: (make) => ({ service: name, make: typeof make === "function" ? (make as () => unknown) : () => make }),
  };
}
