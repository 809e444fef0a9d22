/** What callers hand in, field by field: in a body, a query or a header. A field that nobody reads is refused. */
import { OnexError } from "../core/failure.ts";
import { durationAt, onlyFields, shown } from "../core/fields.ts";
import type { Json } from "../core/json.ts";
import { oneOf } from "../plan/suggest.ts";

/** The members of a body that is an object, or of none. */
export class Fields {
  readonly #fields: { readonly [name: string]: Json };

  /** Throws OnexError `OPTION_INVALID` for what is no object, and for members that are not in `known`. */
  constructor(body: Json | undefined, known: readonly string[]) {
    onlyFields("OPTION_INVALID", "the body", body ?? {}, known);
    this.#fields = (body ?? {}) as { readonly [name: string]: Json };
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#fields, name);
  }
  any(name: string): Json | undefined {
    return this.has(name) ? this.#fields[name] : undefined;
  }
  text(name: string): string | undefined {
    const value = this.any(name);
    if (value !== undefined && typeof value !== "string") throw invalid(`${name} in the body is ${shown(value)}: give text`);
    return value;
  }
  /** Text that is recorded with a run and shown beside it: what has no other bound has this one. */
  note(name: string, most: number): string | undefined {
    const value = this.text(name);
    if (value !== undefined && value.length > most)
      throw invalid(`${name} in the body has ${value.length} characters: give ${most} or fewer`);
    return value;
  }
  /** One of a few words. */
  word<W extends string>(name: string, words: readonly W[]): W | undefined {
    const value = this.any(name);
    if (value !== undefined && !words.includes(value as W)) throw invalid(`${name} in the body is ${shown(value)}: give ${oneOf(words)}`);
    return value as W | undefined;
  }
  number(name: string): number | undefined {
    const value = this.any(name);
    if (value !== undefined && typeof value !== "number") throw invalid(`${name} in the body is ${shown(value)}: give a number`);
    return value;
  }
  /** A time: ISO text, or ms since 1970. */
  time(name: string): number | undefined {
    const value = this.any(name);
    if (value === undefined || typeof value === "number") return value;
    const ms = typeof value === "string" && /^\d{4}-\d\d-\d\dT/.test(value) ? Date.parse(value) : Number.NaN;
    if (Number.isNaN(ms)) throw invalid(`${name} in the body is ${shown(value)}: give ms since 1970, or a time such as 2030-01-31T06:00Z`);
    return ms;
  }
}

/** A whole number in a query. */
export function wholeOf(name: string, text: string | undefined, otherwise: number, least: number, most: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (!/^\d{1,9}$/.test(text) || value < least || value > most)
    throw invalid(`${name} is ${shown(text)}: give a whole number from ${least} to ${most}`);
  return value;
}

/** A duration in a query, ms, up to `mostMs`. */
export function durationOf(name: string, text: string | undefined, otherwiseMs: number, mostMs: number): number {
  if (text === undefined) return otherwiseMs;
  const ms = durationAt(name, text);
  if (ms > mostMs) throw invalid(`${name} is ${shown(text)}: give ${mostMs / 1000}s or less`);
  return ms;
}

export function wordOf<W extends string>(name: string, text: string | undefined, words: readonly W[]): W | undefined {
  if (text !== undefined && !words.includes(text as W)) throw invalid(`there is no ${name} ${shown(text)}; there are ${words.join(", ")}`);
  return text as W | undefined;
}

/** The value of `Idempotency-Key`, with or without the quotes that the draft of the IETF asks for. */
export function keyOf(request: Request): string | undefined {
  const header = request.headers.get("idempotency-key");
  if (header === null) return undefined;
  const key = /^"((?:[^"\\]|\\["\\])*)"$/.exec(header)?.[1]?.replaceAll(/\\(["\\])/g, "$1") ?? header;
  if (key === "" || key.length > 255 || /\p{Cc}/u.test(key))
    throw invalid(
      "Idempotency-Key is empty, longer than 255 characters, or holds control characters: give a text of your own, such as a UUID",
    );
  return key;
}

export function invalid(message: string): OnexError {
  return new OnexError("OPTION_INVALID", message);
}
