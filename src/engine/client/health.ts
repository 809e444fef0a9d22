/** What calls and probes have found out about one node. */
import type { Failure } from "../../core/failure.ts";
import type { NodeKind } from "../../core/operation.ts";
import type { HealthStatus, NodeView } from "../views.ts";

/** With these nobody can say that the node is there. */
const lost: ReadonlySet<string> = new Set(["NODE_UNREACHABLE", "NODE_ANSWER_INVALID"]);

export class NodeHealth {
  #calls = 0;
  #failures = 0;
  #status: HealthStatus = "unknown";
  #lastError: string | undefined;
  #checkedAt: number | undefined;
  #latencyMs: number | undefined;

  /** A call ended; `failure` unless the node answered it, be it with a refusal. `now` in ms since 1970. */
  called(now: number, latencyMs: number, failure: Failure | undefined): void {
    this.#calls++;
    if (failure) this.#failures++;
    this.#saw(now, latencyMs, failure);
  }
  probed(now: number, latencyMs: number, failure: Failure | undefined): void {
    this.#saw(now, latencyMs, failure);
  }

  #saw(now: number, latencyMs: number, failure: Failure | undefined): void {
    this.#checkedAt = now;
    this.#latencyMs = latencyMs;
    this.#status = failure === undefined ? "healthy" : lost.has(failure.code) ? "unhealthy" : "degraded";
    if (failure) this.#lastError = `${failure.code}: ${failure.message}`;
  }

  view(node: string, kind: NodeKind, endpoint: string): NodeView {
    return {
      node,
      kind,
      endpoint,
      status: this.#status,
      calls: this.#calls,
      failures: this.#failures,
      ...(this.#lastError === undefined ? {} : { lastError: this.#lastError }),
      ...(this.#checkedAt === undefined ? {} : { checkedAt: this.#checkedAt }),
      ...(this.#latencyMs === undefined ? {} : { latencyMs: this.#latencyMs }),
    };
  }
}
