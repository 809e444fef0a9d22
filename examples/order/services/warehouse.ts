/** Holds goods for orders. */
import { z } from "zod";
import { Refused, serve } from "./server.ts";

const Reserve = z.object({ sku: z.string(), qty: z.number().int().positive() });
type Reserve = z.infer<typeof Reserve>;

const perSku = 1_000;
const held = new Map<string, number>();
const holds = new Map<string, Reserve>();

serve("warehouse", {
  reserve: {
    apply(body) {
      const line = Reserve.parse(body);
      const taken = (held.get(line.sku) ?? 0) + line.qty;
      if (taken > perSku) throw new Refused("OUT_OF_STOCK");
      held.set(line.sku, taken);
      const hold = `hold-${holds.size + 1}`;
      holds.set(hold, line);
      return { hold };
    },
  },
  release: {
    takeBack(answer) {
      const line = holds.get((answer as { hold: string }).hold);
      if (line) held.set(line.sku, (held.get(line.sku) ?? 0) - line.qty);
    },
  },
});
