/** Services: how clients, database handles, configuration and secrets reach effects, and nothing else (API rule 9). */

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

export function service<T>(name: string): Service<T> {
  return {
    name,
    from: (make) => ({ service: name, make: typeof make === "function" ? (make as () => unknown) : () => make }),
  };
}
