/** The engine's own work is in nobody's trace. */
import type { Clock } from "../world.ts";
import type { Otel } from "./otel.ts";

/**
 * A clock whose callbacks have no active span. A timer keeps the context in which it was set, and sets the next one in it: without
 * this, all that the engine ever does would hang on the request that happened to start its first run.
 */
export function detached({ api }: Otel, clock: Clock): Clock {
  const free = (callback: () => void) => () => api.context.with(api.ROOT_CONTEXT, callback);
  return {
    now: () => clock.now(),
    setTimer: (ms, callback) => clock.setTimer(ms, free(callback)),
    soon: (callback) => clock.soon(free(callback)),
    elapsed: () => clock.elapsed(),
  };
}
