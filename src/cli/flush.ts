/** Who has registered a provider of OpenTelemetry (`node --import ./tracing.js …`) sees the spans of a command that ends at once. */
import { flushSpans } from "../engine/tracing/otel.ts";

/** Longest wait for a collector, ms. */
const flushMs = 2_000;

/** Resolves when spans were sent, or after two seconds. Exporters report themselves what they could not send. */
export async function flush(): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, flushMs);
  });
  await Promise.race([flushSpans().catch(() => {}), late]);
  clearTimeout(timer);
}
