/** Charges cards and gives the money back. */
import { z } from "zod";
import { Refused, serve } from "./server.ts";

const Charge = z.object({ amount: z.number().positive(), card: z.string() });

const receipts = new Map<string, number>();
let taken = 0;

serve("payment", {
  charge: {
    apply(body) {
      const { amount, card } = Charge.parse(body);
      if (card.startsWith("empty-")) throw new Refused("CARD_DECLINED");
      taken += amount;
      const receipt = `receipt-${receipts.size + 1}`;
      receipts.set(receipt, amount);
      return { receipt };
    },
  },
  refund: {
    takeBack(answer) {
      taken -= receipts.get((answer as { receipt: string }).receipt) ?? 0;
    },
  },
});
