import { expect, test } from "vitest";
import { act, nodes, stand, told } from "../../test/server/kit.ts";
import { memory } from "../index.ts";

test("a start is stored before it is answered: 201, the view, and where it is", async () => {
  const { post, get } = stand();
  const response = await post("/api/v1/runs", {
    workflow: "patient",
    input: { amount: 1 },
    runId: "a/b ?",
    correlationId: "c",
    priority: 7,
  });
  expect(response.status).toBe(201);
  const path = response.headers.get("location") ?? "";
  expect(path).toBe("/api/v1/runs/a%2Fb%20%3F");
  const view = await told(response);
  expect(view.body).toMatchObject({ runId: "a/b ?", workflow: "patient", input: { amount: 1 }, correlationId: "c" });
  expect((await told(await get(path))).body).toMatchObject({ runId: "a/b ?" });
});

test("the same start again is 200 and the same run; with another input it is 409", async () => {
  const { post, orchestrator } = stand();
  const start = { workflow: "patient", input: { amount: 1 }, runId: "r" };
  expect((await post("/api/v1/runs", start)).status).toBe(201);
  const again = await post("/api/v1/runs", start);
  expect(again.status).toBe(200);
  expect(again.headers.get("location")).toBe("/api/v1/runs/r");
  expect(await told(await post("/api/v1/runs", { ...start, input: { amount: 2 } }))).toMatchObject({
    status: 409,
    code: "RUN_ID_CONFLICT",
  });
  expect(await orchestrator.list()).toHaveLength(1);
});

test("an Idempotency-Key makes the id, with the workflow: the same in every process", async () => {
  const keyed = { "idempotency-key": "k-1" };
  const first = stand();
  const a = await told(await first.post("/api/v1/runs", { workflow: "patient", input: { amount: 1 } }, keyed));
  const again = await told(await first.post("/api/v1/runs", { workflow: "patient", input: { amount: 1 } }, { "idempotency-key": '"k-1"' }));
  expect([a.status, again.status]).toEqual([201, 200]);
  expect((again.body as { runId: string }).runId).toBe((a.body as { runId: string }).runId);
  const other = await told(await stand().post("/api/v1/runs", { workflow: "patient", input: { amount: 1 } }, keyed));
  expect((other.body as { runId: string }).runId).toBe((a.body as { runId: string }).runId);
  expect(await told(await first.post("/api/v1/runs", { workflow: "patient", input: { amount: 2 } }, keyed))).toMatchObject({ status: 409 });
  expect((await first.post("/api/v1/runs", { workflow: "quick", input: { amount: 1 } }, keyed)).status).toBe(201);
  expect((await first.post("/api/v1/runs", { workflow: "quick", input: { amount: 1 }, runId: "x" }, keyed)).status).toBe(400);
});

test("the key is of the workflow, however its version is named", async () => {
  const { post, orchestrator } = stand();
  const keyed = { "idempotency-key": "k" };
  expect((await post("/api/v1/runs", { workflow: "patient", input: { amount: 1 } }, keyed)).status).toBe(201);
  expect((await post("/api/v1/runs", { workflow: "patient@1.0.0", input: { amount: 1 } }, keyed)).status).toBe(200);
  expect(await orchestrator.list()).toHaveLength(1);
});

test("what is recorded beside a run is bounded, and an id can stand in a path", async () => {
  const { post, orchestrator } = stand();
  const start = (more: object) => post("/api/v1/runs", { workflow: "patient", input: { amount: 1 }, ...more });
  for (const runId of [".", ".."]) expect(await told(await start({ runId }))).toMatchObject({ status: 400, code: "OPTION_INVALID" });
  expect((await start({ correlationId: "c".repeat(513) })).status).toBe(400);
  expect(await orchestrator.list()).toHaveLength(0);
  expect((await start({ runId: "r", correlationId: "c".repeat(512) })).status).toBe(201);
  for (const path of ["pause", "cancel"]) expect((await post(`/api/v1/runs/r/${path}`, { reason: "x".repeat(4097) })).status).toBe(400);
  for (const name of ["a%00b", "s".repeat(513)]) expect((await post(`/api/v1/runs/r/signals/${name}`, {})).status).toBe(400);
  expect(await told(await post("/api/v1/runs/r/signals/approval", {}, { "idempotency-key": "a\tb" }))).toMatchObject({
    status: 400,
    body: { detail: expect.stringContaining("Idempotency-Key") },
  });
});

test("many starts at once under one key are one run", async () => {
  const { post, orchestrator } = stand();
  const starts = Array.from({ length: 20 }, () =>
    post("/api/v1/runs", { workflow: "patient", input: { amount: 1 } }, { "idempotency-key": "k" }),
  );
  const answers = await Promise.all(starts);
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(19);
  expect(await orchestrator.list()).toHaveLength(1);
});

test.each([
  [{}, 400, "OPTION_INVALID", "workflow"],
  [{ workflow: 1 }, 400, "OPTION_INVALID", "workflow"],
  [[], 400, "OPTION_INVALID", "body"],
  [{ workflow: "quick", inputs: {} }, 400, "OPTION_INVALID", "inputs"],
  [{ workflow: "quik" }, 404, "WORKFLOW_UNKNOWN", "quick"],
  [{ workflow: "quick", version: "9" }, 404, "WORKFLOW_UNKNOWN", "1.0.0"],
  [{ workflow: "quick" }, 422, "INPUT_INVALID", "amount"],
  [{ workflow: "quick", input: { amount: "1" } }, 422, "INPUT_INVALID", "amount"],
  [{ workflow: "quick", input: { amount: 1 }, priority: 0 }, 400, "OPTION_INVALID", "priority"],
  [{ workflow: "quick", input: { amount: 1 }, priority: "1" }, 400, "OPTION_INVALID", "priority"],
  [{ workflow: "quick", input: { amount: 1 }, startAt: "tomorrow" }, 400, "OPTION_INVALID", "startAt"],
  [{ workflow: "quick", input: { amount: 1 }, timeout: "soon" }, 400, "INVALID_DURATION", "timeout"],
  [{ workflow: "quick", input: { amount: 1 }, runId: "a\nb" }, 400, "OPTION_INVALID", "runId"],
  ["{", 400, "INPUT_NOT_JSON", "no JSON"],
  ['{"password": hunter2}', 400, "INPUT_NOT_JSON", "no JSON"],
])("a start of %j is refused", async (body, status, code, word) => {
  const { post, orchestrator } = stand();
  const response = await post("/api/v1/runs", body);
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  const problem = await told(response);
  expect(problem).toMatchObject({
    ...{ status, code },
    body: { status, code, type: `/docs/errors.md#${code.toLowerCase()}`, instance: "/api/v1/runs", detail: expect.stringContaining(word) },
  });
  expect(JSON.stringify(problem)).not.toContain("hunter2");
  expect(await orchestrator.list()).toEqual([]);
});

test("runs are listed a page at a time, and no run twice", async () => {
  const { start, get } = stand();
  const ids: string[] = [];
  for (let i = 0; i < 5; i++) ids.unshift(await start("patient", { amount: i }));
  const seen: string[] = [];
  let path: string | undefined = "/api/v1/runs?limit=2&workflow=patient";
  while (path) {
    const { body } = await told(await get(path));
    const { runs, next }: { runs: { runId: string }[]; next: string | null } = body;
    seen.push(...runs.map(({ runId }) => runId));
    path = next === null ? undefined : `/api/v1/runs?limit=2&workflow=patient&cursor=${next}`;
  }
  expect(seen).toEqual(ids);
  expect((await told(await get("/api/v1/runs?status=completed"))).body).toEqual({ runs: [], next: null });
});

test.each([
  ["status=done", "completed"],
  ["stauts=completed", 'Did you mean "status"'],
  ["limit=0", "1 to 1000"],
  ["limit=1e3", "1 to 1000"],
  ["cursor=x", "next"],
  ["limit=1&limit=2", "twice"],
])("the list refuses ?%s and says what there is", async (query, word) => {
  const { get } = stand();
  const { status, body } = await told(await get(`/api/v1/runs?${query}`));
  expect(status).toBe(400);
  expect((body as { detail: string }).detail).toContain(word);
});

test("a run's facts come a page at a time, with their positions", async () => {
  const { start, get, orchestrator } = stand();
  const id = await start("quick", { amount: 1 });
  await orchestrator.run(id).result();
  const facts = await orchestrator.run(id).facts();
  const seen: unknown[] = [];
  let after = "0";
  for (let more = true; more; ) {
    const page: { facts: { position: string }[]; next: string; more: boolean } = (
      await told(await get(`/api/v1/runs/${id}/facts?limit=2&after=${after}`))
    ).body;
    seen.push(...page.facts.map(({ position: _position, ...fact }) => fact));
    expect(page.facts.at(-1)?.position).toBe(page.next);
    ({ next: after, more } = page);
  }
  expect(seen).toEqual(facts);
  const end = (await told(await get(`/api/v1/runs/${id}/facts?after=${facts.length}`))).body;
  expect(end).toEqual({ facts: [], next: String(facts.length), more: false });
  expect((await get(`/api/v1/runs/${id}/facts?after=x`)).status).toBe(400);
  expect((await get(`/api/v1/runs/${id}/facts?after=1-2`)).status).toBe(400);
});

test("a result is waited for, and is 202 when the run goes on", async () => {
  const { start, get, post, orchestrator } = stand();
  const id = await start("patient", { amount: 1 });
  const going = await told(await get(`/api/v1/runs/${id}/result`));
  expect(going).toMatchObject({ status: 202, body: { runId: id } });
  expect((await get(`/api/v1/runs/${id}/result?wait=1ms`)).status).toBe(202);
  const waiting = get(`/api/v1/runs/${id}/result?wait=60s`);
  expect((await post(`/api/v1/runs/${id}/signals/go`, { by: "ada" })).status).toBe(202);
  expect(await told(await waiting)).toMatchObject({
    status: 200,
    body: { runId: id, status: "completed", output: { by: "ada" }, notUndone: [] },
  });
  expect((await get(`/api/v1/runs/${id}/result?wait=61s`)).status).toBe(400);
  const bad = await start("failing", { amount: 1 });
  await orchestrator
    .run(bad)
    .result()
    .catch(() => {});
  expect((await told(await get(`/api/v1/runs/${bad}/result`))).body).toMatchObject({ status: "failed", error: { code: "TOO_MUCH" } });
});

test("signals: a key counts once, an ended run refuses, an unknown one is 404", async () => {
  const { start, post, orchestrator } = stand();
  const id = await start("patient", { amount: 1 });
  const path = `/api/v1/runs/${id}/signals/nothing`;
  for (let i = 0; i < 2; i++) expect((await post(path, { n: 1 }, { "idempotency-key": "m" })).status).toBe(202);
  await post(`/api/v1/runs/${id}/signals/go`, { by: "ada" });
  await orchestrator.run(id).result();
  const received = (await orchestrator.run(id).facts()).filter(({ type }) => type === "signal.received");
  expect(received).toHaveLength(2);
  expect(await told(await post(path, {}))).toMatchObject({ status: 409, code: "RUN_ENDED" });
  expect(await told(await post("/api/v1/runs/nobody/signals/go", {}))).toMatchObject({ status: 404, code: "RUN_UNKNOWN" });
});

test("pause, resume, cancel: messages that are stored", async () => {
  const { start, post, orchestrator } = stand();
  const id = await start("patient", { amount: 1 });
  expect((await post(`/api/v1/runs/${id}/pause`, { reason: "night" })).status).toBe(202);
  await orchestrator.idle();
  expect((await orchestrator.run(id).status()).paused).toMatchObject({ code: "PAUSED", message: expect.stringContaining("night") });
  expect((await post(`/api/v1/runs/${id}/resume`)).status).toBe(202);
  await orchestrator.idle();
  expect((await orchestrator.run(id).status()).status).toBe("waiting");
  expect((await post(`/api/v1/runs/${id}/cancel`, { reason: "enough" })).status).toBe(202);
  await orchestrator
    .run(id)
    .result()
    .catch(() => {});
  expect(await orchestrator.run(id).status()).toMatchObject({ status: "cancelled", error: { message: "enough" } });
  expect(await told(await post(`/api/v1/runs/${id}/cancel`, { why: "x" }))).toMatchObject({ status: 400, code: "OPTION_INVALID" });
});

test.each([
  [{ as: "retry" }, 400, "OPTION_INVALID"],
  [{ step: "act" }, 400, "OPTION_INVALID"],
  [{ step: "act", as: "retry", output: 1 }, 400, "OPTION_INVALID"],
  [{ step: "act", as: "again" }, 400, "OPTION_INVALID"],
  [{ step: "act", as: "retry" }, 409, "STEP_NOT_PAUSED"],
  [{ step: "act", output: null }, 409, "STEP_NOT_PAUSED"],
])("resume with %j", async (body, status, code) => {
  const { start, post, orchestrator } = stand();
  const id = await start("patient", { amount: 1 });
  await orchestrator.idle();
  expect(await told(await post(`/api/v1/runs/${id}/resume`, body))).toMatchObject({ status, code });
});

test("retry and fork make new runs", async () => {
  const { start, post, orchestrator } = stand();
  const id = await start("failing", { amount: 1 });
  await orchestrator
    .run(id)
    .result()
    .catch(() => {});
  const retried = await post(`/api/v1/runs/${id}/retry`, { runId: "again", from: "act" });
  expect(retried.status).toBe(201);
  expect(retried.headers.get("location")).toBe("/api/v1/runs/again");
  expect((await told(retried)).body).toMatchObject({ runId: "again", forkedFrom: { runId: id, step: "act" } });
  const forked = await told(await post(`/api/v1/runs/${id}/fork`, { input: { amount: 9 } }));
  expect(forked).toMatchObject({ status: 201, body: { input: { amount: 9 } } });
  expect(await told(await post(`/api/v1/runs/${id}/fork`, { from: "nothing" }))).toMatchObject({ status: 409, code: "FORK_IMPOSSIBLE" });
  const keyed = async (what: string, body: object) => told(await post(`/api/v1/runs/${id}/${what}`, body, { "idempotency-key": "k" }));
  const [once, twice] = [await keyed("fork", { from: "act" }), await keyed("fork", { from: "act" })];
  expect([once.status, twice.status]).toEqual([201, 200]);
  expect(twice.body).toMatchObject({ runId: (once.body as { readonly runId: string }).runId });
  expect(await keyed("fork", {})).toMatchObject({ status: 409, code: "RUN_ID_CONFLICT" });
  expect((await keyed("retry", { from: "act" })).status).toBe(201);
  const going = await start("patient", { amount: 1 });
  expect(await told(await post(`/api/v1/runs/${going}/fork`))).toMatchObject({ status: 409, code: "RUN_NOT_ENDED" });
});

test("workflows are listed with the schema of their input", async () => {
  const { get } = stand();
  const { workflows }: { workflows: { name: string; input?: { properties?: object } }[] } = (await told(await get("/api/v1/workflows")))
    .body;
  expect(workflows.map(({ name }) => name)).toEqual(["failing", "long", "patient", "quick", "twofold"]);
  expect(workflows[3]).toMatchObject({
    version: "1.0.0",
    latest: true,
    kind: "code",
    input: { properties: { amount: { type: "number" } } },
  });
});

test("whoever holds no workflow looks, and starts nothing", async () => {
  const { get, post } = stand({}, { nodes: [act] });
  expect((await told(await get("/api/v1/workflows"))).body).toEqual({ workflows: [] });
  expect(await told(await post("/api/v1/runs", { workflow: "quick" }))).toMatchObject({ status: 404, code: "WORKFLOW_UNKNOWN" });
  expect((await get("/readyz")).status).toBe(200);
});

test("unknown paths and methods, and what there is instead", async () => {
  const { app, get } = stand();
  const lost = await told(await get("/api/v1/runz"));
  expect(lost).toMatchObject({ status: 404, code: "ROUTE_UNKNOWN", body: { detail: expect.stringContaining('"/api/v1/runs"') } });
  const refused = await app.fetch(new Request("http://localhost/api/v1/runs", { method: "DELETE" }));
  expect(refused.headers.get("allow")).toBe("POST, GET, HEAD");
  expect(await told(refused)).toMatchObject({ status: 405, code: "METHOD_REFUSED" });
  const head = await app.fetch(new Request("http://localhost/api/v1/runs", { method: "HEAD" }));
  expect([head.status, await head.text()]).toEqual([200, ""]);
  expect((await get("/api/v1/runs/%E0%A4%A")).status).toBe(404);
});

test("every answer says that it is not to be kept, nor taken for something else", async () => {
  const { get } = stand();
  for (const path of ["/healthz", "/api/v1/runs", "/nothing", "/metrics", "/api/v1/runs/nobody"]) {
    const { headers } = await get(path);
    expect(headers.get("cache-control"), path).toBe("no-store");
    expect(headers.get("x-content-type-options"), path).toBe("nosniff");
  }
});

test("a drained server answers what asks for its health, and no more", async () => {
  const { app, get, start } = stand();
  const id = await start("patient", { amount: 1 });
  const waiting = get(`/api/v1/runs/${id}/result?wait=60s`);
  await Promise.resolve();
  app.drain();
  expect((await waiting).status).toBe(202);
  expect((await get("/healthz")).status).toBe(200);
  const ready = await get("/readyz");
  expect(ready.headers.get("retry-after")).toBe("1");
  expect(await told(ready)).toMatchObject({ status: 503, code: "SERVER_CLOSING" });
  expect(await told(await get("/api/v1/runs"))).toMatchObject({ status: 503, code: "SERVER_CLOSING" });
});

test("not ready when the store does not answer, and its words stay inside", async () => {
  const broken = memory();
  const said: string[] = [];
  const store = {
    kind: "memory",
    open(host: never) {
      const opened = broken.open(host);
      return new Proxy(opened, {
        get(target, name) {
          if (name === "list") return () => Promise.reject(new Error("/secret/path is full"));
          const value = Reflect.get(target, name);
          return typeof value === "function" ? value.bind(target) : value;
        },
      });
    },
  };
  const { get } = stand({ log: { error: (message: string) => said.push(message) } }, { store: store as never });
  expect(await told(await get("/readyz"))).toMatchObject({ status: 503, code: "SERVER_NOT_READY" });
  const problem = await told(await get("/api/v1/runs"));
  expect(problem).toMatchObject({ status: 500, code: "ENGINE_FAILED" });
  expect(JSON.stringify(problem.body)).not.toContain("/secret/path");
  expect(said.join()).toContain("/secret/path is full");
});

test("a closed orchestrator is 503", async () => {
  const { orchestrator, get, post } = stand();
  await orchestrator.close();
  expect((await get("/readyz")).status).toBe(503);
  expect(await told(await post("/api/v1/runs", { workflow: "quick", input: { amount: 1 } }))).toMatchObject({
    status: 503,
    code: "ORCHESTRATOR_CLOSED",
  });
});

test("a secret in an input is shown nowhere", async () => {
  const canary = "canary-7f3a91bc55";
  const { post, get, orchestrator } = stand({}, { secrets: [canary], nodes });
  const id = "s";
  await post("/api/v1/runs", { workflow: "patient", input: { amount: 1, note: canary, password: "hunter2-hunter2" }, runId: id });
  await post(`/api/v1/runs/${id}/signals/go`, { by: canary });
  await orchestrator.run(id).result();
  const refused = await post("/api/v1/runs", { workflow: canary, input: {} });
  const texts = [await refused.text()];
  for (const path of ["", "/facts", "/events", "/result"]) texts.push(await (await get(`/api/v1/runs/${id}${path}`)).text());
  texts.push(await (await get("/metrics")).text());
  // What the caller himself has just said may be named to him; what is stored is not shown.
  for (const text of texts.slice(1)) {
    expect(text).not.toContain(canary);
    expect(text).not.toContain("hunter2");
  }
});

test("values that are too deep or too large are refused before anything looks into them", async () => {
  const { post } = stand({ maxBodyBytes: 300_000 });
  const deep = `{"workflow":"patient","input":${"[".repeat(100_000)}${"]".repeat(100_000)}}`;
  expect(await told(await post("/api/v1/runs", deep))).toMatchObject({ status: 400, code: "INPUT_NOT_JSON" });
  const near = `{"workflow":"patient","input":{"amount":1,"x":${"[".repeat(220)}${"]".repeat(220)}}}`;
  expect((await post("/api/v1/runs", near)).status).toBe(400);
  expect(await told(await post("/api/v1/runs", `"${"x".repeat(300_000)}"`))).toMatchObject({ status: 413, code: "VALUE_TOO_LARGE" });
  expect(await told(await post("/api/v1/runs", {}, { "content-type": "text/plain" }))).toMatchObject({
    status: 415,
    code: "MEDIA_TYPE_REFUSED",
  });
  expect(await told(await post("/api/v1/runs", {}, { "content-encoding": "gzip" }))).toMatchObject({ status: 415 });
});

test("a full orchestrator that refuses is 503, to be asked again", async () => {
  const { post } = stand({}, { maxConcurrentWorkflows: 1, whenFull: "refuse" });
  const first = post("/api/v1/runs", { workflow: "long", input: { steps: 200 } });
  const second = await post("/api/v1/runs", { workflow: "quick", input: { amount: 1 } });
  expect((await first).status).toBe(201);
  expect(second.headers.get("retry-after")).toBe("1");
  expect(await told(second)).toMatchObject({ status: 503, code: "ADMISSION_REFUSED" });
});
