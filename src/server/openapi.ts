/** The OpenAPI 3.1 document, made from the table by which requests are routed. */
import type { Json } from "../core/json.ts";
import type { Answer, Parameter, Route } from "./route.ts";
import { ref } from "./route.ts";
import { schemas } from "./schemas.ts";

const problemTitles: Readonly<Record<number, string>> = {
  400: "what was sent makes no sense",
  404: "there is no such run or workflow",
  409: "the run does not allow it, or its id is taken",
  413: "the body or a value in it is too large",
  415: "the body is no JSON",
  422: "the input or payload does not fit its schema",
  503: "not now: try again later",
};

/** @param version of this package; `routes` are all of the server. */
export function openApi(routes: readonly Route[], version: string): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const route of routes) {
    const path = paths[route.path] ?? {};
    paths[route.path] = path;
    path[route.method.toLowerCase()] = operation(route);
  }
  return {
    openapi: "3.1.0",
    info: { title: "onex", version, description: "Starts, follows and steers the runs of an orchestrator." },
    paths,
    components: { schemas, securitySchemes: { token: { type: "http", scheme: "bearer" } } },
  };
}

function operation(route: Route): Json {
  const parts = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name);
  const path = parts.map((name) =>
    parameter("path", name, { description: `the ${name === "id" ? "id of the run" : name}`, schema: { type: "string" } }),
  );
  const query = Object.entries(route.query ?? {}).map(([name, given]) => parameter("query", name, given));
  const headers = Object.entries(route.headers ?? {}).map(([name, given]) => parameter("header", name, given));
  const problems = [...route.problems, ...(route.open ? [] : [401])].sort();
  return {
    operationId: route.id,
    summary: route.summary,
    // An empty requirement: a server without a token asks for none.
    security: route.open ? [] : [{ token: [] }, {}],
    parameters: [...path, ...query, ...headers],
    ...(route.body === undefined
      ? {}
      : {
          requestBody: {
            required: route.body.required,
            content: { "application/json": { schema: route.body.schema, example: route.body.example } },
          },
        }),
    responses: Object.fromEntries([
      ...Object.entries(route.answers).map(([status, answer]) => [status, response(answer)]),
      ...problems.map((status) => [String(status), problem(status)]),
    ]) as Json,
  };
}

function parameter(where: "path" | "query" | "header", name: string, { description, schema }: Parameter): Json {
  return { name, in: where, required: where === "path", description, schema };
}

function response({ description, type, schema, example, headers }: Answer): Json {
  return {
    description,
    ...(headers === undefined ? {} : { headers: headers as unknown as Json }),
    ...(type === undefined
      ? {}
      : { content: { [type]: { ...(schema === undefined ? {} : { schema }), ...(example === undefined ? {} : { example }) } } }),
  };
}

function problem(status: number): Json {
  return {
    description: status === 401 ? "the token is missing, or another one" : (problemTitles[status] ?? "a problem"),
    content: { "application/problem+json": { schema: ref("Problem") } },
  };
}
