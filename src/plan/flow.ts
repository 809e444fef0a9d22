/**
 * A plan, read: names resolved, expressions parsed, the graph drawn. The checker walks it and the interpreter runs it;
 * neither looks at the text again.
 */
import type { Duration } from "../core/duration.ts";
import type { Json } from "../core/json.ts";
import type { RetryPolicy } from "../core/retry.ts";
import type { Expression } from "./expression.ts";
import type { Place } from "./finding.ts";
import type { Spots } from "./spots.ts";
import type { Template } from "./template.ts";

export interface Flow {
  readonly name: string;
  readonly version: string;
  readonly description: string | undefined;
  readonly labels: readonly string[];
  readonly input: Json | undefined;
  readonly config: Json | undefined;
  readonly signals: ReadonlyMap<string, Json>;
  readonly values: { readonly [key: string]: Json };
  readonly timeout: Duration | undefined;
  /** Undefined: as the run's defaults say, else 16. */
  readonly concurrency: number | undefined;
  readonly defaults: { readonly timeout?: Duration | undefined; readonly retry?: RetryPolicy | false | undefined };
  readonly onFailure: "compensate" | "stop" | undefined;
  readonly body: Block;
  readonly at: Spots;
  readonly places: { readonly file: Place; readonly input: Place; readonly config: Place; readonly signals: ReadonlyMap<string, Place> };
}

/** Named steps of one scope, and how they wait for each other. */
export interface Block {
  readonly steps: readonly NamedStep[];
  readonly index: ReadonlyMap<string, number>;
  /** Undefined: the value of the last step. */
  readonly output: Template | undefined;
  /** For each step: who waits for it. */
  readonly dependents: readonly (readonly Dependent[])[];
  /** Each step waits for the one before it: they run one after the other, without a fiber for each. */
  readonly chain: boolean;
}
/** `any`: it is one of several, of which enough is enough. */
export interface Dependent {
  readonly step: number;
  readonly any: boolean;
}
export interface NamedStep {
  readonly name: string;
  readonly body: Step;
  /** How many things must settle before it starts; an `any` is one. */
  readonly waitsFor: number;
  readonly any: { readonly of: readonly string[]; readonly count: number } | undefined;
  /** Declaration order in the whole plan, to break ties of priority. */
  readonly order: number;
  /** Its failure is judged by the `any` of others, not by the block (API 4, point 7). */
  readonly judged: boolean;
}

export interface Step {
  readonly verb: Verb;
  readonly place: Place;
  readonly description: string | undefined;
  readonly at: Spots;
  readonly when: Expression | undefined;
  readonly fallback: Template | undefined;
  readonly timeout: Duration | undefined;
  readonly retry: RetryPolicy | false | undefined;
  readonly onError: "fail" | "continue" | Step;
  /** Its value is `{ ok, value, error }`. */
  readonly outcome: boolean;
  readonly undo: Step | undefined;
  readonly keep: boolean;
  readonly priority: number | undefined;
  /** What `needs` says, with where it says it. */
  readonly needs: Needs | undefined;
}
export interface Needs {
  readonly names: readonly { readonly name: string; readonly place: Place }[];
  readonly any: number | undefined;
  readonly place: Place;
}

/** The call of a stream, whose items an `each` consumes: it has no modifiers but `timeout` and `retry`. */
export type StreamCall = Step & { readonly verb: Verb & { readonly kind: "call" } };
export type CallKind = "compute" | "effect" | "reducer" | "workflow";
export type Verb =
  | {
      readonly kind: "call";
      readonly node: CallKind;
      readonly reference: string;
      readonly place: Place;
      readonly with: Template | undefined;
    }
  | { readonly kind: "read"; readonly reference: string; readonly place: Place; readonly key: Template | undefined }
  | { readonly kind: "wait"; readonly signal: string; readonly place: Place }
  | { readonly kind: "sleep"; readonly ms: number | undefined; readonly time: Template | undefined }
  | { readonly kind: "set"; readonly value: Template }
  | { readonly kind: "fail"; readonly code: Template; readonly message: Template | undefined; readonly details: Template | undefined }
  | { readonly kind: "rethrow"; readonly error: Template }
  | { readonly kind: "steps"; readonly block: Block }
  | { readonly kind: "switch"; readonly cases: readonly Step[] }
  | {
      readonly kind: "each";
      readonly over: Expression | StreamCall;
      readonly body: Step;
      readonly as: string;
      /** Undefined: as the run's defaults say, else 10. */
      readonly concurrency: number | undefined;
      readonly batchSize: number | undefined;
      readonly collect: boolean;
    }
  | { readonly kind: "race"; readonly branches: ReadonlyMap<string, Step> }
  | { readonly kind: "repeat"; readonly body: Step; readonly until: Expression; readonly max: number; readonly everyMs: number };
