/** Routes that tell what happened in a run: page by page, and live. */
import { isFinal } from "../core/fact.ts";
import { eventStream } from "./events.ts";
import { invalid, wholeOf } from "./fields.ts";
import { countIn, positionOf, positionText, roundOf } from "./position.ts";
import { type Call, jsonResponse, jsonType, type Parameter, type Route, ref } from "./route.ts";
import { limit } from "./runs.ts";

async function facts(call: Call): Promise<Response> {
  const run = call.orchestrator.run(call.param("id"));
  const limit = wholeOf("limit", call.query("limit"), 100, 1, 1000);
  const asked = positionOf("after", call.query("after") ?? "0");
  const round = await roundOf(run);
  const after = countIn(asked, round);
  const found = await run.facts({ after, limit: limit + 1 });
  const page = found.slice(0, limit);
  return jsonResponse(200, {
    facts: page.map((fact, i) => ({ position: positionText({ round, count: after + i + 1 }), ...fact })),
    next: positionText({ round, count: after + page.length }),
    more: found.length > limit,
  });
}

async function events(call: Call): Promise<Response> {
  const run = call.orchestrator.run(call.param("id"));
  const header = call.request.headers.get("last-event-id");
  const asked = header === null ? positionOf("after", call.query("after") ?? "0") : positionOf("Last-Event-ID", header);
  const round = await roundOf(run);
  const after = countIn(asked, round);
  if (after > 0) {
    const [last] = await run.facts({ after: after - 1, limit: 1 });
    if (!last) throw invalid(`run ${run.runId} has no ${after} facts: give a position that came with a fact`);
    // A browser that has seen the end is told to ask no more.
    if (isFinal(last) && last.type !== "run.restarted") return new Response(null, { status: 204 });
  }
  const { clock, closing, traffic } = call;
  return new Response(eventStream(run, { round, after, clock, closing, traffic }), {
    status: 200,
    // A proxy that collects an answer before it hands it on would hold back the news.
    headers: { "content-type": "text/event-stream; charset=utf-8", "x-accel-buffering": "no" },
  });
}

const after: Parameter = { description: "behind this position; default the beginning", schema: { type: "string" } };

export const historyRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/api/v1/runs/{id}/facts",
    id: "getFacts",
    summary: "What happened in a run, a page at a time.",
    query: { after, limit: limit(1000, 100) },
    answers: {
      200: {
        description: "a page of facts",
        type: jsonType,
        schema: ref("Facts"),
        example: { facts: [{ position: "1", type: "run.started", at: 1 }], next: "1", more: false },
      },
    },
    problems: [400, 404],
    handle: facts,
  },
  {
    method: "GET",
    path: "/api/v1/runs/{id}/events",
    id: "followRun",
    summary: "What happened in a run and what follows, as server-sent events, until it ends.",
    query: { after },
    headers: { "Last-Event-ID": { description: "goes on behind this event; instead of `after`", schema: { type: "string" } } },
    answers: {
      200: {
        description: "an event a fact: `id` is its position, `event` its type, `data` the fact",
        type: "text/event-stream",
        schema: { type: "string" },
        example: 'id: 1\nevent: run.started\ndata: {"type":"run.started"}\n\n',
      },
      204: { description: "the run ended with the event that was named" },
    },
    problems: [400, 404],
    handle: events,
  },
];
