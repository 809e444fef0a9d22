/**
 * The HTTP API of an orchestrator as one function from a request to a response; it opens no socket.
 *
 * A1 Every request passes the guard first, whatever its path; what it refuses is told like any other problem.
 * A2 Every path and method comes from one table of routes: what is not in it is 404 or 405, and the table is the document.
 * A3 A store that does not answer keeps nobody: what it leaves open is 503 after 10 s, so connections do not pile up.
 * A4 No answer is kept by anybody, and none carries a stack or the words of a failing store.
 */
import { Hono } from "hono";
import { OnexError } from "../core/failure.ts";
import type { Orchestrator } from "../engine/api.ts";
import { stderrLog, systemWorld } from "../engine/system.ts";
import type { Clock } from "../engine/world.ts";
import type { Log } from "../node/contract.ts";
import { didYouMean } from "../plan/suggest.ts";
import { aboutRoutes } from "./about.ts";
import { bodyOf } from "./body.ts";
import { controlRoutes } from "./control.ts";
import { Guard, type GuardOptions } from "./guard.ts";
import { historyRoutes } from "./history.ts";
import { metricsRoute } from "./metrics.ts";
import { openApi } from "./openapi.ts";
import { Patience } from "./patience.ts";
import { isInner, problemResponse } from "./problem.ts";
import { type Call, jsonResponse, jsonType, type Route } from "./route.ts";
import { runRoutes } from "./runs.ts";
import { Traffic } from "./traffic.ts";

export interface AppOptions extends Partial<GuardOptions> {
  /** Largest body of a request, bytes; default 2 MiB. */
  readonly maxBodyBytes?: number;
  /** Of this package, for `/version` and the document. */
  readonly version?: string;
  /** What goes wrong here, in full; default stderr. */
  readonly log?: Pick<Log, "error">;
  readonly clock?: Pick<Clock, "setTimer">;
}

export interface App {
  /** Answers one request. It never rejects. */
  fetch(request: Request): Promise<Response>;
  /** From now on not ready: streams and waits end, and only `/healthz`, `/readyz` and `/version` are answered. */
  drain(): void;
  readonly routes: readonly Route[];
}

const mib = 1024 * 1024;
/** How long a store that is away may keep a caller, ms; with the longest wait less than proxies take. */
const answerMs = 10_000;

/** `orchestrator` stays its caller's to close. */
export function createApp(orchestrator: Orchestrator, options: AppOptions = {}): App {
  const { maxBodyBytes = 2 * mib, version = "", log = stderrLog, clock = systemWorld(undefined).clock } = options;
  const { token, host = "127.0.0.1", allowHosts = [], allowOrigins = [] } = options;
  const guard = new Guard({ host, allowHosts, allowOrigins, ...(token === undefined ? {} : { token }) });
  const closing = new AbortController();
  const traffic = new Traffic();
  const routes: readonly Route[] = [
    ...runRoutes,
    ...historyRoutes,
    ...controlRoutes,
    ...aboutRoutes(version),
    metricsRoute(version, traffic),
    documentRoute(),
  ];
  const hono = new Hono();

  function documentRoute(): Route {
    return {
      method: "GET",
      path: "/api/v1/openapi.json",
      id: "getDocument",
      summary: "This document.",
      answers: { 200: { description: "OpenAPI 3.1", type: jsonType, schema: { type: "object" }, example: { openapi: "3.1.0" } } },
      problems: [],
      handle: () => jsonResponse(200, openApi(routes, version)),
    };
  }

  for (const route of routes)
    hono.on(route.method, route.path.replaceAll(/\{(\w+)\}/g, ":$1"), (c) => {
      if (!route.open) {
        guard.token(c.req.raw);
        if (closing.signal.aborted) throw new OnexError("SERVER_CLOSING", "the server is closing: ask another one, or again later");
      }
      checkQuery(route, new URL(c.req.url).searchParams);
      const patience = new Patience(clock, answerMs + (route.waitsMs ?? 0));
      const call: Call = {
        request: c.req.raw,
        orchestrator,
        clock,
        closing: closing.signal,
        traffic,
        param: (name) => c.req.param(name) ?? "",
        query: (name) => c.req.query(name),
        body: () => patience.without(bodyOf(c.req.raw, maxBodyBytes)),
      };
      return patience.with(route.handle(call));
    });
  hono.notFound((c) => {
    // Who may not ask is not told what there is.
    guard.token(c.req.raw);
    throw new OnexError(
      "ROUTE_UNKNOWN",
      `there is nothing at ${pathOf(c.req.raw)}: /api/v1/openapi.json lists what there is.${didYouMean(
        pathOf(c.req.raw),
        routes.map(({ path }) => path),
      )}`,
    );
  });
  hono.onError((error, c) => {
    if (isInner(error)) {
      const stack = error instanceof OnexError ? error.message : (error.stack ?? error.message);
      log.error(`${c.req.method} ${pathOf(c.req.raw)}: ${stack}`, { code: error instanceof OnexError ? error.code : "ENGINE_FAILED" });
    }
    return problemResponse(error, pathOf(c.req.raw));
  });

  async function answer(request: Request): Promise<{ readonly response: Response; readonly route: string }> {
    let origin: string | undefined;
    try {
      origin = guard.origin(request);
    } catch (error) {
      return { response: problemResponse(error, pathOf(request)), route: "none" };
    }
    const here = routes.filter(({ path }) => matches(path, pathOf(request)));
    const route = here[0]?.path ?? "none";
    const allowed = [...new Set(here.flatMap(({ method }) => (method === "GET" ? ["GET", "HEAD"] : [method])))];
    let response: Response;
    if (request.method === "OPTIONS" && origin !== undefined && here.length > 0) response = new Response(null, { status: 204 });
    else if (here.length > 0 && !allowed.includes(request.method)) {
      const error = new OnexError(
        "METHOD_REFUSED",
        `${pathOf(request)} does not know ${request.method.slice(0, 20)}; it knows ${allowed.join(", ")}`,
      );
      response = problemResponse(error, pathOf(request), { allow: allowed.join(", ") });
    } else response = await hono.fetch(request);
    if (origin !== undefined) allowOrigin(response.headers, origin, allowed);
    return { response, route };
  }

  return {
    routes,
    async fetch(request) {
      const { response, route } = await answer(request);
      response.headers.set("cache-control", "no-store");
      response.headers.set("x-content-type-options", "nosniff");
      if (allowOrigins.length > 0) response.headers.append("vary", "Origin");
      traffic.answered(request.method, route, response.status);
      return response;
    },
    drain: () => closing.abort(),
  };
}

function allowOrigin(headers: Headers, origin: string, methods: readonly string[]): void {
  headers.set("access-control-allow-origin", origin);
  headers.set("access-control-allow-methods", methods.join(", "));
  headers.set("access-control-allow-headers", "Authorization, Content-Type, Idempotency-Key, Last-Event-ID");
  headers.set("access-control-expose-headers", "Location, Retry-After");
  headers.set("access-control-max-age", "600");
}

/** As it was asked for, at most so long that it can be told. */
function pathOf(request: Request): string {
  return new URL(request.url).pathname.slice(0, 600);
}

function matches(template: string, path: string): boolean {
  const [wanted, given] = [template.split("/"), path.split("/")];
  return wanted.length === given.length && wanted.every((part, i) => (part.startsWith("{") ? given[i] !== "" : part === given[i]));
}

/** Throws OnexError `OPTION_INVALID` for a parameter that the route does not know, or that comes twice. */
function checkQuery({ query = {}, path }: Route, given: URLSearchParams): void {
  const known = Object.keys(query);
  const seen = new Set<string>();
  for (const name of given.keys()) {
    if (!known.includes(name))
      throw new OnexError(
        "OPTION_INVALID",
        `${path} takes no parameter ${JSON.stringify(name.slice(0, 60))}; it takes ${known.length === 0 ? "none" : known.join(", ")}.${didYouMean(name, known)}`,
      );
    if (seen.has(name)) throw new OnexError("OPTION_INVALID", `the parameter ${name} comes twice: give it once`);
    seen.add(name);
  }
}
