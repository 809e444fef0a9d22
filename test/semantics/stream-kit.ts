/** What the tests of streams share: a stream of numbers that says what it was asked for and how it was left. */
import { z } from "zod";
import { compute, type Fact, Fatal, type Steps, type StreamContext, stream } from "../../src/index.ts";
import { anything, type Play } from "./kit.ts";

export const double = compute({ name: "double", input: anything }, (n: number) => n * 2);
export const later = { maxAttempts: 3, backoff: "fixed", delay: "1s", jitter: "none" } as const;
export const range = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

/** A stream of numbers, what it was asked for, and how it was left. */
export function numbers(count: number, before: (n: number, context: StreamContext) => unknown = () => {}, more: object = {}) {
  const made: number[] = [];
  const taken: number[] = [];
  const left: string[] = [];
  const rows = stream({ name: "rows", input: anything, item: z.number(), retry: later, ...more }, async function* (_: unknown, context) {
    taken.push(context.taken);
    let how = "returned";
    try {
      for (let n = context.taken; n < count; n++) {
        made.push(n);
        await before(n, context);
        yield n;
      }
      how = "ended";
    } catch (error) {
      how = "threw";
      throw error;
    } finally {
      left.push(how);
    }
  });
  return { rows, made, taken, left };
}
export const items = (facts: readonly Fact[]) => facts.flatMap((fact) => (fact.type === "action.item" ? [[fact.index, fact.item]] : []));
export const itemsOf = async ({ facts }: Play) => items(await facts());

/** A branch that leaves no facts. */
// biome-ignore lint/correctness/useYield: performs nothing
export function* nothing(n: number): Steps<number> {
  return n;
}
export function fail(): never {
  throw new Fatal("THROWN");
}
