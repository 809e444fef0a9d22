/** A provider of OpenTelemetry in memory, as a user would register one. */
import { AsyncLocalStorage } from "node:async_hooks";
import { type Context, type ContextManager, context, ROOT_CONTEXT, SpanStatusCode, type Tracer } from "@opentelemetry/api";
import { BasicTracerProvider, InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { onTestFinished } from "vitest";

/** What the package of the SDK does that gives contexts to asynchronous calls. */
class Contexts implements ContextManager {
  readonly #storage = new AsyncLocalStorage<Context>();
  active(): Context {
    return this.#storage.getStore() ?? ROOT_CONTEXT;
  }
  with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    given: Context,
    call: F,
    self?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    return this.#storage.run(given, () => call.apply(self as ThisParameterType<F>, args));
  }
  bind<T>(_given: Context, target: T): T {
    return target;
  }
  enable(): this {
    return this;
  }
  disable(): this {
    this.#storage.disable();
    return this;
  }
}

/** A span as a test looks at it. */
export interface Seen {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  /** Name of the span above, its id when that was never seen, undefined for a root. */
  readonly parent: string | undefined;
  readonly parentId: string | undefined;
  /** Those that begin with `onex.`, without that. */
  readonly attributes: Readonly<Record<string, unknown>>;
  /** Of a failed one. */
  readonly error: string | undefined;
  readonly startMs: number;
  readonly endMs: number;
  readonly links: readonly string[];
}

export class Traces {
  readonly #exporter = new InMemorySpanExporter();
  readonly provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(this.#exporter)] });
  readonly tracer: Tracer = this.provider.getTracer("onex");

  constructor() {
    context.setGlobalContextManager(new Contexts());
    onTestFinished(() => context.disable());
  }

  /** The spans that have ended, in that order. */
  get seen(): readonly Seen[] {
    const spans = this.#exporter.getFinishedSpans();
    const names = new Map(spans.map((span) => [span.spanContext().spanId, span.name]));
    return spans.map((span) => seen(span, names));
  }
  named(name: string): readonly Seen[] {
    return this.seen.filter((span) => span.name === name);
  }
  one(name: string): Seen {
    const [span, ...more] = this.named(name);
    if (!span || more.length > 0) throw new Error(`${more.length + (span ? 1 : 0)} spans of the name ${name}`);
    return span;
  }
  /** All that was exported, to look for what must not be in it. */
  get text(): string {
    return JSON.stringify(
      this.#exporter.getFinishedSpans().map(({ name, attributes, status, events, links }) => ({ name, attributes, status, events, links })),
    );
  }
}

function seen(span: ReadableSpan, names: ReadonlyMap<string, string>): Seen {
  const parentId = span.parentSpanContext?.spanId;
  return {
    name: span.name,
    ...{ traceId: span.spanContext().traceId, spanId: span.spanContext().spanId },
    parent: parentId === undefined ? undefined : (names.get(parentId) ?? parentId),
    parentId,
    attributes: Object.fromEntries(Object.entries(span.attributes).map(([name, value]) => [name.replace(/^onex\./, ""), value])),
    error: span.status.code === SpanStatusCode.ERROR ? (span.status.message ?? "") : undefined,
    ...{ startMs: ms(span.startTime), endMs: ms(span.endTime) },
    links: span.links.map(({ context }) => context.spanId),
  };
}

const ms = ([seconds, nanos]: readonly [number, number]): number => seconds * 1000 + nanos / 1e6;
