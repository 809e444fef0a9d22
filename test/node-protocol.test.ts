/** docs/node-protocol.md and its OpenAPI document say what both sides really send. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import Ajv2020 from "ajv/dist/2020.js";
import { expect, test } from "vitest";
import { z } from "zod";
import { canonicalText, signatureHeaders } from "../src/engine/signature.ts";
import { sha256, systemSigner } from "../src/engine/system.ts";
import { decodeAnswer, decodeMessage, encodeAbort, encodeAction } from "../src/engine/wire.ts";
import { attempt, compute, createNodeHost, createOrchestrator, effect, Fatal, memory, stream, workflow } from "../src/index.ts";
import { quiet } from "./semantics/kit.ts";
import { listening, textOf } from "./serve.ts";

const docs = join(import.meta.dirname, "../docs");
const page = readFileSync(join(docs, "node-protocol.md"), "utf8");
const api = JSON.parse(readFileSync(join(docs, "node-protocol.openapi.json"), "utf8"));
const blocks = (language: string): string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "gm"))].map(([, block = ""]) => block.trimEnd());
const examples = blocks("json").map((text) => JSON.parse(text));

const ajv = new Ajv2020.Ajv2020({ strict: true, allErrors: true, schemas: [{ ...api, $id: "api" }], keywords: Object.keys(api) });
/** What is wrong with a value of this schema. */
function problems(name: string, value: unknown): unknown {
  const schema = ajv.getSchema(`api#/components/schemas/${name}`);
  if (!schema) throw new Error(`no schema ${name}`);
  return schema(value) ? [] : schema.errors;
}

test("the examples are what both sides write and read", () => {
  const messages = examples.filter((example) => "action" in example || "abort" in example);
  expect(messages.length).toBe(2);
  for (const message of messages) {
    const decoded = decodeMessage(message);
    expect(JSON.parse("action" in decoded ? encodeAction(decoded.action) : encodeAbort(decoded.abort))).toEqual(message);
    expect(problems("Message", message)).toEqual([]);
  }
  const answers = examples.filter((example) => "status" in example);
  expect(answers.map(({ status }) => status)).toEqual(["completed", "failed", "progressed", "yielded", "completed", "aborted"]);
  for (const answer of answers) {
    decodeAnswer(answer);
    expect(problems(answer.status === "progressed" ? "Line" : "Answer", answer)).toEqual([]);
  }
  const { requestBody, responses } = api.paths["/"].post;
  const told = Object.values(requestBody.content["application/json"].examples) as { value: unknown }[];
  expect(told.map(({ value }) => value)).toEqual(messages);
  for (const { value } of Object.values(responses["200"].content["application/json"].examples) as { value: unknown }[])
    expect(examples).toContainEqual(value);
  expect(problems("Message", { ...messages[0], more: 1 })).not.toEqual([]);
});

test("the worked example of a signature", () => {
  const [text, header] = blocks("text");
  const { action } = decodeMessage(examples[0]) as { action: Parameters<typeof encodeAction>[0] };
  const signed = {
    method: "POST",
    path: "/nodes",
    time: 1893456000123,
    nonce: "00112233445566778899aabbccddeeff",
    actionId: action.actionId,
    epoch: action.epoch,
    bodyDigest: sha256(encodeAction(action)),
  };
  expect(canonicalText(signed)).toBe(text);
  expect(`onex-signature: ${signatureHeaders(systemSigner, "correct horse battery staple", signed)["onex-signature"]}`).toBe(header);
});

test("every message of a run fits the schemas", async () => {
  const note = effect({ name: "note", input: z.number(), idempotent: true, irreversible: "x" }, async (n, { progress }) => {
    progress({ n });
    if (n === 2) throw new Fatal("NOT_TWO", { details: { n } });
    return { n };
  });
  const rows = stream({ name: "rows", input: z.number(), item: z.number() }, async function* (count, { taken }) {
    for (let n = taken; n < count; n++) yield n;
  });
  const double = compute({ name: "double", input: z.number() }, (n) => 2 * n);
  const secret = "a secret of the test";
  const host = createNodeHost({ nodes: [note, rows, double], secret, log: quiet });
  const said: [string, unknown][] = [];
  const url = await listening(async (incoming, outgoing) => {
    const body = await textOf(incoming);
    said.push(["Message", JSON.parse(body)]);
    for (const { name, schema } of api.paths["/"].post.parameters) expect(incoming.headers[name]).toMatch(new RegExp(schema.pattern));
    const headers = Object.entries(incoming.headers).map(([name, value]): [string, string] => [name, String(value)]);
    const response = await host.fetch(new Request(`http://host${incoming.url}`, { method: "POST", headers, body }));
    const text = await response.text();
    for (const line of text.split("\n").filter((line) => line !== "")) said.push(["Line", JSON.parse(line)]);
    outgoing.writeHead(response.status, Object.fromEntries(response.headers));
    outgoing.end(text);
  });
  const flow = workflow({ name: "flow", input: z.any() }, function* () {
    const items = yield* rows(3);
    const refused = yield* attempt(note(2, { step: "refused" }));
    return { items, refused: refused.ok, done: yield* note(yield* double(4)) };
  });
  const orchestrator = createOrchestrator({
    store: memory(),
    nodes: [flow, note, rows, double],
    endpoints: { note: url, rows: url, double: url },
    endpointSecret: secret,
    log: quiet,
  });
  expect(await (await orchestrator.start(flow, null)).result()).toEqual({ items: [0, 1, 2], refused: false, done: { n: 8 } });
  await orchestrator.close();
  const health = await (await host.fetch(new Request("http://host/health"))).json();
  expect(health).toEqual({ onex: 1, status: "healthy", under_way: 0 });
  said.push(["Health", health]);
  for (const [schema, value] of said) expect([value, problems(schema, value)]).toEqual([value, []]);
  expect(new Set(said.flatMap(([, value]) => (value as { status?: string }).status ?? []))).toEqual(
    new Set(["completed", "failed", "progressed", "yielded", "healthy"]),
  );
});
