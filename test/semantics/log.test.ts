/** A workflow's log is silent while replaying. */
import { expect, test } from "vitest";
import { attempt, effect, sleep, workflow } from "../../src/index.ts";
import { testOrchestrator } from "../../src/testing/index.ts";
import { anything, quiet } from "./kit.ts";

test("each line is written once, whatever crashes, and an effect's as often as it is made", async () => {
  const lines: unknown[] = [];
  const act = effect({ name: "act", input: anything, idempotent: true }, async (_input, { log }) => {
    log.warn("in the effect");
    return null;
  });
  const flow = workflow({ name: "flow", input: anything }, function* (_input, { log, runId, correlationId }) {
    log.info("begins", { runId, correlationId });
    yield* act(1);
    log.warn("acted");
    yield* attempt(sleep("1h"));
    log.error("awake");
  });
  const keep = (level: string) => (message: string, fields?: object) => lines.push(fields ? [level, message, fields] : [level, message]);
  const t = testOrchestrator({ nodes: [flow], log: { ...quiet, info: keep("info"), error: keep("error"), warn: keep("warn") } });
  await t.start(flow, null, { runId: "r", correlationId: "c" });
  await t.advance("1m");
  await t.crash();
  await t.advance("1m");
  await t.crash();
  await t.advance("1h");
  expect(lines).toEqual([
    ["info", "begins", { runId: "r", correlationId: "c" }],
    ["warn", "in the effect"],
    ["warn", "acted"],
    ["error", "awake"],
  ]);
});
