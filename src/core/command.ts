/**
 * What a run wants now. A command stands until a fact fulfils it or the run withdraws it, so the open commands are a
 * complete set: carrying one out twice after a crash is what the store's fence and the idempotency key are for.
 */
import type { FactBody, FinalBody } from "./fact.ts";
import type { Json } from "./json.ts";
import type { Callee } from "./operation.ts";

export type Command =
  /** Ask for an intent: write `action.dispatched`, or refuse with `step.failed` before this attempt. It may wait for its turn. */
  | {
      readonly type: "dispatch";
      readonly key: string;
      readonly step: string;
      readonly attempt: number;
      readonly callee: Callee;
      readonly input: Json;
      readonly timeoutMs: number;
      readonly priority: number;
      /** When the budget of all attempts (`retry.within`) ends, ms; undefined before the first attempt, and without a budget. */
      readonly giveUpAt: number | undefined;
    }
  /** Make the call, once the turn that holds its intent is accepted. `delivery` counts from 1; above 1 it was sent before. */
  | {
      readonly type: "deliver";
      readonly key: string;
      readonly step: string;
      readonly attempt: number;
      readonly callee: Callee;
      readonly input: Json;
      readonly timeoutMs: number;
      readonly priority: number;
      readonly delivery: number;
      readonly resume: Json | undefined;
    }
  /** Ask a stream's call for item number `index`; it stands until the item is recorded or the call has ended. */
  | { readonly type: "pull"; readonly key: string; readonly step: string; readonly attempt: number; readonly index: number }
  /** Abort a call in flight; its answer (or `action.failed` when it ignores the abort) still comes as a fact. */
  | { readonly type: "abort"; readonly key: string; readonly step: string; readonly attempt: number }
  | {
      readonly type: "compute";
      readonly key: string;
      readonly step: string;
      readonly callee: Callee;
      readonly input: Json;
      readonly digest: string;
      /** Of one delivery, where it is asked elsewhere; what runs inside the turn cannot be cut off. */
      readonly timeoutMs: number | undefined;
    }
  | { readonly type: "reduce"; readonly key: string; readonly step: string; readonly callee: Callee; readonly input: Json }
  | { readonly type: "read"; readonly key: string; readonly step: string; readonly callee: Callee; readonly stateKey: string }
  | { readonly type: "value"; readonly key: string; readonly step: string; readonly of: "now" | "random" | "uuid" }
  | {
      readonly type: "start-child";
      readonly key: string;
      readonly step: string;
      readonly runId: string;
      readonly callee: Callee;
      readonly input: Json;
      readonly priority: number;
    }
  | { readonly type: "cancel-child"; readonly key: string; readonly step: string; readonly runId: string }
  /** Wake me at `due` with `timer.fired`. */
  | { readonly type: "arm"; readonly key: string; readonly step: string; readonly due: number }
  /** Write this fact: the core has decided it. */
  | { readonly type: "record"; readonly key: string; readonly fact: FactBody }
  /** Write this fact as the last one. */
  | { readonly type: "finish"; readonly key: string; readonly fact: FinalBody };

export type CommandOf<T extends Command["type"]> = Extract<Command, { readonly type: T }>;
