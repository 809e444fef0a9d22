/** The nodes that the contracts of the corpus name. */
import { compute, effect, reducer, stream, workflow } from "onex";
import { z } from "zod";

const Cart = z.object({ items: z.array(z.object({ sku: z.string(), price: z.number(), amount: z.number() })) });
const Receipt = z.object({ receipt: z.string() });

export const priceCart = compute({ name: "price-cart", input: Cart, output: z.object({ total: z.number() }) }, ({ items }) => ({
  total: items.reduce((sum, { price, amount }) => sum + price * amount, 0),
}));

export const refundCard = effect(
  { name: "refund-card", input: z.object({ chargeKey: z.string() }), output: z.null(), idempotent: true, irreversible: "money went back" },
  async () => null,
);

export const chargeCard = effect(
  {
    name: "charge-card",
    input: z.object({ amount: z.number(), card: z.string() }),
    output: Receipt,
    idempotent: true,
    retry: { maxAttempts: 3, delay: "1s" },
    timeout: "10s",
    undo: ({ idempotencyKey }) => refundCard({ chargeKey: idempotencyKey }),
  },
  async () => ({ receipt: "r-1" }),
);

/** Neither idempotent, nor does it say how it is taken back. */
export const sendMail = effect(
  { name: "send-mail", input: z.object({ to: z.string(), text: z.string() }), output: z.null() },
  async () => null,
);

export const findUser = effect(
  {
    name: "find-user",
    input: z.object({ id: z.string() }),
    output: z.object({ email: z.string(), name: z.string().nullable(), age: z.number().optional() }),
    readonly: true,
  },
  async () => ({ email: "a@example.com", name: null }),
);

export const stockLevel = reducer(
  {
    name: "stock-level",
    event: z.object({ sku: z.string(), delta: z.number() }),
    initial: { onHand: 0 },
    key: (event) => event.sku,
  },
  (state, event) => ({ onHand: state.onHand + event.delta }),
);

/** Takes long, and cannot be taken back. */
export const exportReport = effect(
  {
    name: "export-report",
    input: z.object({ month: z.string() }),
    output: z.object({ file: z.string() }),
    idempotent: true,
    irreversible: "the report stays where it was written",
    retry: { maxAttempts: 4, delay: "30s" },
    timeout: "10m",
  },
  async () => ({ file: "report.pdf" }),
);

export const sendSms = effect(
  {
    name: "send-sms",
    input: z.object({ to: z.string(), text: z.string() }),
    output: z.null(),
    idempotent: true,
    irreversible: "it was read",
  },
  async () => null,
);

export const readRows = stream(
  { name: "read-rows", input: z.object({ file: z.string() }), item: z.object({ id: z.string(), cents: z.number() }) },
  async function* () {
    yield { id: "1", cents: 100 };
  },
);

export const shipping = workflow(
  { name: "shipping", version: "2.1.0", input: z.object({ address: z.string() }), output: z.object({ parcel: z.string() }) },
  function* () {
    const { total } = yield* priceCart({ items: [] });
    return { parcel: `p-${total}` };
  },
);
