/** Routes that tell of the server: what it holds, whether it lives, how it does. */
import { OnexError } from "../core/failure.ts";
import type { Json } from "../core/json.ts";
import type { Schema } from "../node/schema.ts";
import { type Call, jsonResponse, jsonType, type Route, ref } from "./route.ts";

/** How long the store may take to say that it is there, ms. */
const readyMs = 2_000;

function workflows(call: Call): Response {
  const held = call.orchestrator.registry.list().map(({ type, version, latest, kind, hash, workflow }) => {
    const input = described((workflow as unknown as { readonly contract: { readonly input: Schema } }).contract.input);
    return { name: type, version, latest, kind, hash, ...(input === undefined ? {} : { input }) };
  });
  return jsonResponse(200, { workflows: held });
}

/** A schema as JSON Schema: of a contract as it was written, else as it describes itself (zod 4.2 and later do). */
function described(schema: Schema): Json | undefined {
  const { raw } = schema as { readonly raw?: Json };
  if (raw !== undefined) return raw;
  const { jsonSchema } = schema["~standard"] as { readonly jsonSchema?: { input?(options: { readonly target: string }): unknown } };
  try {
    const found = jsonSchema?.input?.({ target: "draft-2020-12" });
    return found === undefined ? undefined : (JSON.parse(JSON.stringify(found)) as Json);
  } catch {
    // A transform has no JSON Schema.
    return undefined;
  }
}

async function ready(call: Call): Promise<Response> {
  if (call.closing.aborted) throw new OnexError("SERVER_CLOSING", "the server is closing: ask another one, or again later");
  await answers(call);
  return jsonResponse(200, { status: "ready" });
}

/** Throws OnexError `SERVER_NOT_READY` when the store does not answer a read in time. */
function answers({ orchestrator, clock }: Call): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (why: string) => reject(new OnexError("SERVER_NOT_READY", why));
    const late = clock.setTimer(readyMs, () => fail(`the store gave no answer within ${readyMs} ms`));
    orchestrator.list({ limit: 1 }).then(
      () => {
        late();
        resolve();
      },
      (error) => {
        late();
        // Its words may name files: they stand in the log.
        fail(`the store does not answer${error instanceof OnexError ? `: ${error.code}` : ""}`);
      },
    );
  });
}

/** @param version of this package. */
export function aboutRoutes(version: string): readonly Route[] {
  return [
    {
      method: "GET",
      path: "/api/v1/workflows",
      id: "listWorkflows",
      summary: "The workflows that can be started.",
      answers: {
        200: {
          description: "by name, the newest version first",
          type: jsonType,
          schema: ref("Workflows"),
          example: {
            workflows: [{ name: "checkout", version: "1.0.0", latest: true, kind: "code", hash: "3f1c", input: { type: "object" } }],
          },
        },
      },
      problems: [],
      handle: workflows,
    },
    {
      method: "GET",
      path: "/healthz",
      id: "isAlive",
      summary: "Whether the process lives.",
      answers: { 200: { description: "it does", type: jsonType, schema: ref("Alive"), example: { status: "alive" } } },
      problems: [],
      open: true,
      handle: () => jsonResponse(200, { status: "alive" }),
    },
    {
      method: "GET",
      path: "/readyz",
      id: "isReady",
      summary: "Whether requests may be sent here: the store answers, and the server is not closing.",
      answers: { 200: { description: "they may", type: jsonType, schema: ref("Alive"), example: { status: "ready" } } },
      problems: [503],
      open: true,
      handle: ready,
    },
    {
      method: "GET",
      path: "/version",
      id: "getVersion",
      summary: "The version of onex.",
      answers: { 200: { description: "it", type: jsonType, schema: ref("Version"), example: { name: "onex", version: "0.1.0" } } },
      problems: [],
      open: true,
      handle: () => jsonResponse(200, { name: "onex", version }),
    },
  ];
}
