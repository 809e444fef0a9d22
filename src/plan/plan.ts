/**
 * A workflow as data: what a YAML contract says, and what code may build by itself. The words and their meaning are the
 * grammar of the guide; `${ … }` stands in any template.
 */
import type { Duration } from "../core/duration.ts";
import type { Json } from "../core/json.ts";
import type { RetryPolicy } from "../core/retry.ts";

/** Any JSON, in which text may hold `${ expression }`. */
export type Template = Json;
/** An expression without `${ }`. */
export type Cel = string;
/** JSON Schema (2020-12), or `{ $ref: "./file.json" }`. */
export type JsonSchema = boolean | { readonly [key: string]: Json };

export interface Plan {
  readonly onex: "v1";
  readonly kind: "workflow";
  readonly name: string;
  readonly version: string;
  readonly description?: string;
  readonly labels?: readonly string[];
  readonly input?: JsonSchema;
  readonly config?: JsonSchema;
  readonly signals?: Readonly<Record<string, JsonSchema>>;
  readonly values?: Readonly<Record<string, Json>>;
  readonly timeout?: Duration;
  readonly concurrency?: number;
  readonly defaults?: Defaults;
  readonly onFailure?: "compensate" | "stop";
  readonly steps: Readonly<Record<string, Step>>;
  readonly output?: Template;
}

export interface Defaults {
  readonly timeout?: Duration;
  readonly retry?: number | false | RetryPolicy;
}

/** What any step may say. */
export interface Modifiers {
  readonly when?: Cel;
  readonly default?: Template;
  readonly needs?: readonly string[] | { readonly any: readonly string[]; readonly count?: number };
  readonly timeout?: Duration;
  readonly onError?: "fail" | "continue" | Step;
  /** The value is what became of the step: `{ ok, value, error }`. It needs `onError: continue` to outlive a failure. */
  readonly outcome?: boolean;
  readonly priority?: number;
  readonly description?: string;
}
interface Call extends Modifiers {
  readonly with?: Template;
  readonly retry?: number | false | RetryPolicy;
}

/** The call of a stream node, whose items are consumed as they arrive. */
interface StreamSource extends Pick<Call, "with" | "timeout" | "retry"> {
  readonly effect: string;
}

/** One verb and its modifiers. */
export type Step =
  | (Call & { readonly compute: string })
  | (Call & { readonly effect: string; readonly undo?: Step; readonly keep?: boolean })
  | (Call & { readonly reducer: string })
  | (Call & { readonly workflow: string })
  | (Modifiers & { readonly read: string; readonly key?: Template })
  | (Modifiers & { readonly wait: string })
  | (Modifiers & { readonly sleep: string })
  | (Modifiers & { readonly set: Template })
  | (Modifiers & { readonly fail: string | { readonly code: string; readonly message?: string; readonly details?: Template } })
  | (Modifiers & { readonly steps: Readonly<Record<string, Step>>; readonly output?: Template })
  | (Modifiers & { readonly switch: readonly Step[] })
  | (Modifiers & {
      readonly each: Cel | StreamSource;
      readonly do: Step;
      readonly as?: string;
      readonly concurrency?: number;
      readonly batchSize?: number;
      readonly onItemError?: "fail" | "collect";
    })
  | (Modifiers & { readonly race: Readonly<Record<string, Step>> })
  | (Modifiers & { readonly repeat: Step; readonly until: Cel; readonly max: number; readonly every?: Duration });
