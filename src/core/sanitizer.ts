/**
 * What is secret in texts, values and errors, and how it is shown without it.
 *
 * Three things are secret: what stands under a key that names a secret (secret-names.ts), what has the shape of one
 * (secret-patterns.ts), and the values that were registered, wherever they stand.
 *
 * Z1 It never throws, whatever it is given, and does not change it.
 * Z2 What it answered passes through it unchanged.
 */
import type { Failure } from "./failure.ts";
import type { Json } from "./json.ts";
import { type NameVerdict, nameVerdict } from "./secret-names.ts";
import { redacted, redactPatterns } from "./secret-patterns.ts";

export { redacted };

/** A shorter value would turn up everywhere by chance. */
export const minSecretLength = 6;
/** Deepest nesting that is looked into; what lies deeper is not shown. */
const maxDepth = 220;

// What JSON text without secrets passes: three expressions, since one of all takes twice as long. They err by being too careful.
const nameHint =
  /passw|passph|passc|pwd|kennw|secret|token|credent|authoriz|cookie|jwt|otp|cv[vc]|ssn|pin\d*["'\\:=_-]|dsn|bearer|basic|[^"]key|credit|card[^a-z0-9"]{0,2}n|cc[^a-z0-9"]?n|security|conn(?:ection)?[^a-z0-9"]{0,2}string|session|(?:mfa|recovery|backup|time)[^a-z0-9"]{0,2}code/i;
const shapeHint =
  /AKIA|ASIA|gh[pousr]_|_pat_|gl[a-z]{2,5}-|xox|xapp|[srp]k_|whsec_|AIza|ya29|GOCSPX|npm_|pypi-|sk-|hf_|SG\.|_v1_|shp|dapi|hv[sb]\.|AGE-|eyJ|-----B|:\/\/[^\s/"]*@/;
/** It looks back only from a digit: asked at every character, that took longer than all else here. */
const numberHint = /[2-6](?:(?<![\d.].)|(?<=\\u[\da-f]{4}.))\d{3}[ -]?\d{4}[ -]?\d{4}|3\d{3}[ -]\d{6}|\d{3}-\d\d-\d{4}/;

export class Sanitizer {
  /** Registered values as they may appear, longest first: one may begin with another. */
  readonly #values: readonly string[];

  /** @param values registered as secret, each at least `minSecretLength` long. */
  constructor(values: Iterable<string> = []) {
    const forms = new Set<string>();
    for (const value of values) for (const form of formsOf(value)) if (form.length >= minSecretLength) forms.add(form);
    this.#values = [...forms].sort((a, b) => b.length - a.length);
  }

  /** Knows these values too. */
  with(values: Iterable<string>): Sanitizer {
    return new Sanitizer([...this.#values, ...values]);
  }

  /** Text of an error or a log line, with secrets replaced. */
  text(text: string): string {
    let clean = text;
    for (const value of this.#values) if (clean.includes(value)) clean = clean.replaceAll(value, redacted);
    return redactPatterns(clean);
  }
  /** The template's name of `text`. */
  sanitizeError(text: string): string {
    return this.text(text);
  }
  /** The template's name of `text` for what a schema says: such a message may quote the value that it refuses. */
  sanitizeValidationError(text: string): string {
    return this.text(text);
  }

  /** A value to be shown: each secret in it is `"[redacted]"`. The same value when there is none. */
  json(value: Json): Json {
    return this.replace(value, () => redacted);
  }

  failure(failure: Failure): Failure {
    const message = this.text(failure.message);
    // A code is what a workflow decides by: only what has the shape of a secret is taken out of it.
    const code = redactPatterns(failure.code);
    const details = failure.details === undefined ? undefined : this.json(failure.details);
    if (message === failure.message && code === failure.code && details === failure.details) return failure;
    return { code, message, ...(details === undefined ? {} : { details }) };
  }

  /** Whatever was thrown or is handed to a log, as plain data: errors with stack, causes and members, without secrets. */
  value(value: unknown): unknown {
    return this.#plain(value, new Set(), 0, undefined);
  }

  /** Text of whatever was thrown, with its stack and its causes. */
  error(thrown: unknown): string {
    const lines: string[] = [];
    const seen = new Set<unknown>();
    const tell = (error: unknown, label: string): void => {
      if (lines.length > 50) return;
      if (seen.has(error)) return void lines.push(`${label}(seen above)`);
      if (!(error instanceof Error)) return void lines.push(`${label}${this.text(stringOf(error))}`);
      seen.add(error);
      lines.push(`${label}${this.text(stringOf(read(error, "stack") ?? read(error, "message")))}`);
      const errors = read(error, "errors");
      if (Array.isArray(errors)) for (const one of errors) tell(one, "with ");
      const cause = read(error, "cause");
      if (cause !== undefined) tell(cause, "caused by ");
    };
    tell(thrown, "");
    return lines.join("\n");
  }

  // ── for the store ──

  /** Whether JSON text may hold a secret. No for most texts, in one pass. */
  suspects(text: string): boolean {
    if (shapeHint.test(text) || numberHint.test(text) || nameHint.test(text)) return true;
    for (const value of this.#values) if (text.includes(value)) return true;
    return false;
  }

  /** The value with every secret in it replaced by what `by` answers; the same value when there is none. */
  replace(value: Json, by: (secret: Json) => Json): Json {
    return this.#replace(value, by, 0);
  }

  /** Adds the texts of all secrets in the value to `found`. */
  secretsIn(value: Json, found: Set<string>): void {
    this.replace(value, (secret) => {
      textsIn(secret, found);
      return secret;
    });
  }

  #replace(value: Json, by: (secret: Json) => Json, depth: number): Json {
    if (typeof value === "string") return this.#secretText(value) ? by(value) : value;
    if (typeof value !== "object" || value === null) return value;
    if (depth > maxDepth) return redacted;
    if (Array.isArray(value)) {
      let copy: Json[] | undefined;
      for (let i = 0; i < value.length; i++) {
        const item = value[i] as Json;
        const clean = this.#replace(item, by, depth + 1);
        if (clean === item) continue;
        copy ??= value.slice() as Json[];
        copy[i] = clean;
      }
      return copy ?? value;
    }
    let copy: Record<string, Json> | undefined;
    for (const key of Object.keys(value)) {
      const item = (value as { readonly [key: string]: Json })[key] as Json;
      const clean = holds(item, nameVerdict(key)) ? by(item) : this.#replace(item, by, depth + 1);
      if (clean === item) continue;
      copy ??= shallow(value as Record<string, Json>);
      // An own property by now, `__proto__` too: this sets no prototype.
      copy[key] = clean;
    }
    return copy ?? value;
  }

  #secretText(text: string): boolean {
    return text.length >= minSecretLength && text !== redacted && this.text(text) !== text;
  }

  #plain(value: unknown, above: Set<unknown>, depth: number, name: string | undefined): unknown {
    if (name !== undefined && holds(value, nameVerdict(name))) return redacted;
    if (typeof value === "string") return this.text(value);
    if (typeof value === "function" || typeof value === "symbol") return this.text(stringOf(value));
    if (typeof value !== "object" || value === null) return value;
    if (depth > 20 || above.has(value)) return "[circular]";
    above.add(value);
    try {
      if (Array.isArray(value)) return value.map((item) => this.#plain(item, above, depth + 1, undefined));
      const plain: Record<string, unknown> = {};
      const put = (key: string, item: unknown): void => {
        const clean = this.#plain(item, above, depth + 1, key);
        Object.defineProperty(plain, key, { value: clean, enumerable: true, writable: true, configurable: true });
      };
      const json = read(value, "toJSON");
      if (typeof json === "function")
        return this.#plain(
          tried(() => json.call(value)),
          above,
          depth + 1,
          undefined,
        );
      if (value instanceof Error)
        for (const key of ["name", "message", "stack", "cause", "errors"]) if (read(value, key) !== undefined) put(key, read(value, key));
      if (value instanceof Map)
        return [...value].map(([key, item]) => [
          this.#plain(key, above, depth + 1, undefined),
          this.#plain(item, above, depth + 1, typeof key === "string" ? key : undefined),
        ]);
      if (value instanceof Set) return [...value].map((item) => this.#plain(item, above, depth + 1, undefined));
      for (const key of tried(() => Object.keys(value)) ?? []) put(key, read(value, key));
      return plain;
    } finally {
      above.delete(value);
    }
  }
}

/** Whether something under a name of this kind is a secret. Yes, no, nothing and what was redacted already are none. */
function holds(value: unknown, verdict: NameVerdict, depth = 0): boolean {
  if (verdict === "nothing") return false;
  switch (typeof value) {
    case "string":
      return value !== "" && value !== redacted && !(verdict === "uncounted" && /^\d{1,9}$/.test(value));
    case "number":
    case "bigint":
      return verdict === "anything";
    case "object": {
      if (value === null || depth > maxDepth) return false;
      if (Array.isArray(value)) return value.some((item) => holds(item, verdict, depth + 1));
      if (verdict === "text") return false;
      return (tried(() => Object.values(value)) ?? []).some((item) => holds(item, verdict, depth + 1));
    }
    default:
      return false;
  }
}

/** The ways in which a value turns up in texts: as it is, in JSON, in JSON within JSON, in a URL. */
function formsOf(value: string): string[] {
  const json = JSON.stringify(value).slice(1, -1);
  return [value, json, JSON.stringify(json).slice(1, -1), tried(() => encodeURIComponent(value)) ?? value];
}

/** Adds to `found` the texts of a secret that would be known again: a short word is part of too many sentences. */
export function textsIn(secret: Json, found: Set<string>): void {
  if (typeof secret === "string") {
    if (secret.length >= minSecretLength && secret.length <= 500 && secret !== redacted && !/^[A-Za-z]{1,7}$/.test(secret))
      found.add(secret);
  } else if (typeof secret === "object" && secret !== null) for (const item of Object.values(secret)) textsIn(item as Json, found);
}

function shallow(value: Record<string, Json>): Record<string, Json> {
  const copy: Record<string, Json> = {};
  for (const key of Object.keys(value))
    Object.defineProperty(copy, key, { value: value[key], enumerable: true, writable: true, configurable: true });
  return copy;
}

function read(from: object, key: string): unknown {
  return tried(() => (from as Record<string, unknown>)[key]);
}
function stringOf(value: unknown): string {
  return tried(() => String(value)) ?? "something that has no text";
}
/** What a getter, a proxy or `toString` of the user answers, if it does. */
function tried<T>(ask: () => T): T | undefined {
  try {
    return ask();
  } catch {
    return undefined;
  }
}
