/** What the engine tells whoever traces its runs. Nobody does unless OpenTelemetry is there (`otel.ts`). */
import type { Fact, FinalBody, Started } from "../../core/fact.ts";
import type { StartOptions } from "../api.ts";

/** The start of a run, as it was asked for. */
export interface Asked {
  readonly id: string;
  readonly options: Pick<StartOptions, "traceparent">;
  /** The step of another run that starts it. */
  readonly parent?: Started["parent"];
  readonly ancestors?: Started["ancestors"];
  /** The tick that starts it: nobody called. */
  readonly scheduledAt?: number;
}
/** A run that is driven here. */
export interface Traced {
  readonly id: string;
  readonly epoch: number;
  readonly replay: { readonly started: Started | undefined };
}
/** One delivery that is about to be made. */
export interface Delivery {
  readonly step: string;
  readonly attempt: number;
  readonly delivery: number;
  readonly callee: { readonly kind: "compute" | "effect" | "reducer" | "workflow"; readonly name: string };
}

/** The span of one delivery. */
export interface AttemptSpan {
  /** What goes with the call over the network. */
  readonly headers: Readonly<Record<string, string>>;
  /** Makes the call inside the span, so that spans of the user's own are its children. */
  within<T>(call: () => T): T;
  /** An answer has come, or none will. */
  over(): void;
}

export interface Tracing {
  /** A run is to be started: the fact, with the `traceparent` that all its spans follow. */
  starting(asked: Asked, started: Started): Started;
  /** A start is in the store. */
  begun(started: Started | undefined): void;
  /** A turn of a run was accepted. */
  accepted(run: Traced, facts: readonly Fact[]): void;
  /** A delivery leaves; its turn is accepted. */
  attempt(run: Traced, delivery: Delivery): AttemptSpan | undefined;
  /** The run is not driven here any more, or not now. */
  left(runId: string): void;
  /** The last turn of the run was accepted. */
  ended(run: Traced, final: Fact & FinalBody): void;
  /** Nothing follows: what is open is ended as it stands. */
  close(): void;
}

/** Nobody traces: nothing is made, nothing is kept. */
export const untraced: Tracing = {
  // What a caller names is kept for those who do.
  starting: ({ options: { traceparent } }, started) => (traceparent === undefined ? started : { ...started, traceparent }),
  begun: () => {},
  accepted: () => {},
  attempt: () => undefined,
  left: () => {},
  ended: () => {},
  close: () => {},
};
