/** The template's door: `process(input)` starts by type, waits, and never throws for a run that failed. */
import { OnexError } from "../core/failure.ts";
import type { Json } from "../core/json.ts";
import type { StepView } from "../core/view.ts";
import type { ProcessInput, ProcessOutput, StartOptions } from "./api.ts";
import type { RunHandle } from "./handle.ts";

export type Tier = ProcessOutput["metadata"]["performanceTier"];

/** Names a mean duration against what is held to be good (template feature 155: half of it, it, twice of it). */
export function performanceTier(meanMs: number, thresholdMs: number): Tier {
  if (meanMs <= thresholdMs * 0.5) return "optimal";
  if (meanMs <= thresholdMs) return "good";
  return meanMs <= thresholdMs * 2 ? "degraded" : "poor";
}

/** The durations of the last runs, and their tier. */
export class Durations {
  readonly #last: number[] = [];
  readonly #thresholdMs: number;
  constructor(thresholdMs: number) {
    this.#thresholdMs = thresholdMs;
  }
  add(ms: number): Tier {
    this.#last.push(ms);
    if (this.#last.length > 10) this.#last.shift();
    return performanceTier(this.#last.reduce((sum, one) => sum + one, 0) / this.#last.length, this.#thresholdMs);
  }
}

/** What `start` is asked for a `process`. Throws OnexError `DEADLINE_PASSED`. */
export function startOptions(input: ProcessInput, now: number): StartOptions {
  const deadline = input.deadline === undefined ? undefined : Number(input.deadline);
  if (deadline !== undefined && !(deadline > now))
    throw new OnexError(
      "DEADLINE_PASSED",
      `the deadline ${Number.isNaN(deadline) ? "is no time" : new Date(deadline).toISOString()} has passed`,
    );
  return {
    ...(input.idempotencyKey === undefined ? {} : { runId: input.idempotencyKey }),
    ...(input.correlationId === undefined ? {} : { correlationId: input.correlationId }),
    ...(input.priority === undefined ? {} : { priority: input.priority }),
    ...(input.stepInputs === undefined ? {} : { stepInputs: input.stepInputs }),
  };
}

/** Waits for the run and says how it went, in every field of the template (features 88 to 99). */
export async function processed(handle: RunHandle<Json>, input: ProcessInput, durations: Durations): Promise<ProcessOutput> {
  const final = await handle.final();
  const run = await handle.status();
  const success = run.status === "completed";
  const processingTimeMs = (run.endedAt ?? run.startedAt) - run.startedAt;
  const nodes = run.steps.filter((step) => step.kind !== "sleep" && step.kind !== "signal" && step.kind !== "value");
  return {
    workflowType: input.workflowType,
    workflowId: run.runId,
    correlationId: run.correlationId,
    timestamp: run.endedAt ?? run.startedAt,
    success,
    finalState: run.status,
    workflowResult: { steps: run.steps, finalOutput: final.type === "run.completed" ? final.output : null },
    errorMessage: success ? null : (run.error?.message ?? `the run was ${run.status}`),
    errorCode: success ? null : (run.error?.code ?? (run.status === "cancelled" ? "RUN_CANCELLED" : null)),
    processingTimeMs,
    stepsExecuted: run.steps.length,
    nodesInvolved: new Set(nodes.map((step) => step.node)).size,
    metadata: {
      workflowVersion: run.version,
      retryCount: run.retries,
      compensationApplied: run.compensated,
      performanceTier: durations.add(processingTimeMs),
      unusedStepInputs: Object.keys(input.stepInputs ?? {}).filter((name) => !run.steps.some((step) => nameOf(step) === name)),
    },
  };
}

function nameOf(step: StepView): string {
  return step.step.slice(step.step.lastIndexOf("/") + 1).replace(/#\d+$/, "");
}
