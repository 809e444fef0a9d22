/** What callers hand in, checked field by field: an option that is accepted and does nothing misleads. */
import { OnexError } from "../core/failure.ts";
import { durationAt, onlyFields, shown } from "../core/fields.ts";
import type { AnyNode } from "../node/contract.ts";
import { checkNodes } from "../node/registry.ts";
import type { Store } from "../store/store.ts";
import type { ForkOptions, OrchestratorOptions, RetryOptions, StartOptions } from "./api.ts";
import { readTraceparent } from "./tracing/traceparent.ts";
import { checkId } from "./values.ts";

/** The last time that a Date can be, ms. */
const latestTime = 8.64e15;

const optionNames: readonly (keyof OrchestratorOptions<readonly AnyNode[]>)[] = [
  ...(["store", "nodes", "provide", "endpoints", "config", "circuitBreaker", "log", "secrets", "secretKey", "parkAfterMs"] as const),
  ...([
    "tracing",
    "endpointSecret",
    "abortGraceMs",
    "maxValueBytes",
    "maxWorkflowDepth",
    "maxConcurrentWorkflows",
    "startTimeoutMs",
    "whenFull",
  ] as const),
];

/** The form of the options; their ranges are checked where they are read. Throws OnexError `OPTION_INVALID`. */
export function checkShape(options: OrchestratorOptions<readonly AnyNode[]>): void {
  onlyFields("OPTION_INVALID", "the options of createOrchestrator", options, optionNames);
  if (typeof (options.store as Partial<Store> | undefined)?.open !== "function")
    throw new OnexError("OPTION_INVALID", `store is ${shown(options.store)}: give sqlite("FILE") or memory()`);
  checkNodes(options.nodes);
  if (options.provide !== undefined && !(Array.isArray(options.provide) && options.provide.every((one) => typeof one?.make === "function")))
    throw new OnexError("OPTION_INVALID", "provide is no list of services: give [bank.from(() => connect())]");
  const { tracing } = options;
  if (tracing !== undefined && typeof tracing !== "boolean" && typeof (tracing as Partial<typeof tracing> | null)?.startSpan !== "function")
    throw new OnexError("OPTION_INVALID", `tracing is ${shown(tracing)}: give true, false, or a tracer of @opentelemetry/api`);
}

const startFields: readonly (keyof StartOptions)[] = [
  ...(["runId", "correlationId", "priority", "timeout", "startAt", "version", "stepInputs", "traceparent"] as const),
];

/** Throws OnexError `OPTION_INVALID`, `INVALID_DURATION`. */
export function checkStart(options: StartOptions): void {
  onlyFields("OPTION_INVALID", "the options of start", options, startFields);
  const { startAt } = options;
  if (startAt !== undefined && !(Math.abs(Number(startAt)) <= latestTime))
    throw new OnexError("OPTION_INVALID", `startAt is ${String(startAt)}: give a Date, or ms since 1970`);
  if (options.timeout !== undefined) durationAt("timeout", options.timeout);
  const { priority, runId, traceparent } = options;
  if (priority !== undefined && !(Number.isInteger(priority) && priority >= 1 && priority <= 1000))
    throw new OnexError("OPTION_INVALID", `priority is ${priority}: give a whole number from 1 (first) to 1000`);
  if (runId !== undefined) checkId("runId", runId);
  if (traceparent !== undefined && !(typeof traceparent === "string" && readTraceparent(traceparent)))
    throw new OnexError(
      "OPTION_INVALID",
      `traceparent is ${shown(traceparent)}: give the header as it came, such as 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01, or leave it out`,
    );
}

const forkFields: readonly (keyof ForkOptions)[] = ["from", "input", "runId", "version", "correlationId"];

export function checkFork(options: ForkOptions): void {
  onlyFields("OPTION_INVALID", "the options of fork", options, forkFields);
  if (options.runId !== undefined) checkId("runId", options.runId);
}
const retryFields: readonly (keyof RetryOptions)[] = ["from", "runId"];
export function checkRetry(options: RetryOptions): void {
  onlyFields("OPTION_INVALID", "the options of retry", options, retryFields);
  if (options.runId !== undefined) checkId("runId", options.runId);
}
