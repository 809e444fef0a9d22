/** How often this process has asked PostgreSQL for something, counted at its driver. */
import type { StoreKind } from "./store.ts";

let asked: number | undefined;

/** Queries so far; those before the first call are not counted. */
export async function roundTrips(store: StoreKind): Promise<number> {
  if (store !== "postgres") return 0;
  if (asked === undefined) {
    asked = 0;
    const { default: pg } = await import("pg");
    const { query } = pg.Client.prototype;
    const counted = function (this: unknown, ...given: unknown[]): unknown {
      asked = (asked ?? 0) + 1;
      return Reflect.apply(query, this, given);
    };
    Object.assign(pg.Client.prototype, { query: counted });
  }
  return asked;
}
