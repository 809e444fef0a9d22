/** Whatever is sent, the answer is planned: no 500, and what was stored comes back as it was. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { stand, told } from "../../test/server/kit.ts";

const odd = fc.oneof(
  fc.string({ unit: "binary", maxLength: 30 }),
  fc.constantFrom("__proto__", "' OR 1=1 --", "\0", "%", "%2F", "..", "😀", "\u202e", "a\nb", "1e999", "-1", "constructor"),
);

test("any run id that can be given can be asked for", async () => {
  const { post, get } = stand();
  const id = fc
    .string({ unit: "grapheme", minLength: 1, maxLength: 40 })
    // A path cannot hold these two as a part; a store none of the others.
    .filter((text) => text !== "." && text !== ".." && !/\p{Cc}|\p{Cs}/u.test(text));
  await fc.assert(
    fc.asyncProperty(id, async (runId) => {
      const started = await post("/api/v1/runs", { workflow: "quick", input: { amount: 1 }, runId });
      expect([200, 201]).toContain(started.status);
      expect((await told(await get(started.headers.get("location") ?? ""))).body).toMatchObject({ runId });
      expect((await get(`${started.headers.get("location")}/facts`)).status).toBe(200);
    }),
    { numRuns: 100, examples: [["a%2Fb"], ["%"], ["a/b"], ["?"], ["#"], ["é"], ["{id}"], [":id"], ["*"]] },
  );
});

test("any query, header and path are answered", async () => {
  const { app } = stand();
  const paths = app.routes.map(({ path }) => path);
  const names = ["status", "workflow", "limit", "cursor", "after", "wait", "x"];
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...paths), fc.constantFrom(...names), odd, odd, async (path, name, value, part) => {
      const where = path.replaceAll(/\{\w+\}/g, encodeURIComponent(part.replaceAll(/\p{Cs}/gu, "?")));
      const url = `http://localhost${where}?${name}=${encodeURIComponent(value.replaceAll(/\p{Cs}/gu, "?"))}`;
      const header = value.replaceAll(/[^\x20-\x7e]/g, "") || "x";
      for (const headers of [{}, { "last-event-id": header }, { authorization: header }, { "idempotency-key": header }]) {
        const response = await app.fetch(new Request(url, { headers }));
        await response.body?.cancel();
        expect([200, 202, 204, 400, 404, 405], `${url} ${JSON.stringify(headers)}`).toContain(response.status);
      }
    }),
    { numRuns: 300 },
  );
});

test("any JSON as a body is answered", async () => {
  const { post, app } = stand();
  const routes = app.routes.filter(({ method }) => method === "POST").map(({ path }) => path.replaceAll(/\{\w+\}/g, "x"));
  const start = fc.record(
    {
      workflow: fc.constantFrom("quick", "patient"),
      input: fc.oneof(fc.jsonValue(), fc.record({ amount: fc.double() })),
      runId: odd,
      priority: fc.oneof(fc.integer(), fc.jsonValue()),
      startAt: fc.oneof(fc.double(), odd),
      timeout: odd,
      correlationId: odd,
      version: odd,
    },
    { requiredKeys: [] },
  );
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...routes), fc.oneof(start, fc.jsonValue(), fc.object()), async (path, body) => {
      const response = await post(path, JSON.stringify(body) ?? "null");
      const { code } = await told(response);
      expect([200, 201, 202, 400, 404, 409, 422], `${path} ${JSON.stringify(body)} ${code}`).toContain(response.status);
    }),
    { numRuns: 300 },
  );
});
