/** Routes that steer runs: messages to them, and runs that go on from others. */
import type { Json } from "../core/json.ts";
import type { StartedRun } from "../engine/api.ts";
import { checkId } from "../engine/values.ts";
import { Fields, invalid, keyOf } from "./fields.ts";
import { type Call, jsonResponse, jsonType, type Route, ref, runPath } from "./route.ts";
import { idempotencyKey, idOf, location, runAnswer } from "./runs.ts";

/** Characters; it is recorded in the run, and told wherever that is shown. */
const longestReason = 4_096;

/** The message is stored; the process that drives the run reads it. */
function accepted(runId: string): Response {
  return jsonResponse(202, { runId }, { location: runPath(runId) });
}

async function signal(call: Call): Promise<Response> {
  const id = call.param("id");
  const payload = (await call.body()) ?? null;
  const messageId = keyOf(call.request);
  const name = call.param("name");
  checkId("the name of the signal", name);
  await call.orchestrator.run(id).signal(name, payload, messageId === undefined ? {} : { messageId });
  return accepted(id);
}

async function reasonOf(call: Call): Promise<string | undefined> {
  return new Fields(await call.body(), ["reason"]).note("reason", longestReason);
}
async function cancel(call: Call): Promise<Response> {
  const id = call.param("id");
  await call.orchestrator.run(id).cancel(await reasonOf(call));
  return accepted(id);
}
async function pause(call: Call): Promise<Response> {
  const id = call.param("id");
  const reason = await reasonOf(call);
  await call.orchestrator.run(id).pause(reason === undefined ? {} : { reason });
  return accepted(id);
}

async function resume(call: Call): Promise<Response> {
  const id = call.param("id");
  const run = call.orchestrator.run(id);
  const fields = new Fields(await call.body(), ["step", "as", "output"]);
  const step = fields.text("step");
  const as = fields.word("as", ["retry", "fail"]);
  const output = fields.has("output") ? (fields.any("output") as Json) : undefined;
  if (step === undefined && (as !== undefined || output !== undefined)) throw invalid("the body has no step: say which one is settled");
  if (step !== undefined && (as === undefined) === (output === undefined))
    throw invalid(`how step "${step}" is settled: give either as ("retry" or "fail"), or output`);
  if (step === undefined) await run.resume();
  else if (as !== undefined) await run.resume({ step, as });
  else await run.resume({ step, output: output as Json });
  return accepted(id);
}

async function retry(call: Call): Promise<Response> {
  const fields = new Fields(await call.body(), ["from", "runId"]);
  return made(await call.orchestrator.retry(call.param("id"), asked(call, "retry", fields)));
}
async function fork(call: Call): Promise<Response> {
  const fields = new Fields(await call.body(), ["from", "input", "runId"]);
  const input = fields.has("input") ? { input: fields.any("input") as Json } : {};
  return made(await call.orchestrator.fork(call.param("id"), { ...asked(call, "fork", fields), ...input }));
}

/** Where the new run goes on from, and its id: as for a start, a key makes one. */
function asked(call: Call, what: "retry" | "fork", fields: Fields): { readonly from?: string; readonly runId?: string } {
  const from = fields.text("from");
  const runId = idOf(call.request, `${what} ${call.param("id")}`, fields);
  return { ...(from === undefined ? {} : { from }), ...(runId === undefined ? {} : { runId }) };
}
async function made(run: StartedRun): Promise<Response> {
  return jsonResponse(run.existed ? 200 : 201, await run.status(), { location: runPath(run.runId) });
}

const told = {
  202: {
    description: "the message is stored, for the process that drives the run",
    type: jsonType,
    schema: ref("Accepted"),
    example: { runId: "order-7" },
    headers: { Location: location },
  },
};
const another = {
  201: { ...runAnswer("the new run"), headers: { Location: location } },
  200: { ...runAnswer("it had been made before, of the same"), headers: { Location: location } },
};
const key = { "Idempotency-Key": idempotencyKey("makes the id of the new run, with that of the old one") };

export const controlRoutes: readonly Route[] = [
  {
    method: "POST",
    path: "/api/v1/runs/{id}/signals/{name}",
    id: "signalRun",
    summary: "Sends a signal to a run; the body is its payload, null without one.",
    headers: { "Idempotency-Key": idempotencyKey("the id of the message: one that comes again counts once in this run") },
    body: { required: false, schema: {}, example: { by: "ada" } },
    answers: told,
    problems: [400, 404, 409, 413, 415, 422],
    handle: signal,
  },
  {
    method: "POST",
    path: "/api/v1/runs/{id}/cancel",
    id: "cancelRun",
    summary: "Asks a run to stop and to take back what it did.",
    body: { required: false, schema: ref("Reason"), example: { reason: "the customer left" } },
    answers: told,
    problems: [400, 404, 409],
    handle: cancel,
  },
  {
    method: "POST",
    path: "/api/v1/runs/{id}/pause",
    id: "pauseRun",
    summary: "Begins nothing new in a run until it is resumed.",
    body: { required: false, schema: ref("Reason"), example: { reason: "the bank is closed" } },
    answers: told,
    problems: [400, 404, 409],
    handle: pause,
  },
  {
    method: "POST",
    path: "/api/v1/runs/{id}/resume",
    id: "resumeRun",
    summary: "Goes on after a pause, or settles a step that is in doubt.",
    body: { required: false, schema: ref("Resume"), example: { step: "charge-card", as: "retry" } },
    answers: told,
    problems: [400, 404, 409],
    handle: resume,
  },
  {
    method: "POST",
    path: "/api/v1/runs/{id}/retry",
    id: "retryRun",
    summary: "Makes a new run that goes on from what failed.",
    headers: key,
    body: { required: false, schema: ref("Retry"), example: { runId: "order-7-again" } },
    answers: another,
    problems: [400, 404, 409],
    handle: retry,
  },
  {
    method: "POST",
    path: "/api/v1/runs/{id}/fork",
    id: "forkRun",
    summary: "Makes a new run that goes on from a step, or from the beginning.",
    headers: key,
    body: { required: false, schema: ref("Fork"), example: { from: "charge-card", input: { amount: 13 } } },
    answers: another,
    problems: [400, 404, 409, 422],
    handle: fork,
  },
];
