/** Contracts of ONEX as they run: waves, modes, conditions, strategies. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { loadWorkflow } from "../../src/index.ts";
import { testOrchestrator } from "../../src/testing/index.ts";
import { aggregate, enrich, fetchRaw, notify, persist, quality, validate } from "../onex/nodes.ts";

const shared = fileURLToPath(new URL("../../../shared/contracts/", import.meta.url));
const there = existsSync(shared);
if (!there) console.warn(`${shared} is not there: what runs its contracts is skipped`);

describe.skipIf(!there)("the data pipeline", () => {
  test("runs its five waves, each after the one before, in the order of declaration", async () => {
    const flow = await loadWorkflow(`${shared}orchestrator_data_pipeline.yaml`);
    const t = testOrchestrator({ nodes: [flow, fetchRaw, validate, enrich, aggregate, quality, persist, notify] });
    const run = await t.start(flow, {});
    await t.advance("1m");
    expect(await run.result()).toEqual({
      steps: {
        fetch_raw_data: {
          records: [
            { id: "a", amount: 2 },
            { id: "b", amount: 3 },
          ],
        },
        validate_schema: { valid: true },
        enrich_data: {
          records: [
            { id: "a", amount: 4 },
            { id: "b", amount: 6 },
          ],
        },
        aggregate_metrics: { total: 10 },
        quality_check: { good: true },
        persist_results: { table: "processed_data" },
        send_notification: { sent: "pipeline_completion" },
      },
      skipped: [],
      errors: [],
    });
    const facts = (await run.facts()).flatMap((fact) => ("step" in fact ? [`${fact.type} ${fact.step}`] : []));
    expect(facts).toEqual([
      "action.dispatched fetch_raw_data",
      "action.completed fetch_raw_data",
      "compute.completed validate_schema",
      "compute.completed enrich_data",
      "reducer.applied aggregate_metrics",
      "compute.completed quality_check",
      "action.dispatched persist_results",
      "action.dispatched send_notification",
      "action.completed persist_results",
      "action.completed send_notification",
    ]);
    await t.close();
  });
});
