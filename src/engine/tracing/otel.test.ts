import { context, trace } from "@opentelemetry/api";
import { afterEach, expect, test } from "vitest";
import { Traces } from "../../../test/traces.ts";
import { openTelemetry, withinTrace } from "./otel.ts";

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const sent = `00-${traceId}-00f067aa0ba902b7-01`;
const active = () => trace.getSpanContext(context.active());
afterEach(() => trace.disable());

test("it is there when a provider was registered, or when it is asked for", () => {
  expect(openTelemetry(undefined)).toBeUndefined();
  expect(openTelemetry(true)?.tracer).toBeDefined();
  const traces = new Traces();
  expect(openTelemetry(traces.tracer)?.tracer).toBe(traces.tracer);
  trace.setGlobalTracerProvider(traces.provider);
  expect(openTelemetry(false)).toBeUndefined();
  openTelemetry(undefined)?.tracer.startSpan("seen").end();
  expect(traces.one("seen")).toBeDefined();
});

test("a request is answered in the trace that its headers name", () => {
  const traces = new Traces();
  const otel = openTelemetry(traces.tracer);
  const within = (headers: Record<string, string>) => withinTrace(otel, new Headers(headers), active);
  expect(within({ traceparent: sent, tracestate: "a=1,b=2" })).toMatchObject({ traceId, spanId: "00f067aa0ba902b7", isRemote: true });
  expect(within({ traceparent: sent, tracestate: "a=1,b=2" })?.traceState?.serialize()).toBe("a=1,b=2");
  // Two clients of one process have each added theirs.
  expect(within({ traceparent: `${sent}, 00-${traceId}-00000000000000ab-01` })?.spanId).toBe("00000000000000ab");
  for (const none of [{}, { traceparent: "" }, { traceparent: "nonsense" }, { tracestate: "a=1" }]) expect(within(none)).toBeUndefined();
  expect(withinTrace(undefined, new Headers({ traceparent: sent }), active)).toBeUndefined();
});

test("the span that the server has opened for the request stays the parent", () => {
  const otel = openTelemetry(new Traces().tracer);
  const open = (trace_: string) => trace.setSpanContext(context.active(), { traceId: trace_, spanId: "00000000000000cd", traceFlags: 1 });
  const headers = new Headers({ traceparent: sent });
  expect(context.with(open(traceId), () => withinTrace(otel, headers, active))?.spanId).toBe("00000000000000cd");
  // One that knew nothing of the header has begun a trace of its own.
  expect(context.with(open("f".repeat(32)), () => withinTrace(otel, headers, active))?.spanId).toBe("00f067aa0ba902b7");
});
