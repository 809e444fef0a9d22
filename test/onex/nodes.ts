/** The nodes of the data pipeline contract, as a project would write them: what each is given is `{ config, input, DEPENDENCY: output }`. */
import { compute, effect, reducer } from "onex";
import { z } from "zod";

const records = z.object({ records: z.array(z.object({ id: z.string(), amount: z.number() })) });

export const fetchRaw = effect(
  { name: "data-fetcher", input: z.object({ config: z.object({ api_endpoint: z.string() }) }), output: records, readonly: true },
  async () => ({
    records: [
      { id: "a", amount: 2 },
      { id: "b", amount: 3 },
    ],
  }),
);
export const validate = compute(
  { name: "schema-validator", input: z.object({ fetch_raw_data: records }), output: z.object({ valid: z.boolean() }) },
  ({ fetch_raw_data }) => ({ valid: fetch_raw_data.records.every(({ amount }) => amount > 0) }),
);
/** Under its whole ONEX name: that is found too. */
export const enrich = compute(
  { name: "node-data-enricher-compute", input: z.object({ fetch_raw_data: records }), output: records },
  ({ fetch_raw_data }) => ({ records: fetch_raw_data.records.map(({ id, amount }) => ({ id, amount: amount * 2 })) }),
);
export const aggregate = reducer(
  { name: "metrics-aggregator", event: z.object({ enrich_data: records }), initial: { total: 0 } },
  (state, { enrich_data }) => ({ total: enrich_data.records.reduce((sum, { amount }) => sum + amount, state.total) }),
);
export const quality = compute(
  {
    name: "quality-checker",
    input: z.object({ aggregate_metrics: z.object({ total: z.number() }) }),
    output: z.object({ good: z.boolean() }),
  },
  ({ aggregate_metrics }) => ({ good: aggregate_metrics.total > 0 }),
);
export const persist = effect(
  { name: "data-persister", input: z.object({ config: z.object({ table: z.string() }) }), idempotent: true, irreversible: "an upsert" },
  async ({ config }) => ({ table: config.table }),
);
export const notify = effect(
  {
    name: "notification",
    input: z.object({ config: z.object({ template: z.string() }) }),
    idempotent: true,
    irreversible: "a letter that was sent",
  },
  async ({ config }) => ({ sent: config.template }),
);
