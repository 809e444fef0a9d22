/** docs/guide/serving.md says what the server does. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { createOrchestrator, memory } from "../src/index.ts";
import { createApp } from "../src/server/app.ts";
import { statusOf } from "../src/server/problem.ts";

const page = readFileSync(fileURLToPath(new URL("../docs/guide/serving.md", import.meta.url)), "utf8");

test("it names every route, with its parameters, and no other", async () => {
  const orchestrator = createOrchestrator({ store: memory(), nodes: [] });
  const { routes } = createApp(orchestrator);
  await orchestrator.close();
  const named = [...page.matchAll(/^\| `(GET|POST) (\S+)` .*$/gm)].map(([line, method, path]) => ({ line, route: `${method} ${path}` }));
  const api = routes.filter(({ path }) => path.startsWith("/api/"));
  expect(named.map(({ route }) => route).sort()).toEqual(api.map(({ method, path }) => `${method} ${path}`).sort());
  for (const { method, path, query = {} } of api)
    for (const name of Object.keys(query)) expect(named.find(({ route }) => route === `${method} ${path}`)?.line).toContain(`\`?${name}`);
  for (const { path } of routes.filter((route) => !api.includes(route))) expect(page).toContain(`| \`${path}\``);
});

test("it has every code with its status", () => {
  const listed = [...page.matchAll(/^\| (\d{3}) +\| (.*) \|$/gm)].flatMap(([, status, codes = ""]) =>
    [...codes.matchAll(/`([A-Z][A-Z0-9_]+)`/g)].map(([, code]) => [code, Number(status)]),
  );
  expect(Object.fromEntries(listed)).toEqual(statusOf);
});
