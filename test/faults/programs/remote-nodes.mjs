/** The nodes that a host serves, as both sides declare them; on the side of the orchestrator their functions never run. */
import { compute, effect, stream } from "../../../dist/index.js";
import { any } from "./kit.mjs";

/** @param {(input: any, context: import("../../../dist/index.js").EffectContext) => Promise<any>} run */
export function workOf(run) {
  return effect(
    {
      name: "work",
      input: any,
      idempotent: true,
      irreversible: "a line in a log",
      retry: { maxAttempts: 1_000, backoff: "fixed", delay: "20ms", jitter: "none" },
    },
    run,
  );
}
/** @param {(count: any, context: import("../../../dist/index.js").StreamContext) => AsyncIterable<any>} run */
export function rowsOf(run) {
  return stream(
    { name: "rows", input: any, item: any, retry: { maxAttempts: 1_000, backoff: "fixed", delay: "20ms", jitter: "none" } },
    run,
  );
}
export const half = compute({ name: "half", input: any }, (n) => Math.floor(n / 2));
