import { Ajv2020 } from "ajv/dist/2020.js";
import { expect, test } from "vitest";
import { stand, told } from "../../test/server/kit.ts";
import type { Json } from "../core/json.ts";
import { schemas } from "./schemas.ts";

interface Operation {
  readonly operationId: string;
  readonly parameters: readonly { readonly name: string; readonly in: string; readonly schema: object }[];
  readonly requestBody?: { readonly content: Record<string, { readonly schema: object; readonly example: Json }> };
  readonly responses: Record<string, { readonly content?: Record<string, { readonly schema?: object; readonly example?: Json }> }>;
}
interface Document {
  readonly openapi: string;
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { readonly schemas: Record<string, object> };
}

async function documentOf(given = stand()): Promise<Document> {
  return (await told(await given.get("/api/v1/openapi.json"))).body;
}

/** What does not fit a schema of the document, as text. */
function validator(document: Document): (schema: object, value: unknown) => string {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  ajv.addSchema({ $id: "onex:", components: document.components });
  return (schema, value) => {
    // References are to the document.
    const text = JSON.stringify(schema).replaceAll('"#/components', '"onex:#/components');
    const check = ajv.compile(JSON.parse(text));
    return check(value) ? "" : ajv.errorsText(check.errors);
  };
}

test("every route is in the document, and every operation of the document is routed", async () => {
  const given = stand();
  const document = await documentOf(given);
  const written = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(written.sort()).toEqual(given.app.routes.map(({ method, path }) => `${method} ${path}`).sort());
  const ids = Object.values(document.paths).flatMap((methods) => Object.values(methods).map(({ operationId }) => operationId));
  expect(new Set(ids).size).toBe(ids.length);
  for (const line of written) {
    const [method = "", path = ""] = line.split(" ");
    const response = await given.app.fetch(new Request(`http://localhost${path.replaceAll(/\{\w+\}/g, "x")}`, { method }));
    const code = response.headers.get("content-type") === "application/problem+json" ? (await told(response)).code : undefined;
    expect(["ROUTE_UNKNOWN", "METHOD_REFUSED"], line).not.toContain(code);
    for (const [, name] of path.matchAll(/\{(\w+)\}/g))
      expect(document.paths[path]?.[method.toLowerCase()]?.parameters.filter((one) => one.in === "path").map((one) => one.name)).toContain(
        name,
      );
  }
});

test("its schemas are schemas, all are used, and its examples fit them", async () => {
  const document = await documentOf();
  const problemOf = validator(document);
  const ajv = new Ajv2020({ strict: false });
  for (const [name, schema] of Object.entries(document.components.schemas)) expect(ajv.validateSchema(schema), name).toBe(true);
  const text = JSON.stringify(document);
  for (const name of Object.keys(schemas)) expect(text, name).toContain(`"#/components/schemas/${name}"`);
  let examples = 0;
  for (const [path, methods] of Object.entries(document.paths))
    for (const [method, { requestBody, responses }] of Object.entries(methods))
      for (const [status, { content = {} }] of [...Object.entries(responses), ["body", requestBody ?? {}] as const])
        for (const [type, { schema, example }] of Object.entries(content)) {
          expect(schema, `${method} ${path} ${status}`).toBeDefined();
          if (example === undefined) expect(type).toBe("application/problem+json");
          else {
            examples++;
            expect(problemOf(schema ?? {}, example), `${method} ${path} ${status}`).toBe("");
          }
        }
  expect(examples).toBeGreaterThan(20);
});

test("what is answered fits it", async () => {
  const given = stand();
  const { get, post, start, orchestrator } = given;
  const document = await documentOf(given);
  const problemOf = validator(document);
  const patient = await start("patient", { amount: 1 });
  const failed = await start("failing", { amount: 1 });
  const done = await start("quick", { amount: 1 });
  for (const id of [failed, done])
    await orchestrator
      .run(id)
      .result()
      .catch(() => {});
  const asked: [string, string, Response][] = [
    ["post", "/api/v1/runs", await post("/api/v1/runs", { workflow: "quick", input: { amount: 1 }, startAt: 4e12, timeout: "9d" })],
    ["post", "/api/v1/runs", await post("/api/v1/runs", { workflow: "quick" })],
    ["get", "/api/v1/runs", await get("/api/v1/runs?limit=1")],
    ["get", "/api/v1/runs", await get("/api/v1/runs")],
    ...(await Promise.all(
      [patient, failed, done].map(
        async (id): Promise<[string, string, Response]> => ["get", "/api/v1/runs/{id}", await get(`/api/v1/runs/${id}`)],
      ),
    )),
    ["get", "/api/v1/runs/{id}/facts", await get(`/api/v1/runs/${failed}/facts`)],
    ["get", "/api/v1/runs/{id}/result", await get(`/api/v1/runs/${failed}/result`)],
    ["get", "/api/v1/runs/{id}/result", await get(`/api/v1/runs/${done}/result`)],
    ["get", "/api/v1/runs/{id}/result", await get(`/api/v1/runs/${patient}/result`)],
    ["post", "/api/v1/runs/{id}/pause", await post(`/api/v1/runs/${patient}/pause`)],
    ["post", "/api/v1/runs/{id}/fork", await post(`/api/v1/runs/${failed}/fork`, { from: "act" })],
    ["post", "/api/v1/runs/{id}/signals/{name}", await post(`/api/v1/runs/${patient}/signals/go`, { by: "x" })],
    ["post", "/api/v1/runs/{id}/signals/{name}", await post(`/api/v1/runs/${done}/signals/go`, { by: "x" })],
    ["get", "/api/v1/workflows", await get("/api/v1/workflows")],
    ["get", "/readyz", await get("/readyz")],
    ["get", "/version", await get("/version")],
  ];
  await orchestrator.idle();
  asked.push(["get", "/api/v1/runs/{id}", await get(`/api/v1/runs/${patient}`)]);
  for (const [method, path, response] of asked) {
    const where = `${method} ${path} ${response.status}`;
    const answer = document.paths[path]?.[method]?.responses[String(response.status)];
    expect(answer, where).toBeDefined();
    const type = response.headers.get("content-type") ?? "";
    expect(problemOf(answer?.content?.[type]?.schema ?? { not: {} }, await response.json()), where).toBe("");
  }
});
