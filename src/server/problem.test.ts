import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { OnexError } from "../core/failure.ts";
import { problemOf, statusOf } from "./problem.ts";

const source = (file: string) => readFileSync(fileURLToPath(new URL(`../${file}`, import.meta.url)), "utf8");

/** Where the methods that routes call throw, and what they are handed. */
const paths = [
  ...(
    ["orchestrator", "handle", "fork", "options", "values", "inline", "definitions", "workflow-registry", "watchers", "secrets"] as const
  ).map((name) => `engine/${name}.ts`),
  ...(["core/json.ts", "core/duration.ts", "core/fields.ts", "core/fork.ts", "node/schema.ts"] as const),
  ...(["app", "body", "fields", "guard", "position", "runs", "history", "control", "about", "events", "listen"] as const).map(
    (name) => `server/${name}.ts`,
  ),
];
/** Codes in those files that no request meets, and why. */
const elsewhere: Readonly<Record<string, string>> = {
  SERVICE_MISSING: "thrown when the orchestrator is made",
  SERVICE_DUPLICATE: "thrown when the orchestrator is made",
  MIGRATION_INVALID: "there is no route that moves a run",
  RESULT_TIMEOUT: "a wait that was too short is 202",
  NOT_BUILT: "of a store that this version does not come with",
  LISTEN_FAILED: "ends the command before a request can come",
  OUTPUT_INVALID: "of what a node answered: a fact of the run",
  COMPUTE_THREW: "a fact of the run",
  REDUCER_THREW: "a fact of the run",
};

test("every code that a request can meet has its status", () => {
  const codes = new Set<string>();
  for (const path of paths) for (const [, code = ""] of source(path).matchAll(/OnexError\(\s*"([A-Z][A-Z0-9_]+)"/g)) codes.add(code);
  expect(codes.size).toBeGreaterThan(20);
  const missing = [...codes].filter((code) => statusOf[code] === undefined && elsewhere[code] === undefined);
  expect(missing).toEqual([]);
});

test("a problem says what, and what nobody planned says nothing of the inside", () => {
  expect(problemOf(new OnexError("RUN_UNKNOWN", 'there is no run "x"'), "/api/v1/runs/x")).toEqual({
    type: "/docs/errors.md#run_unknown",
    title: "Not Found",
    status: 404,
    detail: 'there is no run "x"',
    code: "RUN_UNKNOWN",
    instance: "/api/v1/runs/x",
  });
  for (const error of [
    new Error("at /home/me: password"),
    new OnexError("STORE_FAILED", "/home/me"),
    new OnexError("OF_TOMORROW", "/home/me"),
    "/home/me",
  ])
    expect(JSON.stringify(problemOf(error))).not.toContain("/home/me");
  expect(problemOf(new OnexError("STORE_FAILED", "x"))).toMatchObject({ status: 503, code: "STORE_FAILED" });
  expect(problemOf(new OnexError("OF_TOMORROW", "x"))).toMatchObject({ status: 500, code: "ENGINE_FAILED" });
});
