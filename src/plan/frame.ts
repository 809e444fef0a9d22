/** What the names of an expression stand for while a plan runs. */
import type { Json } from "../core/json.ts";
import type { Scope } from "./cel/value.ts";

export class Frame implements Scope {
  readonly #parent: Frame | undefined;
  readonly #values: Map<string, Json>;

  constructor(parent: Frame | undefined, values: Readonly<Record<string, Json>> = {}) {
    this.#parent = parent;
    this.#values = new Map(Object.entries(values));
  }
  get(name: string): Json | undefined {
    for (let frame: Frame | undefined = this; frame; frame = frame.#parent) {
      const value = frame.#values.get(name);
      if (value !== undefined) return value;
    }
    return undefined;
  }
  set(name: string, value: Json): void {
    this.#values.set(name, value);
  }
}
