/** The JSON Schemas of what is sent and taken, by the names that the OpenAPI document gives them. */
import type { RunStatus } from "../core/fact.ts";
import type { Json } from "../core/json.ts";

type JsonSchema = { readonly [key: string]: Json };

export const statuses: readonly RunStatus[] = [
  ...(["pending", "running", "waiting", "paused", "compensating", "completed", "failed", "cancelled"] as const),
];

const text: JsonSchema = { type: "string" };
const flag: JsonSchema = { type: "boolean" };
const whole: JsonSchema = { type: "integer" };
const time: JsonSchema = { type: "number", description: "ms since 1970" };
const anything: JsonSchema = {};

function object(
  required: Readonly<Record<string, JsonSchema>>,
  optional: Readonly<Record<string, JsonSchema>> = {},
  more: JsonSchema = {},
): JsonSchema {
  return {
    type: "object",
    required: Object.keys(required),
    properties: { ...required, ...optional },
    additionalProperties: false,
    ...more,
  };
}
const list = (items: JsonSchema): JsonSchema => ({ type: "array", items });
const to = (name: string): JsonSchema => ({ $ref: `#/components/schemas/${name}` });

const status: JsonSchema = { enum: statuses };
const failure = object({ code: text, message: text }, { details: anything });

const step = object(
  {
    step: { type: "string", description: "its path, which no other step of the run has" },
    node: text,
    kind: { enum: ["compute", "effect", "reducer", "workflow", "sleep", "signal", "value"] },
    status: { enum: ["running", "retrying", "waiting", "paused", "completed", "failed", "aborted"] },
    attempts: whole,
    startedAt: time,
  },
  { items: whole, endedAt: time, output: anything, error: to("Failure"), due: time },
);

const owner = object(
  {
    epoch: whole,
    leaseId: text,
    taken: { enum: ["started", "woken", "taken over"], description: "how it came to the run" },
    at: time,
  },
  { until: time, by: object({ host: text, pid: whole }) },
);

const run = object(
  {
    runId: text,
    workflow: text,
    version: text,
    status: to("RunStatus"),
    steps: list(to("Step")),
    input: anything,
    correlationId: text,
    startedAt: time,
    notUndone: { type: "array", items: text, description: "steps that should have been taken back, and were not" },
    epoch: whole,
    retries: whole,
    takeovers: whole,
    owners: list(to("Owner")),
    compensated: flag,
  },
  {
    startAt: time,
    scheduledAt: time,
    endedAt: time,
    output: anything,
    error: to("Failure"),
    failedStep: text,
    paused: object({ code: text, message: text }, { step: text }),
    blocked: { type: "string", description: "why no process drives it" },
    forkedFrom: object({ runId: text }, { step: text }),
    moved: object({ from: text, at: time }),
    notMoved: object({ version: text, message: text, at: time }, { step: text }),
  },
);

const listed = object(
  { runId: text, workflow: text, version: text, status: to("RunStatus"), priority: whole, createdAt: time },
  { blocked: text, parent: text, queuedAt: time, endedAt: time },
);

const fact: JsonSchema = {
  type: "object",
  required: ["position", "type", "at"],
  properties: { position: { type: "string", description: "of the place behind it" }, type: text, at: time },
  description: "one thing that happened; its further members depend on its type",
};

const start = object(
  { workflow: text },
  {
    version: { type: "string", description: 'the newest that fits "1", "1.2" or "1.2.0"; default the newest of all' },
    input: { description: "default {}" },
    runId: { type: "string", minLength: 1, maxLength: 512, description: "the same id is the same run; default a new one" },
    priority: { type: "integer", minimum: 1, maximum: 1000, description: "lower goes first; default 100" },
    startAt: { type: ["number", "string"], description: "begins then and not before: ms since 1970, or a time such as 2030-01-31T06:00Z" },
    timeout: { type: "string", description: 'of the whole run, such as "2d"' },
    correlationId: { type: "string", maxLength: 512 },
  },
);

export const schemas: Readonly<Record<string, JsonSchema>> = {
  Problem: object(
    {
      type: { type: "string", description: "the section of the code in docs/errors.md" },
      title: text,
      status: whole,
      detail: text,
      code: text,
    },
    { instance: text },
  ),
  RunStatus: status,
  Failure: failure,
  Step: step,
  Owner: owner,
  Run: run,
  ListedRun: listed,
  Runs: object({ runs: list(to("ListedRun")), next: { type: ["string", "null"], description: "the cursor of the next page" } }),
  Fact: fact,
  Facts: object({ facts: list(to("Fact")), next: { type: "string", description: "the `after` of the next page" }, more: flag }),
  Outcome: object(
    { runId: text, status: { enum: ["completed", "failed", "cancelled"] }, notUndone: list(text) },
    { output: anything, error: to("Failure"), failedStep: text },
  ),
  Workflow: object(
    { name: text, version: text, latest: flag, kind: { enum: ["code", "contract"] }, hash: text },
    { input: { type: ["object", "boolean"], description: "JSON Schema, where the schema of the input describes itself" } },
  ),
  Workflows: object({ workflows: list(to("Workflow")) }),
  Accepted: object({ runId: text }),
  Start: start,
  Reason: object({}, { reason: { type: "string", maxLength: 4096 } }),
  Resume: object(
    {},
    {
      step: { type: "string", description: "the step to settle; left out: the whole run goes on" },
      as: { enum: ["retry", "fail"], description: "send it again, or count it as failed" },
      output: { description: "instead of `as`: what it answered" },
    },
  ),
  Retry: object({}, { from: text, runId: text }),
  Fork: object({}, { from: text, input: anything, runId: text }),
  Version: object({ name: text, version: text }),
  Alive: object({ status: text }),
};
