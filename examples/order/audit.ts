/** Compares what the services wrote down with what the runs say. Pure: entries in, figures out. */
import type { RunView } from "onex";
import type { Order } from "./orders.ts";
import type { Entry } from "./services/ledger.ts";

export interface Evidence {
  readonly orders: readonly Order[];
  readonly runs: readonly RunView[];
  readonly entries: readonly Entry[];
  readonly stockAtStart: number;
  /** What the reducer says at the end, by sku. */
  readonly stock: ReadonlyMap<string, number>;
  readonly kills: number;
}

/** What `--json` prints, without the seconds. */
export interface Figures {
  readonly orders: number;
  readonly completed: number;
  readonly compensated: number;
  readonly retries: number;
  /** Requests that a service saw again from a later owner of the same run: same key, same attempt. */
  readonly redelivered: number;
  readonly kills: number;
  readonly chargedTwice: number;
  /** Orders without a run that ended. */
  readonly lost: number;
  readonly heldForFailed: number;
  /** Pieces by which stock levels differ from start minus completed orders. */
  readonly stockOff: number;
}

/** How rough the services were, in percent of calls or orders. */
export interface Weather {
  readonly calls: number;
  readonly failed: number;
  readonly tookEffectLate: number;
  readonly declinedWithGoods: number;
  /** Forward calls that arrived after their undo, and met its tombstone. */
  readonly refusedAfterUndo: number;
}

export interface Verdict {
  readonly figures: Figures;
  readonly weather: Weather;
  /** Where ledgers and runs disagree, in words. */
  readonly problems: readonly string[];
}

export function audit(evidence: Evidence): Verdict {
  const { orders, entries } = evidence;
  const runs = new Map(evidence.runs.map((run) => [run.runId, run]));
  const books = new Map(orders.map(({ id }) => [id, { goods: 0, charges: 0, parcels: 0 }]));
  for (const { order, op, outcome } of entries) {
    const book = books.get(order);
    const effect = effects[op];
    if (book && effect && outcome === "applied") book[effect.of] += effect.by;
  }

  const problems: string[] = [];
  let completed = 0;
  let compensated = 0;
  let chargedTwice = 0;
  let lost = 0;
  let heldForFailed = 0;
  const expected = new Map<string, number>(orders.map(({ sku }) => [sku, evidence.stockAtStart]));
  for (const { id, sku, qty } of orders) {
    const run = runs.get(id);
    const { goods, charges, parcels } = books.get(id) ?? { goods: 0, charges: 0, parcels: 0 };
    const booked = `goods held ${goods} times, charged ${charges}, shipped ${parcels}`;
    if (charges > 1) chargedTwice++;
    if (run?.status === "completed") {
      completed++;
      expected.set(sku, (expected.get(sku) ?? 0) - qty);
      if (goods !== 1 || charges !== 1 || parcels !== 1) problems.push(`${id} is completed, but ${booked}`);
    } else if (run?.status === "failed") {
      if (run.compensated) compensated++;
      if (goods > 0) heldForFailed++;
      if (goods !== 0 || charges !== 0 || parcels !== 0) problems.push(`${id} failed with ${run.error?.code}, but ${booked}`);
      if (run.notUndone.length > 0) problems.push(`${id} could not undo ${run.notUndone.join(", ")}`);
    } else {
      lost++;
      problems.push(`${id} has no run that ended: it is ${run?.status ?? "unknown"}`);
    }
  }

  let stockOff = 0;
  for (const [sku, level] of expected) {
    const is = evidence.stock.get(sku) ?? 0;
    stockOff += Math.abs(is - level);
    if (is !== level) problems.push(`stock of ${sku} is ${is}, and should be ${level}`);
  }
  const redelivered = countRedelivered(entries);
  if (evidence.kills > 0 && redelivered === 0) problems.push("no call was sent again after a kill: nothing was proved");

  const retries = evidence.runs.reduce((sum, run) => sum + run.retries, 0);
  return {
    figures: {
      orders: orders.length,
      completed,
      compensated,
      retries,
      redelivered,
      kills: evidence.kills,
      chargedTwice,
      lost,
      heldForFailed,
      stockOff,
    },
    weather: weatherOf(entries, orders.length),
    problems,
  };
}

/** What an applied operation does to the books of its order. */
const effects: Readonly<Record<string, { readonly of: "goods" | "charges" | "parcels"; readonly by: 1 | -1 }>> = {
  reserve: { of: "goods", by: 1 },
  release: { of: "goods", by: -1 },
  charge: { of: "charges", by: 1 },
  refund: { of: "charges", by: -1 },
  book: { of: "parcels", by: 1 },
  cancel: { of: "parcels", by: -1 },
};

function countRedelivered(entries: readonly Entry[]): number {
  const first = new Map<string, number>();
  for (const { key, attempt, epoch } of entries) {
    const call = `${key} ${attempt}`;
    first.set(call, Math.min(epoch, first.get(call) ?? epoch));
  }
  return entries.filter(({ key, attempt, epoch }) => epoch > (first.get(`${key} ${attempt}`) ?? epoch)).length;
}

function weatherOf(entries: readonly Entry[], orders: number): Weather {
  const percent = (count: number, of: number) => Math.round((1_000 * count) / Math.max(of, 1)) / 10;
  const held = new Set(entries.filter(({ op, outcome }) => op === "reserve" && outcome === "applied").map(({ order }) => order));
  const declined = new Set(entries.filter(({ op, outcome }) => op === "charge" && outcome === "refused").map(({ order }) => order));
  return {
    calls: entries.length,
    failed: percent(entries.filter(({ outcome }) => outcome === "failed").length, entries.length),
    tookEffectLate: percent(entries.filter(({ op, outcome, late }) => late && outcome === "applied" && effects[op]).length, entries.length),
    declinedWithGoods: percent([...declined].filter((order) => held.has(order)).length, orders),
    refusedAfterUndo: entries.filter(({ outcome }) => outcome === "refused-tombstone").length,
  };
}
