/** What the dialects of ONEX have in common: steps, how they wait for each other, and the rules of the whole. */
import type { JsonMap } from "../cursor.ts";
import type { Place } from "../finding.ts";
import type { CallKind } from "../flow.ts";

export const modes = ["sequential", "parallel", "conditional", "batch", "streaming"] as const;
export type Mode = (typeof modes)[number];

/** What a failure does: of a step that says nothing, the workflow's strategy. */
export type OnFailure = "stop" | "continue" | "retry" | "compensate";

export interface OnexStep {
  /** As the contract has it. */
  readonly id: string;
  /** As the plan has it. */
  readonly name: string;
  readonly place: Place;
  readonly kind: CallKind;
  readonly reference: string;
  readonly referencePlace: Place;
  readonly description: string | undefined;
  /** Names of steps. */
  readonly dependsOn: readonly string[];
  /** The step's `metadata` and `step_config`, without what is read of them. */
  readonly config: JsonMap;
  readonly timeoutMs: number | undefined;
  readonly retries: number | undefined;
  readonly onFailure: OnFailure | undefined;
  readonly enabled: boolean;
  readonly skipOnFailure: boolean;
  readonly priority: number | undefined;
  readonly branch: Branch | undefined;
  /** It is a stream, whose items the one step that depends on it takes as they come. */
  readonly streams: boolean;
}

/** When a step is taken, judged on what became of another. */
export type Branch =
  | { readonly type: "if_true" | "if_false"; readonly of: string; readonly field: string | undefined; readonly place: Place }
  | { readonly type: "if_error" | "if_success" | "if_timeout"; readonly of: string; readonly place: Place }
  | { readonly type: "custom"; readonly expression: string; readonly place: Place };

export interface Rules {
  readonly mode: Mode;
  readonly onFailure: OnFailure;
  /** Steps under way at once; undefined: as many as plans have by default. */
  readonly concurrency: number | undefined;
  /** Steps of one chunk in mode batch. */
  readonly batchSize: number | undefined;
  readonly timeoutMs: number;
  readonly stepTimeoutMs: number | undefined;
  readonly retry: RetryRule | undefined;
  /** How many of the steps must complete for the run to complete, in percent. */
  readonly minPercent: number;
}
export interface RetryRule {
  readonly retries: number;
  readonly baseMs: number;
  readonly multiplier: number;
  readonly maxMs: number | undefined;
}

export interface OnexWorkflow {
  readonly name: string;
  readonly version: string;
  readonly description: string | undefined;
  readonly place: Place;
  readonly rules: Rules;
  readonly steps: readonly OnexStep[];
}
