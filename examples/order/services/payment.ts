/** Charges cards and gives the money back. */
import { z } from "zod";
import { Refused, serve } from "./server.ts";

const Charge = z.object({ amount: z.number().positive(), card: z.string() });

/** What was taken, by receipt. */
const till = new Map<string, number>();
let receipts = 0;

serve("payment", {
  charge: {
    apply(body) {
      const { amount, card } = Charge.parse(body);
      if (card.startsWith("empty-")) throw new Refused("CARD_DECLINED");
      const receipt = `receipt-${++receipts}`;
      till.set(receipt, amount);
      return { receipt };
    },
  },
  refund: {
    takeBack(answer) {
      till.delete((answer as { receipt: string }).receipt);
    },
  },
});
