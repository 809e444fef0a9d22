/** The last word of the demo, for people. */
import type { Figures, Weather } from "./audit.ts";

export function table(figures: Figures & { readonly seconds: number }): string {
  const rows: readonly (readonly [name: string, value: number, wanted?: string])[] = [
    ["orders", figures.orders],
    ["completed", figures.completed],
    ["compensated", figures.compensated],
    ["retries", figures.retries],
    ["redelivered", figures.redelivered, "above 0"],
    ["kills", figures.kills],
    ["charged twice", figures.chargedTwice, "0"],
    ["lost", figures.lost, "0"],
    ["goods held for failed orders", figures.heldForFailed, "0"],
    ["stock level off by", figures.stockOff, "0"],
    ["seconds", figures.seconds],
  ];
  return rows
    .map(([name, value, wanted]) => `  ${name.padEnd(30)}${String(value).padStart(6)}${wanted ? `   wanted: ${wanted}` : ""}`)
    .join("\n");
}

export function weather({ calls, failed, tookEffectLate, declinedWithGoods, refusedAfterUndo }: Weather): string {
  const answers = `of ${calls} calls ${failed} % failed and ${tookEffectLate} % took effect but answered too late`;
  return `${answers}; ${declinedWithGoods} % of orders were declined with goods held\n  calls that came after their undo, and were refused: ${refusedAfterUndo}`;
}
