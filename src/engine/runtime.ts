/** What a run that is driven sees of the process that drives it. */
import type { CommandOf } from "../core/command.ts";
import type { RunDefaults } from "../core/defaults.ts";
import type { Fact } from "../core/fact.ts";
import type { Pin } from "../core/pin.ts";
import type { NodeSource, PlanSource, WorkflowContract } from "../node/contract.ts";
import type { Checked } from "../node/schema.ts";
import type { OpenStore, StoreHost, TurnRow } from "../store/store.ts";
import type { ActiveRuns } from "./active-runs.ts";
import type { AtHand } from "./at-hand.ts";
import type { Call } from "./call.ts";
import type { NodeClient } from "./client/client.ts";
import type { Definitions } from "./definitions.ts";
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
  readonly definitions: Definitions;
  /** The runs that it drives. */
  readonly runs: ActiveRuns;
  readonly leaseId: string;
  /** Nothing new is begun any more. */
  readonly closing: boolean;
  guard<T>(advance: () => T): T;
  /** The facts of a turn. */
  decode(runNo: number, turn: Pick<TurnRow, "facts" | "blobs">): Fact[];
  /** What the next fold of a run needs of the store, when that cannot be asked at once. */
  readonly atHand: AtHand;
  /** The workflow that a run is pinned to, if this process holds it. */
  workflowOf(pin: Pin): WorkflowContract | undefined;
  /** Sees to it that a definition is in the store before the first run that is pinned to it. */
  keep(plan: PlanSource): void;

  /** Starts the call after the batch, in the order of priority. */
  deliver(call: Pick<Call, "start">, decoded: Checked | undefined, command: Pick<CommandOf<"deliver">, "priority" | "delivery">): void;
  /** Tells the run, if it is driven here then, that a timer of it is due. */
  wake(runNo: number, step: string, due: number): void;
  callOver(): void;
  /** A message was put into the inbox of that run. */
  posted(runId: string): void;
}
