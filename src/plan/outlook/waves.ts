/** Which steps of a block can begin together: each wave waits for something of the one before. */
import { blockOf, type Spot } from "./spot.ts";

/** The steps in a spot of a block, wave by wave, in the order of the text. */
export function wavesOf(spot: Spot): readonly (readonly Spot[])[] {
  const block = blockOf(spot);
  if (!block) return [];
  const wave = block.steps.map(() => 0);
  // `inner` stands in an order in which everything comes after what it waits for.
  for (const { index } of spot.inner)
    for (const { step } of block.dependents[index] ?? []) wave[step] = Math.max(wave[step] ?? 0, (wave[index] ?? 0) + 1);
  const waves: Spot[][] = [];
  for (const inner of [...spot.inner].sort((a, b) => a.index - b.index)) {
    const at = wave[inner.index] ?? 0;
    const list = waves[at] ?? [];
    list.push(inner);
    waves[at] = list;
  }
  return waves;
}

/** Steps of its block that a step waits for: of all, and of those of which some are enough. */
export function waitsFor(spot: Spot): { readonly all: readonly string[]; readonly any: readonly string[]; readonly count: number } {
  const block = spot.role === "step" && spot.parent ? blockOf(spot.parent) : undefined;
  const all: string[] = [];
  block?.dependents.forEach((list, i) => {
    if (list.some(({ step, any }) => step === spot.index && !any)) all.push(block.steps[i]?.name ?? "");
  });
  const any = block?.steps[spot.index]?.any;
  return { all, any: any?.of ?? [], count: any?.count ?? 0 };
}
