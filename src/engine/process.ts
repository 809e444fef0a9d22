/** The template's door: `process(input)` starts by type, waits, and never throws for a run that failed. */
import { OnexError } from "../core/failure.ts";
import type { Json } from "../core/json.ts";
import type { StepView } from "../core/view.ts";
import { didYouMean } from "../plan/suggest.ts";
import type { ProcessInput, ProcessOutput, ProcessStep, StartOptions } from "./api.ts";
import type { RunHandle } from "./handle.ts";
import type { Tier } from "./metrics/tier.ts";

const fields = [
  "workflowType",
  "workflowVersion",
  "workflowContext",
  "stepInputs",
  "correlationId",
  "idempotencyKey",
  "priority",
  "deadline",
];

/** What was asked, with what was left out as `null` left out. */
export interface Asked {
  readonly type: string;
  readonly version: string | undefined;
  readonly context: unknown;
  readonly options: StartOptions;
  /** Names in `stepInputs`. */
  readonly stepNames: readonly string[];
  /** Ms since 1970. */
  readonly deadline: number | undefined;
}

/** Reads the argument of `process`. Throws OnexError `OPTION_INVALID`, `DEADLINE_PASSED`. */
export function asked(input: ProcessInput, now: number): Asked {
  if (typeof input !== "object" || input === null || Array.isArray(input))
    throw new OnexError("OPTION_INVALID", "process takes an object with `workflowType`");
  for (const field of Object.keys(input))
    if (!fields.includes(field))
      throw new OnexError("OPTION_INVALID", `process has no field "${field}"; it takes ${fields.join(", ")}.${didYouMean(field, fields)}`);
  if (typeof input.workflowType !== "string")
    throw new OnexError("OPTION_INVALID", `workflowType is ${String(input.workflowType)}: give the name of a workflow`);
  const { workflowVersion, correlationId, idempotencyKey, priority, stepInputs } = input;
  for (const [name, value] of Object.entries({ workflowVersion, correlationId, idempotencyKey }))
    if (value != null && typeof value !== "string") throw new OnexError("OPTION_INVALID", `${name} is ${String(value)}: give text`);
  const deadline = input.deadline == null ? undefined : Number(input.deadline);
  if (deadline !== undefined && !Number.isFinite(deadline))
    throw new OnexError("OPTION_INVALID", `deadline is ${String(input.deadline)}: give a Date, or ms since 1970`);
  if (deadline !== undefined && !(deadline > now))
    throw new OnexError("DEADLINE_PASSED", `the deadline ${new Date(deadline).toISOString()} has passed`);
  return {
    type: input.workflowType,
    version: workflowVersion ?? undefined,
    context: input.workflowContext ?? null,
    stepNames: Object.keys(stepInputs ?? {}),
    deadline,
    options: {
      ...(idempotencyKey == null ? {} : { runId: idempotencyKey }),
      ...(correlationId == null ? {} : { correlationId }),
      ...(priority == null ? {} : { priority }),
      ...(stepInputs == null ? {} : { stepInputs }),
    },
  };
}

/** Waits for the run and says how it went, in every field of the template (features 88 to 99). */
export async function processed(
  handle: RunHandle<Json>,
  { type, stepNames }: Asked,
  tierOf: (durationMs: number, success: boolean) => Tier,
): Promise<ProcessOutput> {
  const final = await handle.final();
  const run = await handle.status();
  const success = run.status === "completed";
  const processingTimeMs = (run.endedAt ?? run.startedAt) - run.startedAt;
  const executed = run.steps.filter(ran);
  const nodes = executed.filter((step) => step.kind !== "sleep" && step.kind !== "signal" && step.kind !== "value");
  return {
    workflowType: type,
    workflowId: run.runId,
    correlationId: run.correlationId,
    timestamp: run.endedAt ?? run.startedAt,
    success,
    finalState: run.status,
    workflowResult: { steps: run.steps.map(processStep), finalOutput: final.type === "run.completed" ? final.output : null },
    errorMessage: success ? null : (run.error?.message ?? `the run was ${run.status}`),
    errorCode: success ? null : (run.error?.code ?? (run.status === "cancelled" ? "RUN_CANCELLED" : null)),
    processingTimeMs,
    stepsExecuted: executed.length,
    nodesInvolved: new Set(nodes.map((step) => step.node)).size,
    metadata: {
      workflowVersion: run.version,
      retryCount: run.retries,
      compensationApplied: run.compensated,
      performanceTier: tierOf(processingTimeMs, success),
      unusedStepInputs: stepNames.filter((name) => !run.steps.some((step) => nameOf(step) === name)),
    },
  };
}

/** A step whose input was refused was never tried. */
function ran(step: StepView): boolean {
  return step.kind !== "effect" || step.attempts > 0;
}

function processStep(step: StepView): ProcessStep {
  return {
    ...step,
    stepName: step.step,
    result: step.output ?? null,
    success: step.status === "completed",
    errorMessage: step.error?.message ?? null,
  };
}

function nameOf(step: StepView): string {
  return step.step.slice(step.step.lastIndexOf("/") + 1).replace(/#\d+$/, "");
}
