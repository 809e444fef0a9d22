/** More nodes for the corpus: their schemas have what types are made of (choices, formats, null, absent, variants). */
import { compute, effect, reducer, stream, workflow } from "onex";
import { z } from "zod";
import { parseWorkflow } from "../../src/plan/workflow.ts";

export const findOrder = effect(
  {
    name: "find-order",
    input: z.object({ id: z.string() }),
    output: z.object({
      status: z.enum(["open", "paid", "shipped"]),
      total: z.number(),
      lines: z.array(z.object({ sku: z.string(), qty: z.number().int() })),
      note: z.string().nullable(),
      coupon: z.string().optional(),
      customer: z.object({ id: z.string(), email: z.string(), phone: z.string().optional() }),
    }),
    readonly: true,
  },
  async () => ({ status: "open" as const, total: 1, lines: [], note: null, customer: { id: "c", email: "c@example.com" } }),
);

export const placeOrder = effect(
  {
    name: "place-order",
    input: z.object({
      order: z.object({
        customer: z.string().min(3),
        lines: z.array(z.object({ sku: z.string(), qty: z.number().int() })),
        speed: z.enum(["normal", "express"]).default("normal"),
        gift: z.boolean().optional(),
      }),
    }),
    output: z.object({ id: z.string() }),
    idempotent: true,
    irreversible: "the warehouse packs at once",
  },
  async () => ({ id: "o-1" }),
);

/** Takes one of two shapes. */
export const pay = effect(
  {
    name: "pay",
    input: z.discriminatedUnion("by", [
      z.object({ by: z.literal("card"), card: z.string(), cents: z.number().int() }),
      z.object({ by: z.literal("invoice"), address: z.string(), cents: z.number().int() }),
    ]),
    output: z.discriminatedUnion("state", [
      z.object({ state: z.literal("paid"), receipt: z.string() }),
      z.object({ state: z.literal("refused"), reason: z.string() }),
    ]),
    idempotent: true,
    irreversible: "the bank keeps it",
  },
  async () => ({ state: "paid" as const, receipt: "r" }),
);

/** As steps of ONEX are given their input. */
export const loadRows = effect({ name: "load-rows", input: z.looseObject({ config: z.unknown() }), readonly: true }, async () => [1]);
export const sumUp = compute({ name: "sum-up", input: z.looseObject({}), output: z.number() }, () => 1);

export const average = compute(
  { name: "average", input: z.object({ values: z.array(z.number()) }), output: z.object({ mean: z.number(), count: z.number().int() }) },
  ({ values }) => ({ mean: values.reduce((sum, value) => sum + value, 0) / values.length, count: values.length }),
);

export const reading = reducer(
  {
    name: "reading",
    event: z.object({ device: z.string(), celsius: z.number() }),
    initial: { count: 0, last: null as number | null },
    state: z.object({ count: z.number(), last: z.number().nullable() }),
    key: (event) => event.device,
  },
  (state, event) => ({ count: state.count + 1, last: event.celsius }),
);

export const measure = stream(
  { name: "measure", input: z.object({ site: z.string() }), item: z.object({ device: z.string(), celsius: z.number(), at: z.string() }) },
  async function* () {
    yield { device: "d", celsius: 20, at: "2026-01-01T00:00:00Z" };
  },
);

export const onboarding = workflow(
  { name: "onboarding", input: z.object({ user: z.string() }), output: z.object({ plan: z.enum(["free", "paid"]) }) },
  function* () {
    yield* average({ values: [] });
    return { plan: "free" as const };
  },
);

/** A workflow that came as data: what it takes and gives is read from its text. */
export const invoicing = parseWorkflow(
  `onex: v1
kind: workflow
name: invoicing
version: 1.0.0
timeout: 1d
input:
  type: object
  required: [order, cents]
  properties:
    order: { type: string, minLength: 3 }
    cents: { type: integer, minimum: 0 }
    currency: { enum: [EUR, USD], default: EUR }
steps:
  found: { effect: find-order, with: { id: "\${ input.order }" } }
  mailed: { when: found.note != null, effect: send-mail, with: { to: "\${ found.customer.email }", text: "\${ found.note }" } }
output: { number: "\${ 'i-' + input.order }", cents: "\${ input.cents }", status: "\${ found.status }", note: "\${ found.note }" }
`,
  "invoicing.yaml",
);
