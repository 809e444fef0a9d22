/** What an order is, and the 200 of the demo. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { z } from "zod";

export const Order = z.object({
  id: z.string(),
  sku: z.string(),
  qty: z.number().int().positive(),
  price: z.number().positive(),
  card: z.string(),
  country: z.string(),
});
export type Order = z.infer<typeof Order>;

/** From this total on a person must approve. */
const dearFrom = 300;

export function isDear(order: Pick<Order, "qty" | "price">): boolean {
  return order.qty * order.price >= dearFrom;
}

/** A file of this example; it lies in the package, not beside the compiled program. */
export function file(name: string): string {
  return fileURLToPath(new URL(`./examples/order/${name}`, import.meta.resolve("onex/package.json")));
}

export function readOrders(count: number): Order[] {
  return z
    .array(Order)
    .parse(JSON.parse(readFileSync(file("orders.json"), "utf8")))
    .slice(0, count);
}
