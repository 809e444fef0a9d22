/** The steps of an order: what each does in the world, and how it is taken back. */
import { compute, type Duration, effect, type RetryPolicy, reducer, signal } from "onex";
import { z } from "zod";
import { payment, shipping, warehouse } from "./client.ts";
import { isDear } from "./orders.ts";

/** Short, so that the demo is: a late service answers after 1 s. */
const timeout: Duration = "500ms";
const retry: RetryPolicy = { maxAttempts: 10, delay: "60ms", maxDelay: "500ms" };
/** Every service knows keys, so every call may be sent twice. */
const safe = { idempotent: true, timeout, retry } as const;

/** Names a forward call that is to be taken back. */
const TakeBack = z.object({ order: z.string(), key: z.string() });
const TakenBack = z.object({ undone: z.boolean() });
const irreversible = "is itself an undo";

export const priceOrder = compute(
  {
    name: "price-order",
    input: z.object({ qty: z.number(), price: z.number() }),
    output: z.object({ total: z.number(), dear: z.boolean() }),
  },
  ({ qty, price }) => ({ total: qty * price, dear: isDear({ qty, price }) }),
);

// ── warehouse ──
const releaseGoods = effect(
  { name: "release-goods", input: TakeBack, output: TakenBack, uses: { warehouse }, ...safe, irreversible },
  async ({ order, key }, { warehouse, ...call }) => TakenBack.parse(await warehouse.send("release", order, { key }, call)),
);
const Reserved = z.object({ hold: z.string() });
export const reserveGoods = effect(
  {
    name: "reserve-goods",
    input: z.object({ order: z.string(), sku: z.string(), qty: z.number() }),
    output: Reserved,
    uses: { warehouse },
    ...safe,
    undo: ({ input, idempotencyKey }) => releaseGoods({ order: input.order, key: idempotencyKey }),
  },
  async ({ order, ...line }, { warehouse, ...call }) => Reserved.parse(await warehouse.send("reserve", order, line, call)),
);

const Moved = z.object({ sku: z.string(), delta: z.number() });
export const stockAtStart = 1_000;
export const stockLevel = reducer(
  {
    name: "stock-level",
    event: Moved,
    initial: { onHand: stockAtStart },
    key: ({ sku }) => sku,
    undo: ({ sku, delta }) => ({ sku, delta: -delta }),
  },
  ({ onHand }, { delta }) => ({ onHand: onHand + delta }),
);

// ── payment ──
const refundCard = effect(
  { name: "refund-card", input: TakeBack, output: TakenBack, uses: { payment }, ...safe, irreversible },
  async ({ order, key }, { payment, ...call }) => TakenBack.parse(await payment.send("refund", order, { key }, call)),
);
const Receipt = z.object({ receipt: z.string() });
export const chargeCard = effect(
  {
    name: "charge-card",
    input: z.object({ order: z.string(), amount: z.number(), card: z.string() }),
    output: Receipt,
    uses: { payment },
    ...safe,
    undo: ({ input, idempotencyKey }) => refundCard({ order: input.order, key: idempotencyKey }),
  },
  async ({ order, ...charge }, { payment, ...call }) => Receipt.parse(await payment.send("charge", order, charge, call)),
);

// ── shipping ──
const Quote = z.object({ price: z.number() });
export const quoteShipping = effect(
  {
    name: "quote-shipping",
    input: z.object({ order: z.string(), country: z.string(), qty: z.number() }),
    output: Quote,
    uses: { shipping },
    ...safe,
    readonly: true,
  },
  async ({ order, ...parcel }, { shipping, ...call }) => Quote.parse(await shipping.send("quote", order, parcel, call)),
);
const cancelParcel = effect(
  { name: "cancel-parcel", input: TakeBack, output: TakenBack, uses: { shipping }, ...safe, irreversible },
  async ({ order, key }, { shipping, ...call }) => TakenBack.parse(await shipping.send("cancel", order, { key }, call)),
);
const Parcel = z.object({ parcel: z.string() });
export const bookParcel = effect(
  {
    name: "book-parcel",
    input: z.object({ order: z.string(), hold: z.string(), country: z.string() }),
    output: Parcel,
    uses: { shipping },
    ...safe,
    undo: ({ input, idempotencyKey }) => cancelParcel({ order: input.order, key: idempotencyKey }),
  },
  async ({ order, ...parcel }, { shipping, ...call }) => Parcel.parse(await shipping.send("book", order, parcel, call)),
);

export const approval = signal({ name: "approval", payload: z.object({ by: z.string() }) });

/** What `order.yaml` names. */
export const orderNodes = [priceOrder, reserveGoods, stockLevel, chargeCard, quoteShipping, bookParcel];
