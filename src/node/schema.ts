/** The part of Standard Schema that we read; zod, valibot and arktype satisfy it (standardschema.dev, version 1). */
import { OnexError } from "../core/failure.ts";
import { copyJson, type Json } from "../core/json.ts";
import type { Operation } from "../core/operation.ts";

/** A schema of any library. `In` is what may be handed in, `Out` what the function gets. */
// biome-ignore lint/suspicious/noExplicitAny: a schema of any input; `unknown` would refuse every concrete one
export interface Schema<In = any, Out = In> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    // biome-ignore lint/suspicious/noExplicitAny: later versions of the standard pass options we do not use
    readonly validate: (value: unknown, ...rest: any[]) => unknown;
    readonly types?: { readonly input: In; readonly output: Out } | undefined;
  };
}
/** What may be handed in (before the schema's defaults and transforms). */
// biome-ignore lint/suspicious/noExplicitAny: matches every output
export type In<S> = S extends Schema<infer I, any> ? I : never;
/** What the function gets (after them). */
// biome-ignore lint/suspicious/noExplicitAny: matches every input
export type Out<S> = S extends Schema<any, infer O> ? O : never;

// biome-ignore lint/suspicious/noConfusingVoidType: what a function without `return` gives
type Nothing = undefined | void;
/** Nothing when `R` survives a trip through JSON, else a type that names the trouble. */
export type Complaint<R> = [R] extends [Json | Nothing] ? unknown : R extends Stored<R> ? unknown : Stored<R>;
/** `T` when it survives a trip through JSON; a readable complaint where it does not. */
export type Stored<T> = 0 extends 1 & T // any: the author has opted out
  ? T
  : unknown extends T
    ? T
    : T extends string | number | boolean | null | Nothing
      ? T
      : T extends PromiseLike<unknown>
        ? "✗ a promise cannot be stored: compute, reducer and workflow functions are synchronous"
        : T extends Operation<unknown>
          ? "✗ this operation was never performed: write `yield*` before it"
          : T extends bigint | symbol
            ? "✗ a bigint or symbol cannot be stored as JSON"
            : T extends (...args: never) => unknown
              ? "✗ a function cannot be stored as JSON"
              : T extends Date
                ? "✗ a Date becomes a string when stored: return date.toISOString()"
                : T extends ReadonlyMap<unknown, unknown> | ReadonlySet<unknown>
                  ? "✗ a Map or Set is lost when stored: return an array or object"
                  : T extends object
                    ? { [K in keyof T]: Stored<T[K]> }
                    : never;

interface Issue {
  readonly message: string;
  readonly path?: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }>;
}
type Verdict = { readonly value: unknown; readonly issues?: undefined } | { readonly issues: readonly Issue[] };

/** What a value became under a schema, or what is wrong with it, in one sentence. */
export type Checked = { readonly value: unknown; readonly problem?: undefined } | { readonly problem: string };

/**
 * Validates at once. What comes out shares nothing with `value`: user code may change it, a schema may hand it through.
 * Throws OnexError `SCHEMA_ASYNC` when the schema answers with a promise; `where` names it.
 */
export function check(schema: Schema, value: Json, where: string): Checked {
  const verdict = schema["~standard"].validate(copyJson(value));
  if (isPromise(verdict))
    throw new OnexError("SCHEMA_ASYNC", `${where}: its schema validates asynchronously; use a synchronous schema, or check in an effect`);
  return judged(verdict as Verdict);
}

function judged(verdict: Verdict): Checked {
  if (verdict.issues === undefined) return verdict;
  const shown = verdict.issues.slice(0, 5).map(sentence);
  const more = verdict.issues.length - shown.length;
  return { problem: shown.join("; ") + (more > 0 ? `; and ${more} more` : "") };
}

function sentence(issue: Issue): string {
  const path = (issue.path ?? []).map((part) => String(typeof part === "object" ? part.key : part)).join(".");
  return path === "" ? issue.message : `${path}: ${issue.message}`;
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}

/** Validates at once where the schema can, else with a promise. */
export function checkMaybe(schema: Schema, value: Json): Checked | Promise<Checked> {
  const verdict = schema["~standard"].validate(copyJson(value));
  return isPromise(verdict) ? Promise.resolve(verdict).then((later) => judged(later as Verdict)) : judged(verdict as Verdict);
}
