/**
 * Runs as spans: `onex.run.start` when a run begins, and below it `onex.step` with an `onex.attempt` for each delivery, and at the
 * end `onex.run` over all of it.
 *
 * V1 A span id cannot be chosen, and a span is seen only when its process ends it. So what others hang on is a span that ends at
 *    once: the run records the context of its `onex.run.start`, and all its spans are children of that, whoever makes them.
 * V2 Spans are made of accepted facts, and of calls, which leave after their turn was accepted. A start is told when it is stored.
 * V3 A span holds names, numbers, and errors as they were recorded: cleaned. No input, no output.
 * V4 Steps that are open belong to runs that are driven here, and to at most `maxIdle` that were put down here; the spans of a
 *    process that dies are lost, and its successor opens new ones.
 * V5 All times are the store's. A call is as long as the clock that never jumps says.
 */
import type { Attributes, Context, HrTime, Span, SpanContext } from "@opentelemetry/api";
import type { Fact, FinalBody, Started } from "../../core/fact.ts";
import type { Failure } from "../../core/failure.ts";
import type { Sanitizer } from "../../core/sanitizer.ts";
import type { OpenStore } from "../../store/store.ts";
import type { Clock, World } from "../world.ts";
import { careful } from "./careful.ts";
import { contextOf, type Otel } from "./otel.ts";
import { writeTraceparent } from "./traceparent.ts";
import type { Asked, AttemptSpan, Delivery, Traced, Tracing } from "./tracing.ts";

/** What is seen of the engine. */
export interface Engine {
  readonly world: Pick<World, "hash" | "log"> & { readonly clock: Pick<Clock, "elapsed"> };
  readonly store: Pick<OpenStore, "now">;
  readonly secrets: { of(runId: string): Pick<Sanitizer, "text"> };
  readonly client: { isRemote(callee: Delivery["callee"]): boolean };
}

interface Attempt {
  readonly span: Span;
  readonly startedAt: number;
  readonly startedElapsed: number;
  /** When its answer came, ms since 1970. */
  endedAt: number | undefined;
}
interface Step {
  readonly span: Span;
  readonly context: Context;
  attempt: Attempt | undefined;
}
interface Pending {
  readonly start: Span;
  /** The step of the run above. */
  readonly step: Step | undefined;
}

const maxIdle = 1_000;

/** Traces the runs of an engine. */
export function traced(otel: Otel, engine: Engine): Tracing {
  return careful(new Spans(otel, engine), (message) => engine.world.log.warn(message, { code: "TRACING_FAILED" }));
}

class Spans implements Tracing {
  readonly #otel: Otel;
  readonly #engine: Engine;
  /** Starts that are not in the store yet. */
  readonly #pending = new WeakMap<Started, Pending>();
  readonly #open = new Map<string, Map<string, Step>>();
  /** Runs with open steps that are not driven here now, oldest first: since when, ms since 1970. */
  readonly #idle = new Map<string, number>();

  constructor(otel: Otel, engine: Engine) {
    this.#otel = otel;
    this.#engine = engine;
  }

  starting({ id, options, parent, ancestors, scheduledAt }: Asked, started: Started): Started {
    const { api, tracer } = this.#otel;
    // A child or a tick is set off by whoever happened to be next: the active context is not theirs.
    let above = api.ROOT_CONTEXT;
    if (parent || options.traceparent !== undefined) above = this.#contextOf(parent?.runId ?? id, options.traceparent);
    else if (scheduledAt === undefined) above = api.context.active();
    let step: Step | undefined;
    if (parent) {
      step = this.#step(above, parent.runId, parent.step, started.workflow, started.at, {
        "onex.workflow": ancestors?.at(-1)?.workflow.split("@")[0],
        "onex.child_run_id": id,
      });
      above = step.context;
    }
    const attributes = { "onex.run_id": id, "onex.workflow": started.workflow, "onex.version": started.version };
    // A fork has the one of the run that it shares facts with.
    const from = started.traceparent === undefined ? undefined : api.trace.getSpanContext(this.#contextOf(id, started.traceparent));
    const links = from ? [{ context: from }] : [];
    const start = tracer.startSpan(`onex.run.start ${started.workflow}`, { startTime: hrTime(started.at), attributes, links }, above);
    if (!api.isSpanContextValid(start.spanContext())) return started;
    const traced: Started = { ...started, traceparent: writeTraceparent(start.spanContext()) };
    this.#pending.set(traced, { start, step });
    return traced;
  }

  begun(started: Started | undefined): void {
    const pending = started && this.#pending.get(started);
    if (!pending) return;
    this.#pending.delete(started);
    pending.start.end(hrTime(Math.max(started.at, this.#engine.store.now())));
    const { parent } = started;
    if (pending.step && parent) this.#stepsOf(parent.runId).set(parent.step, pending.step);
  }

  accepted(run: Traced, facts: readonly Fact[]): void {
    this.#idle.delete(run.id);
    for (const fact of facts) {
      switch (fact.type) {
        case "run.started":
          this.begun(fact);
          break;
        case "action.dispatched":
          if (!this.#open.get(run.id)?.has(fact.step)) this.#openStep(run, fact.step, fact.node, fact.at);
          break;
        case "action.completed":
        case "compute.completed":
          this.#endStep(run.id, fact.step, fact.at, undefined);
          break;
        case "action.failed":
          this.#endAttempt(this.#open.get(run.id)?.get(fact.step), fact.error);
          // One that was given up says nothing more; any other is tried again, or says that it failed.
          if (fact.error.code === "CANCELLED") this.#endStep(run.id, fact.step, fact.at, fact.error);
          break;
        case "step.failed":
        case "compute.failed":
          if (!this.#open.get(run.id)?.has(fact.step)) this.#openStep(run, fact.step, fact.node, fact.at);
          this.#endStep(run.id, fact.step, fact.at, fact.error);
          break;
        case "child.ended":
          this.#endStep(run.id, fact.step, fact.at, fact.error);
          break;
      }
    }
  }

  attempt(run: Traced, { step, attempt, delivery, callee }: Delivery): AttemptSpan | undefined {
    const { api, tracer } = this.#otel;
    const startedAt = this.#engine.store.now();
    const startedElapsed = this.#engine.world.clock.elapsed();
    // A process before this one has begun it, or a compute is asked.
    const open = this.#open.get(run.id)?.get(step) ?? this.#openStep(run, step, callee.name, startedAt);
    this.#endAttempt(open, "unanswered");
    const remote = this.#engine.client.isRemote(callee);
    const attributes = {
      ...this.#attributes(run.id, run.replay.started?.workflow, step, callee.name),
      "onex.attempt": attempt,
      "onex.delivery": delivery,
      "onex.epoch": run.epoch,
    };
    const kind = remote ? api.SpanKind.CLIENT : api.SpanKind.INTERNAL;
    const span = tracer.startSpan(`onex.attempt ${callee.name}`, { kind, startTime: hrTime(startedAt), attributes }, open.context);
    const made: Attempt = { span, startedAt, startedElapsed, endedAt: undefined };
    open.attempt = made;
    const inside = api.trace.setSpan(open.context, span);
    // The attempt is the span of the request, and its headers name it: a client's instrumentation must not add its own.
    const context = remote ? inside.setValue(api.createContextKey(suppressed), true) : inside;
    return {
      headers: headersOf(span.spanContext()),
      within: (call) => api.context.with(context, call),
      over: () => {
        made.endedAt ??= this.#timeOf(made);
      },
    };
  }

  left(runId: string): void {
    const steps = this.#open.get(runId);
    if (!steps) return;
    for (const step of steps.values()) this.#endAttempt(step, "unanswered");
    this.#idle.delete(runId);
    this.#idle.set(runId, this.#engine.store.now());
    for (const [oldest, at] of this.#idle) {
      if (this.#idle.size <= maxIdle) break;
      this.#endAll(oldest, at);
    }
  }

  ended(run: Traced, final: Fact & FinalBody): void {
    this.#endAll(run.id, final.at);
    const { started } = run.replay;
    if (!started) return;
    const { tracer } = this.#otel;
    const attributes = {
      "onex.run_id": run.id,
      "onex.workflow": started.workflow,
      "onex.version": started.version,
      "onex.outcome": final.type.slice("run.".length),
    };
    const startTime = hrTime(started.at);
    const span = tracer.startSpan(`onex.run ${started.workflow}`, { startTime, attributes }, this.#contextOf(run.id, started.traceparent));
    if (final.type === "run.failed") this.#fail(span, final.error);
    span.end(hrTime(final.at));
  }

  close(): void {
    for (const runId of [...this.#open.keys()]) {
      this.left(runId);
      this.#endAll(runId, this.#idle.get(runId) ?? this.#engine.store.now());
    }
  }

  #stepsOf(runId: string): Map<string, Step> {
    const steps = this.#open.get(runId) ?? new Map<string, Step>();
    this.#open.set(runId, steps);
    return steps;
  }

  #openStep(run: Traced, step: string, node: string, at: number): Step {
    const { started } = run.replay;
    const attributes = { ...(started ? { "onex.workflow": started.workflow } : {}), "onex.epoch": run.epoch };
    const made = this.#step(this.#contextOf(run.id, started?.traceparent), run.id, step, node, at, attributes);
    this.#stepsOf(run.id).set(step, made);
    return made;
  }

  #step(above: Context, runId: string, step: string, node: string, at: number, more: Attributes): Step {
    const attributes = { ...this.#attributes(runId, undefined, step, node), ...more };
    const span = this.#otel.tracer.startSpan(`onex.step ${node}`, { startTime: hrTime(at), attributes }, above);
    return { span, context: this.#otel.api.trace.setSpan(above, span), attempt: undefined };
  }

  #attributes(runId: string, workflow: string | undefined, step: string, node: string): Attributes {
    return {
      "onex.run_id": runId,
      ...(workflow === undefined ? {} : { "onex.workflow": workflow }),
      // The path of a step may hold a key that comes from data.
      "onex.step": this.#engine.secrets.of(runId).text(step),
      "onex.node": node,
    };
  }

  /** V1. One that began where nobody traced has a trace too, the same in every process: its id says which. */
  #contextOf(runId: string, traceparent = this.#derived(runId)): Context {
    return contextOf(this.#otel, traceparent) ?? this.#otel.api.ROOT_CONTEXT;
  }
  #derived(runId: string): string {
    const digest = this.#engine.world.hash(`trace\0${runId}`);
    return `00-${digest.slice(0, 32)}-${digest.slice(32, 48)}-01`;
  }

  #timeOf({ startedAt, startedElapsed }: Attempt): number {
    return startedAt + Math.max(0, this.#engine.world.clock.elapsed() - startedElapsed);
  }

  /** Answers when it ended, ms since 1970; 0 when there is none. */
  #endAttempt(step: Step | undefined, how: Failure | "unanswered" | undefined): number {
    const attempt = step?.attempt;
    if (!step || !attempt) return 0;
    step.attempt = undefined;
    const endedAt = attempt.endedAt ?? this.#timeOf(attempt);
    if (how === "unanswered") attempt.span.setAttribute("onex.unanswered", true);
    else if (how) this.#fail(attempt.span, how);
    attempt.span.end(hrTime(endedAt));
    return endedAt;
  }

  #endStep(runId: string, path: string, at: number, error: Failure | undefined): void {
    const steps = this.#open.get(runId);
    const step = steps?.get(path);
    if (!steps || !step) return;
    steps.delete(path);
    if (steps.size === 0) this.#open.delete(runId);
    const endedAt = this.#endAttempt(step, error);
    if (error) this.#fail(step.span, error);
    // A turn has the time at which its folding began.
    step.span.end(hrTime(Math.max(at, endedAt)));
  }

  /** What was open there is seen, without an end of its own. */
  #endAll(runId: string, at: number): void {
    for (const step of this.#open.get(runId)?.values() ?? []) {
      const endedAt = this.#endAttempt(step, "unanswered");
      step.span.setAttribute("onex.unfinished", true);
      step.span.end(hrTime(Math.max(at, endedAt)));
    }
    this.#open.delete(runId);
    this.#idle.delete(runId);
  }

  #fail(span: Span, { code, message }: Failure): void {
    span.setAttribute("error.type", code);
    span.setStatus({ code: this.#otel.api.SpanStatusCode.ERROR, message: `${code}: ${message}` });
  }
}

/** The key under which SDKs look whether they are to keep still. */
const suppressed = "OpenTelemetry SDK Context Key SUPPRESS_TRACING";

function headersOf(span: SpanContext): Record<string, string> {
  const tracestate = span.traceState?.serialize();
  return { traceparent: writeTraceparent(span), ...(tracestate ? { tracestate } : {}) };
}

/** A number might be taken for a time since the process began. */
function hrTime(ms: number): HrTime {
  const seconds = Math.floor(ms / 1000);
  return [seconds, Math.floor((ms - seconds * 1000) * 1e6)];
}
