/** Knows the roads, and books parcels on them. */
import { z } from "zod";
import { Refused, serve } from "./server.ts";

const Quote = z.object({ country: z.string(), qty: z.number().int().positive() });
const Book = z.object({ country: z.string(), hold: z.string() });

/** It quotes for Iceland, but no ship sails before spring. */
const closed = "IS";
const roads: Readonly<Record<string, number>> = { DE: 4, FR: 5, PL: 6, SE: 8, [closed]: 20 };
const booked = new Set<string>();
let parcels = 0;

serve("shipping", {
  quote: {
    apply(body) {
      const { country, qty } = Quote.parse(body);
      const base = roads[country];
      if (base === undefined) throw new Refused("NO_ROAD");
      return { price: base + qty };
    },
  },
  book: {
    apply(body) {
      if (Book.parse(body).country === closed) throw new Refused("NO_SHIP");
      const parcel = `parcel-${++parcels}`;
      booked.add(parcel);
      return { parcel };
    },
  },
  cancel: {
    takeBack(answer) {
      booked.delete((answer as { parcel: string }).parcel);
    },
  },
});
