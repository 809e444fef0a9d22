/** What a run that is driven sees of the process that drives it. */
import type { CommandOf } from "../core/command.ts";
import type { RunDefaults } from "../core/defaults.ts";
import type { Fact, FactBody, FinalBody } from "../core/fact.ts";
import type { Failure } from "../core/failure.ts";
import type { Json } from "../core/json.ts";
import type { Pin } from "../core/pin.ts";
import type { NodeSource, WorkflowContract } from "../node/contract.ts";
import type { Checked } from "../node/schema.ts";
import type { Appended, OpenStore, StoreHost, TurnRow } from "../store/store.ts";
import type { ActiveRun } from "./active-run.ts";
import type { AtHand } from "./at-hand.ts";
import type { Begun } from "./begin.ts";
import type { Call } from "./call.ts";
import type { NodeClient } from "./client/client.ts";
import type { Gate } from "./gate.ts";
import type { Secrets } from "./secrets.ts";
import type { Services } from "./services.ts";
import type { States } from "./states.ts";
import type { Timers } from "./timers.ts";
import type { Tracing } from "./tracing/tracing.ts";
import type { World } from "./world.ts";
import type { Writer } from "./writer.ts";

export interface Settings {
  readonly parkAfterMs: number;
  readonly abortGraceMs: number;
  readonly maxValueBytes: number;
  /** What a run may take to be held good. */
  readonly performanceThresholdMs: number;
  /** Pinned in the runs that begin here. */
  readonly runDefaults?: RunDefaults | undefined;
  /** Of a root run that has neither a timeout nor a deadline. */
  readonly runTimeoutMs?: number | undefined;
  readonly maxWorkflowDepth: number;
  /** Root runs that may be driven at once; undefined: any number. */
  readonly maxConcurrentWorkflows: number | undefined;
  readonly whenFull: "queue" | "refuse";
  /** How long a start waits for a store that answers none. */
  readonly startTimeoutMs: number;
  readonly lease?: StoreHost["lease"];
}

export interface Runtime {
  readonly world: World;
  readonly store: OpenStore;
  readonly services: Services;
  readonly client: NodeClient;
  readonly secrets: Secrets;
  readonly registry: NodeSource;
  readonly settings: Settings;
  readonly writer: Writer;
  readonly timers: Timers;
  readonly states: States;
  readonly gate: Gate;
  readonly tracing: Tracing;
  readonly leaseId: string;
  /** Nothing new is begun any more. */
  readonly closing: boolean;
  guard<T>(advance: () => T): T;
  value(of: "now" | "random" | "uuid", now: number): Json;
  /** Facts of a run, read at once. */
  factsNow(runId: string): readonly Fact[];
  /** The facts of a turn. */
  decode(runNo: number, turn: Pick<TurnRow, "facts" | "blobs">): Fact[];
  /** What the next fold of a run needs of the store, when that cannot be asked at once. */
  readonly atHand: AtHand;
  /** The workflow that a run is pinned to, if this process holds it. */
  workflowOf(pin: Pin): WorkflowContract | undefined;
  /** The same, with definitions that only the store holds, read at once. */
  workflowNow(pin: Pin): WorkflowContract | undefined;
  /** A workflow that another one calls in code is held from now on. */
  learn(contract: WorkflowContract): void;

  newChild(parent: ActiveRun, wish: CommandOf<"start-child">, now: number): Begun | { readonly error: Failure };
  successor(run: ActiveRun, input: Json, now: number): Begun;
  /** The failure of a run that forgot an operation, with its place. */
  placed(run: ActiveRun, final: FactBody & { readonly type: "run.failed" }, turn: readonly Fact[]): FinalBody;

  /** A turn was accepted. */
  accepted(run: ActiveRun, facts: readonly Fact[]): void;
  /** `taking`: it was a turn that takes the run. */
  refused(run: ActiveRun, answer: Appended & { readonly accepted: false }, taking: boolean): void;
  ended(run: ActiveRun, final: Fact & FinalBody, successor: Begun | undefined, successorNo: number | undefined): void;
  parked(run: ActiveRun, wakeAt: number | null): void;
  /** Folding threw: the run's code has changed, or there is a bug. */
  broken(run: ActiveRun, error: unknown): void;
  /** Drives a run whose first turn is in the store. */
  adopt(begun: Begun, runNo: number): void;
  /** Starts the call after the batch, in the order of priority. */
  deliver(call: Pick<Call, "start">, decoded: Checked | undefined, command: Pick<CommandOf<"deliver">, "priority" | "delivery">): void;
  /** Tells the run, if it is driven here then, that a timer of it is due. */
  wake(runNo: number, step: string, due: number): void;
  callOver(): void;
  /** A message was put into the inbox of that run. */
  posted(runId: string): void;
}
