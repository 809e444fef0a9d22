/**
 * The door to packages that are large and that many processes never use: no YAML is read, or no schema in JSON is compiled.
 * Loading them is a third of the start of a process.
 */
import { createRequire } from "node:module";

/** A package as `require` gives it, loaded when it is first asked for. That throws what loading throws. */
export function lazily<T>(name: string): () => T {
  let loaded: T | undefined;
  return () => {
    loaded ??= createRequire(import.meta.url)(name) as T;
    return loaded;
  };
}
