/** A tracer, or what the user's SDK does with a span, may throw: that must neither stop a run nor change it. */
import { failureOf } from "../../core/failure.ts";
import type { Tracing } from "./tracing.ts";

/** As `tracing`; where that throws nothing is traced, and `warn` is told the first time. */
export function careful(tracing: Tracing, warn: (message: string) => void): Tracing {
  let told = false;
  const attempted = <T>(trace: () => T, otherwise: T): T => {
    try {
      return trace();
    } catch (error) {
      if (!told) warn(`a span could not be made, and runs go on without: ${failureOf(error, "").message}`);
      told = true;
      return otherwise;
    }
  };
  return {
    starting: (asked, started) => attempted(() => tracing.starting(asked, started), started),
    begun: (started) => attempted(() => tracing.begun(started), undefined),
    accepted: (run, facts) => attempted(() => tracing.accepted(run, facts), undefined),
    attempt: (run, delivery) => attempted(() => tracing.attempt(run, delivery), undefined),
    left: (runId) => attempted(() => tracing.left(runId), undefined),
    ended: (run, final) => attempted(() => tracing.ended(run, final), undefined),
    close: () => attempted(() => tracing.close(), undefined),
  };
}
