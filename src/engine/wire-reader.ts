/** Reads members of a JSON object strictly: each by name and type, and none left over. */
import { OnexError } from "../core/failure.ts";
import type { Json } from "../core/json.ts";

/** Longest text that is an id, a name or a path. */
const maxText = 16_384;

export class Reader {
  readonly #object: { readonly [key: string]: Json };
  readonly #where: string;
  readonly #code: string;
  readonly #read = new Set<string>();

  /** Throws OnexError with `code` when `value` is no object; every other complaint carries it too. */
  constructor(value: Json, where: string, code: "ACTION_INVALID" | "NODE_ANSWER_INVALID") {
    this.#where = where;
    this.#code = code;
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw this.refuse("is not a JSON object");
    this.#object = value as { readonly [key: string]: Json };
  }

  refuse(what: string): OnexError {
    return new OnexError(this.#code, `${this.#where}: ${what}`);
  }

  maybe(key: string): Json | undefined {
    this.#read.add(key);
    return Object.hasOwn(this.#object, key) ? this.#object[key] : undefined;
  }
  any(key: string): Json {
    const value = this.maybe(key);
    if (value === undefined) throw this.refuse(`has no "${key}"`);
    return value;
  }
  maybeText(key: string): string | undefined {
    return this.maybe(key) === undefined ? undefined : this.text(key);
  }
  /** An id, a name or a path: not empty, and no longer than such things are. */
  text(key: string): string {
    const value = this.any(key);
    if (typeof value !== "string" || value === "" || value.length > maxText)
      throw this.refuse(`"${key}" is not a text of 1 to ${maxText} characters`);
    return value;
  }
  /** Any text. */
  prose(key: string): string {
    const value = this.any(key);
    if (typeof value !== "string") throw this.refuse(`"${key}" is not a text`);
    return value;
  }
  texts(key: string): readonly string[] {
    const value = this.any(key);
    if (!Array.isArray(value) || value.length > 1000 || !value.every((item) => typeof item === "string"))
      throw this.refuse(`"${key}" is not a list of at most 1000 texts`);
    return value as readonly string[];
  }
  /** Not negative. */
  number(key: string): number {
    const value = this.any(key);
    if (typeof value !== "number" || !(value >= 0)) throw this.refuse(`"${key}" is not a number from 0 on`);
    return value;
  }
  whole(key: string, least: number): number {
    const value = this.any(key);
    if (!Number.isSafeInteger(value) || (value as number) < least) throw this.refuse(`"${key}" is not a whole number from ${least} on`);
    return value as number;
  }
  /** Refuses what was not read. */
  end(): void {
    const unknown = Object.keys(this.#object).filter((key) => !this.#read.has(key));
    if (unknown.length > 0) throw this.refuse(`has unknown members: ${unknown.slice(0, 5).join(", ")}`);
  }
}
