/** What a route is: one row of the table from which requests are routed and the OpenAPI document is made. */
import type { Json } from "../core/json.ts";
import type { Orchestrator } from "../engine/api.ts";
import type { Clock } from "../engine/world.ts";
import type { Traffic } from "./traffic.ts";

/** One request, as a route sees it. */
export interface Call {
  readonly request: Request;
  readonly orchestrator: Orchestrator;
  readonly clock: Pick<Clock, "setTimer">;
  /** Aborted when the server drains: what waits ends. */
  readonly closing: AbortSignal;
  readonly traffic: Traffic;
  /** A part of the path, decoded. */
  param(name: string): string;
  /** A part of the query, of those that the route names. */
  query(name: string): string | undefined;
  /** The body, once. Throws OnexError `MEDIA_TYPE_REFUSED`, `VALUE_TOO_LARGE`, `INPUT_NOT_JSON`. */
  body(): Promise<Json | undefined>;
}

type JsonSchema = { readonly [key: string]: Json };

/** A value that is handed in, and what it looks like. */
export interface Parameter {
  readonly description: string;
  readonly schema: JsonSchema;
}

export interface Answer {
  readonly description: string;
  /** Left out: it has no body. */
  readonly type?: string;
  readonly schema?: JsonSchema;
  readonly example?: Json;
  readonly headers?: Readonly<Record<string, Parameter>>;
}

export interface Route {
  readonly method: "GET" | "POST";
  /** With parts in braces: "/api/v1/runs/{id}". */
  readonly path: string;
  /** Its name in the OpenAPI document. */
  readonly id: string;
  readonly summary: string;
  readonly query?: Readonly<Record<string, Parameter>>;
  readonly headers?: Readonly<Record<string, Parameter>>;
  readonly body?: { readonly required: boolean; readonly schema: JsonSchema; readonly example: Json };
  /** By status; problems are listed by their status alone. */
  readonly answers: Readonly<Record<number, Answer>>;
  readonly problems: readonly number[];
  /** How long it may wait for something else than the store, ms; default not at all. */
  readonly waitsMs?: number;
  /** Answers without the token. */
  readonly open?: true;
  handle(call: Call): Promise<Response> | Response;
}

export const jsonType = "application/json";

export function jsonResponse(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(`${JSON.stringify(body)}\n`, { status, headers: { ...headers, "content-type": jsonType } });
}

/** The path of a run. */
export function runPath(runId: string): string {
  return `/api/v1/runs/${encodeURIComponent(runId)}`;
}

/** Refers to a schema of the OpenAPI document. */
export function ref(name: string): JsonSchema {
  return { $ref: `#/components/schemas/${name}` };
}
