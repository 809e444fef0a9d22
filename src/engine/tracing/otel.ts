/**
 * The door to OpenTelemetry. Its API is loaded only where somebody has registered a provider before, or asks for it; the SDK is
 * the user's. A provider stands under a key that all copies of the API share, so it is seen without loading one.
 */
import { createRequire } from "node:module";
import type * as Api from "@opentelemetry/api";
import { readTraceparent } from "./traceparent.ts";

export interface Otel {
  readonly api: typeof Api;
  readonly tracer: Api.Tracer;
}

/**
 * The API with the tracer that was asked for; undefined when nobody traces.
 * @param asked a tracer; `true`: that of the provider that is, or will be, registered; `false`: none; undefined: that of the
 * provider that is registered by now.
 */
export function openTelemetry(asked: boolean | Api.Tracer | undefined): Otel | undefined {
  if (asked === false || (asked === undefined && !isRegistered())) return undefined;
  const api = load();
  return { api, tracer: typeof asked === "object" ? asked : api.trace.getTracer("onex") };
}

/** Has the registered provider send what it holds: a command ends sooner than a batch is full. Throws what its exporter throws. */
export async function flushSpans(): Promise<void> {
  if (!isRegistered()) return;
  const registered = load().trace.getTracerProvider() as Partial<Api.ProxyTracerProvider>;
  const provider = (registered.getDelegate?.() ?? registered) as { forceFlush?(): Promise<void> };
  await provider.forceFlush?.();
}

function load(): typeof Api {
  return createRequire(import.meta.url)("@opentelemetry/api") as typeof Api;
}

function isRegistered(): boolean {
  const shared = (globalThis as { readonly [key: symbol]: unknown })[Symbol.for("opentelemetry.js.api.1")];
  return (shared as { readonly trace?: unknown } | undefined)?.trace !== undefined;
}

/** The context of a span that was made elsewhere. */
export function contextOf({ api }: Otel, traceparent: string, tracestate?: string | null): Api.Context | undefined {
  const read = readTraceparent(traceparent);
  if (!read) return undefined;
  const state = tracestate ? { traceState: api.createTraceState(tracestate) } : {};
  return api.trace.setSpanContext(api.ROOT_CONTEXT, { ...read, ...state, isRemote: true });
}

/**
 * Does what a request asks for, in the trace that its headers name. A span that the server's own instrumentation has opened for
 * the request in that trace stays the parent.
 */
export function withinTrace<T>(otel: Otel | undefined, headers: Pick<Headers, "get">, call: () => T): T {
  const given = otel && headers.get("traceparent");
  if (!given) return call();
  const { api } = otel;
  // A client that adds its own makes a list of it: the last one is the closest.
  const traceparent = given.split(",").at(-1)?.trim() ?? "";
  const sent = contextOf(otel, traceparent, headers.get("tracestate"));
  const open = api.trace.getSpanContext(api.context.active());
  if (!sent || open?.traceId === api.trace.getSpanContext(sent)?.traceId) return call();
  return api.context.with(sent, call);
}
