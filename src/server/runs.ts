/** Routes that start runs, and say how they stand and ended. */

import type { Duration } from "../core/duration.ts";
import type { RunStatus } from "../core/fact.ts";
import type { Json } from "../core/json.ts";
import type { RunView } from "../core/view.ts";
import type { StartOptions } from "../engine/api.ts";
import { sha256 } from "../engine/system.ts";
import type { RunRow } from "../store/store.ts";
import { durationOf, Fields, invalid, keyOf, wholeOf, wordOf } from "./fields.ts";
import { type Call, jsonResponse, jsonType, type Parameter, type Route, ref, runPath } from "./route.ts";
import { statuses } from "./schemas.ts";

/** Longest wait of one request for a result, ms; a client asks again. */
export const longestWaitMs = 60_000;
const exampleRun: Json = {
  runId: "order-7",
  workflow: "checkout",
  version: "1.0.0",
  status: "completed",
  steps: [
    { step: "charge-card", node: "charge-card", kind: "effect", status: "completed", attempts: 1, startedAt: 1, endedAt: 2, output: {} },
  ],
  input: { amount: 12 },
  correlationId: "order-7",
  startedAt: 1,
  endedAt: 2,
  output: { receipt: "r-1" },
  notUndone: [],
  epoch: 1,
  retries: 0,
  takeovers: 0,
  owners: [
    { epoch: 1, leaseId: "01991c8e-7b3d-7000-8000-9d2f8d6c1e11", taken: "started", at: 1, until: 2, by: { host: "web-1", pid: 41 } },
  ],
  compensated: false,
};

export const location: Parameter = { description: "the path of the run", schema: { type: "string" } };
export const idempotencyKey = (description: string): Parameter => ({
  description,
  schema: { type: "string", minLength: 1, maxLength: 255 },
});
export const runAnswer = (description: string) => ({ description, type: jsonType, schema: ref("Run"), example: exampleRun });

/**
 * The id of the run that is to be made: as the body names it, or of the key and of what it is for, and so the same in every
 * process. Throws OnexError `OPTION_INVALID`.
 */
export function idOf(request: Request, what: string, fields: Fields): string | undefined {
  const key = keyOf(request);
  const named = fields.text("runId");
  // Every client takes such a part out of a path: the run could be made, and never be asked about.
  if (named === "." || named === "..") throw invalid(`runId ${named} cannot stand in the path of a request: give another one`);
  if (key === undefined) return named;
  if (named !== undefined)
    throw invalid("there is an Idempotency-Key, and a runId in the body: each of them makes the id of the run, so give one");
  return `key-${sha256(`${what}\0${key}`).slice(0, 40)}`;
}

async function start(call: Call): Promise<Response> {
  const fields = new Fields(await call.body(), [
    "workflow",
    "version",
    "input",
    "runId",
    "priority",
    "startAt",
    "timeout",
    "correlationId",
  ]);
  const workflow = fields.text("workflow");
  if (workflow === undefined) throw invalid("the body has no workflow: give the name of one, as GET /api/v1/workflows lists them");
  const entry = call.orchestrator.registry.get(workflow, fields.text("version"));
  const runId = idOf(call.request, entry.type, fields);
  const input = fields.has("input") ? (fields.any("input") as Json) : {};
  const options: { -readonly [O in keyof StartOptions]: StartOptions[O] } = {};
  const correlationId = fields.note("correlationId", 512);
  const priority = fields.number("priority");
  const startAt = fields.time("startAt");
  const timeout = fields.text("timeout");
  if (runId !== undefined) options.runId = runId;
  if (correlationId !== undefined) options.correlationId = correlationId;
  if (priority !== undefined) options.priority = priority;
  if (startAt !== undefined) options.startAt = startAt;
  // `start` checks it.
  if (timeout !== undefined) options.timeout = timeout as Duration;
  const run = await call.orchestrator.start(entry.workflow, input, options);
  return jsonResponse(run.existed ? 200 : 201, await run.status(), { location: runPath(run.runId) });
}

async function list(call: Call): Promise<Response> {
  const status = wordOf("status", call.query("status"), statuses);
  const workflow = call.query("workflow");
  const limit = wholeOf("limit", call.query("limit"), 50, 1, 1000);
  const before = cursorOf(call.query("cursor"));
  // One more tells whether there is a next page.
  const rows = await call.orchestrator.list({
    limit: limit + 1,
    ...(status === undefined ? {} : { status }),
    ...(workflow === undefined ? {} : { workflow }),
    ...(before === undefined ? {} : { before }),
  });
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return jsonResponse(200, { runs: page.map(listed), next: rows.length > limit && last ? cursor(last) : null });
}

function listed(row: RunRow): { readonly runId: string; readonly status: RunStatus } {
  const { id, workflow, version, status, priority, createdAt, blocked, parent, queuedAt, endedAt } = row;
  const maybe = { blocked, parent, queuedAt, endedAt };
  return {
    ...{ runId: id, workflow, version, status, priority, createdAt },
    ...Object.fromEntries(Object.entries(maybe).filter(([, value]) => value !== undefined)),
  };
}

/** Opaque to callers, so that it can become another one. */
function cursor({ runNo }: RunRow): string {
  return Buffer.from(`before:${runNo}`).toString("base64url");
}
function cursorOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const [, before] = /^before:(\d{1,15})$/.exec(Buffer.from(text, "base64url").toString()) ?? [];
  if (before === undefined) throw invalid("the cursor is none of this server: give the `next` of the page before");
  return Number(before);
}

async function show(call: Call): Promise<Response> {
  return jsonResponse(200, await call.orchestrator.run(call.param("id")).status());
}

async function result(call: Call): Promise<Response> {
  const waitMs = durationOf("wait", call.query("wait"), 0, longestWaitMs);
  const run = call.orchestrator.run(call.param("id"));
  let view = await run.status();
  if (view.endedAt === undefined && waitMs > 0) {
    // How it ended is read from the view, which shows no secrets.
    await ended(run.result({ timeout: `${waitMs}ms` }), [call.closing, call.request.signal]);
    view = await run.status();
  }
  if (view.endedAt === undefined) return jsonResponse(202, view);
  return jsonResponse(200, outcomeOf(view));
}

/** Resolves when the promise has settled, whichever way, or one of the signals is aborted. */
function ended(promise: Promise<unknown>, signals: readonly AbortSignal[]): Promise<void> {
  return new Promise((resolve) => {
    const over = (): void => {
      for (const signal of signals) signal.removeEventListener("abort", over);
      resolve();
    };
    promise.then(over, over);
    for (const signal of signals) {
      if (signal.aborted) return over();
      signal.addEventListener("abort", over);
    }
  });
}

function outcomeOf({ runId, status, output, error, failedStep, notUndone }: RunView): object {
  return {
    ...{ runId, status, notUndone },
    ...(status === "completed" ? { output: output ?? null } : {}),
    ...(error === undefined ? {} : { error }),
    ...(failedStep === undefined ? {} : { failedStep }),
  };
}

export const limit = (most: number, otherwise: number): Parameter => ({
  description: `how many at most; default ${otherwise}`,
  schema: { type: "integer", minimum: 1, maximum: most },
});

export const runRoutes: readonly Route[] = [
  {
    method: "POST",
    path: "/api/v1/runs",
    id: "startRun",
    summary: "Starts a run. It is stored before it is answered.",
    headers: {
      "Idempotency-Key": idempotencyKey(
        "makes the id of the run, with the name of the workflow: the same key is the same run, after a crash too",
      ),
    },
    body: { required: true, schema: ref("Start"), example: { workflow: "checkout", input: { amount: 12 }, runId: "order-7" } },
    answers: {
      201: { ...runAnswer("it was started"), headers: { Location: location } },
      200: { ...runAnswer("it had been started before, with the same input"), headers: { Location: location } },
    },
    problems: [400, 404, 409, 413, 415, 422, 503],
    handle: start,
  },
  {
    method: "GET",
    path: "/api/v1/runs",
    id: "listRuns",
    summary: "Lists runs, the newest first.",
    query: {
      status: { description: "those that stand so", schema: { enum: statuses } },
      workflow: { description: "those of this workflow", schema: { type: "string" } },
      limit: limit(1000, 50),
      cursor: { description: "the `next` of the page before", schema: { type: "string" } },
    },
    answers: {
      200: {
        description: "a page of runs",
        type: jsonType,
        schema: ref("Runs"),
        example: {
          runs: [{ runId: "order-7", workflow: "checkout", version: "1.0.0", status: "running", priority: 100, createdAt: 1 }],
          next: null,
        },
      },
    },
    problems: [400],
    handle: list,
  },
  {
    method: "GET",
    path: "/api/v1/runs/{id}",
    id: "getRun",
    summary: "How a run stands.",
    answers: { 200: runAnswer("the run") },
    problems: [404],
    handle: show,
  },
  {
    method: "GET",
    path: "/api/v1/runs/{id}/result",
    id: "getResult",
    summary: "How a run ended; waits for it.",
    query: { wait: { description: 'how long, such as "30s"; at most 60s, default not at all', schema: { type: "string" } } },
    answers: {
      200: {
        description: "it has ended",
        type: jsonType,
        schema: ref("Outcome"),
        example: { runId: "order-7", status: "completed", output: { receipt: "r-1" }, notUndone: [] },
      },
      202: runAnswer("it goes on"),
    },
    problems: [400, 404],
    waitsMs: longestWaitMs,
    handle: result,
  },
];
