/** The life of an order. The same in YAML: order.yaml. */
import { all, Fatal, race, sleep, workflow } from "onex";
import { z } from "zod";
import { approval, bookParcel, chargeCard, priceOrder, quoteShipping, reserveGoods, stockLevel } from "./nodes.ts";
import { Order } from "./orders.ts";

const Shipped = z.object({ receipt: z.string(), parcel: z.string() });

export const shipOrder = workflow(
  { name: "ship-order", version: "1.0.0", input: Order, output: Shipped, timeout: "1h" },
  function* (order) {
    const { total, dear } = yield* priceOrder({ qty: order.qty, price: order.price });
    const { hold, quote } = yield* all({
      hold: takeGoods(order),
      quote: quoteShipping({ order: order.id, country: order.country, qty: order.qty }),
    });
    if (dear) {
      const answer = yield* race({ approved: approval.wait(), expired: sleep("30m") });
      if (answer.winner === "expired") throw new Fatal("NOT_APPROVED");
    }
    const { receipt } = yield* chargeCard({ order: order.id, amount: total + quote.price, card: order.card });
    const { parcel } = yield* bookParcel({ order: order.id, hold, country: order.country });
    return { receipt, parcel };
  },
);

/** The stock level moves as soon as the goods are held. */
function* takeGoods({ id, sku, qty }: Order) {
  const { hold } = yield* reserveGoods({ order: id, sku, qty });
  yield* stockLevel({ sku, delta: -qty });
  return hold;
}
