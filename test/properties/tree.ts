/**
 * Random workflows as data: a tree of verbs that one workflow plays, over effects whose behaviour the tree says.
 *
 * A calm tree is exact in virtual time: every fork begins with a sleep of its own and every wait has a length that no sum
 * of others meets, so that at any instant one thing happens and a crash cannot change what comes first. A wild one is not.
 */
import fc from "fast-check";
import {
  all,
  attempt,
  compensate,
  compute,
  type Duration,
  each,
  effect,
  Fatal,
  type Json,
  now,
  race,
  reducer,
  type Steps,
  signal,
  sleep,
  stream,
  type Workflow,
  workflow,
} from "../../src/index.ts";
import { any } from "../faults/any.ts";
import type { Outside } from "./outside.ts";

export type How = "ok" | "fatal" | "flaky" | "always" | "lost";
export type Doubt = "retry" | "pause" | "fail";

interface ActShape {
  readonly k: "act";
  readonly how: How;
  readonly times: number;
  readonly doubt: Doubt;
  readonly keep: boolean;
  readonly back: "ok" | "flaky" | "fatal";
  readonly deaf: boolean;
  /** Turns of the event loop that it takes; a calm one takes virtual time instead. */
  readonly turns: number;
  readonly slow: boolean;
  readonly timed: boolean;
}
type Shape =
  | ActShape
  | { readonly k: "compute" | "reduce" | "now" | "sleep" | "throw" | "undo" | "undo-these" }
  | { readonly k: "wait"; readonly name: "a" | "b" }
  | { readonly k: "seq" | "all" | "race" | "each" | "stream"; readonly of: readonly Shape[] }
  | { readonly k: "attempt" | "child" | "catch"; readonly body: Shape }
  | { readonly k: "finally"; readonly body: Shape; readonly last: Shape };

/** A leaf that acts, as its effect gets it. */
export type Act = ActShape & {
  readonly id: string;
  readonly ms: number;
  readonly undoMs: number;
  readonly retryMs: number;
  /** It stands in a `finally` or a `compensate`: nobody owes its undo. */
  readonly cleanup: boolean;
};
export type Tree =
  | Act
  | { readonly k: "compute" | "reduce" | "now" | "throw" | "undo"; readonly id: string }
  | { readonly k: "sleep"; readonly ms: number }
  | { readonly k: "wait"; readonly name: "a" | "b" }
  | { readonly k: "undo-these"; readonly acts: readonly Act[] }
  | { readonly k: "seq" | "all" | "race" | "each" | "stream"; readonly of: readonly Tree[]; readonly width: number }
  | { readonly k: "attempt" | "child" | "catch"; readonly body: Tree }
  | { readonly k: "finally"; readonly body: Tree; readonly last: Tree };

// ── drawing ──

const act: fc.Arbitrary<ActShape> = fc.record({
  k: fc.constant("act" as const),
  how: fc.constantFrom<How>("ok", "ok", "ok", "flaky", "fatal", "always", "lost"),
  times: fc.integer({ min: 1, max: 2 }),
  doubt: fc.constantFrom<Doubt>("retry", "retry", "pause", "fail"),
  keep: fc.boolean(),
  back: fc.constantFrom("ok" as const, "ok" as const, "ok" as const, "flaky" as const, "fatal" as const),
  deaf: fc.boolean(),
  turns: fc.integer({ min: 0, max: 6 }),
  slow: fc.boolean(),
  timed: fc.boolean(),
});
const plain: fc.Arbitrary<Shape> = fc.constantFrom("compute", "reduce", "now", "sleep").map((k) => ({ k }) as Shape);
const rare: fc.Arbitrary<Shape> = fc.oneof(
  fc.constantFrom("throw", "undo", "undo-these").map((k) => ({ k }) as Shape),
  fc.constantFrom("a" as const, "b" as const).map((name) => ({ k: "wait" as const, name })),
);
const leaf = fc.oneof({ weight: 5, arbitrary: act }, { weight: 3, arbitrary: plain }, { weight: 2, arbitrary: rare });

function node(depth: number): fc.Arbitrary<Shape> {
  if (depth === 0) return leaf;
  const inner = node(depth - 1);
  const many = (k: "seq" | "all" | "race" | "each" | "stream", min: number) =>
    fc.array(inner, { minLength: min, maxLength: 3 }).map((of) => ({ k, of }));
  const one = (k: "attempt" | "child" | "catch") => inner.map((body) => ({ k, body }));
  return fc.oneof(
    { weight: 4, arbitrary: leaf },
    { weight: 3, arbitrary: many("seq", 1) },
    { weight: 3, arbitrary: many("all", 0) },
    { weight: 2, arbitrary: many("race", 1) },
    { weight: 1, arbitrary: many("each", 0) },
    { weight: 1, arbitrary: many("stream", 0) },
    { weight: 1, arbitrary: one("attempt") },
    { weight: 2, arbitrary: one("child") },
    { weight: 1, arbitrary: one("catch") },
    { weight: 2, arbitrary: fc.tuple(inner, leaf).map(([body, last]) => ({ k: "finally" as const, body, last })) },
  );
}
/** A workflow to be: a few steps in a row, with whatever stands in them. */
export const shape: fc.Arbitrary<Shape> = fc.array(node(3), { minLength: 1, maxLength: 4 }).map((of) => ({ k: "seq", of }));

// ── planting: ids and lengths of time ──

/** 32 bits that depend on the text alone (FNV-1a, mixed). */
export function hash(text: string): number {
  let mixed = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) mixed = Math.imul(mixed ^ text.charCodeAt(i), 0x01000193);
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
/** Between 4 s and 2 h, evenly over the orders of magnitude. */
export function lengthMs(text: string): number {
  const size = 4096 << (hash(`${text}/size`) % 11);
  return size + (hash(text) % size);
}

export function plant(shape: Shape, salt: number, calm: boolean): Tree {
  let count = 0;
  const grow = (from: Shape, cleanup: boolean): Tree => {
    const id = `n${count++}`;
    const length = (of: string): number => lengthMs(`${salt}/${id}/${of}`);
    const branch = (inner: Shape): Tree =>
      calm
        ? { k: "seq", of: [{ k: "sleep", ms: lengthMs(`${salt}/${id}/before/${count++}`) }, grow(inner, cleanup)], width: 1 }
        : grow(inner, cleanup);
    const acting = (given: ActShape): Act => ({
      ...given,
      ...(calm ? { turns: 0, slow: true, timed: false, deaf: false, doubt: given.doubt === "fail" ? "retry" : given.doubt } : {}),
      id,
      ms: length("act"),
      undoMs: length("undo"),
      retryMs: length("retry"),
      cleanup,
    });
    switch (from.k) {
      case "act":
        return acting(from);
      case "sleep":
        return { k: "sleep", ms: length("sleep") };
      case "wait":
        return from;
      case "undo-these": {
        const given: ActShape = {
          k: "act",
          how: "ok",
          times: 1,
          doubt: "retry",
          keep: false,
          back: "ok",
          deaf: false,
          turns: 1,
          slow: false,
          timed: false,
        };
        return {
          k: "undo-these",
          acts: ["x", "y"].map((part) => ({ ...acting(given), id: `${id}${part}`, ms: length(part), cleanup: true })),
        };
      }
      case "seq":
        return { k: "seq", of: from.of.map((inner) => grow(inner, cleanup)), width: 1 };
      case "all":
      case "race":
      case "each":
      case "stream":
        return { k: from.k, of: from.of.map(branch), width: 1 + (hash(`${salt}/${id}/width`) % 3) };
      case "child":
        return { k: "child", body: branch(from.body) };
      case "attempt":
      case "catch":
        return { k: from.k, body: grow(from.body, cleanup) };
      case "finally":
        return { k: "finally", body: grow(from.body, cleanup), last: grow(from.last, true) };
      default:
        return { k: from.k, id };
    }
  };
  return grow(shape, false);
}

// ── playing ──

export interface BackInput {
  readonly id: string;
  readonly key: string;
  readonly how: "ok" | "flaky" | "fatal";
  readonly ms: number;
  readonly turns: number;
}
/** Far longer than anything takes, so that only what is `timed` times out. */
export const patience = { ms: 30 * 86_400_000, text: "30d" } as const;
const ms = (length: number): Duration => `${length}ms`;
const retry = (delay: number, maxAttempts: number) => ({ maxAttempts, backoff: "fixed", delay: ms(delay), jitter: "none" }) as const;

/** The nodes of a world of their own. */
export function nodes(outside: Outside) {
  const back = effect(
    { name: "back", input: any, idempotent: true, irreversible: "is an undo itself", timeout: patience.text },
    async (input: BackInput, context) => outside.back(input, context),
  );
  const kinds = { retry: { idempotent: true }, pause: {}, fail: { inDoubt: "fail" } } as const;
  const acts = Object.fromEntries(
    (Object.keys(kinds) as Doubt[]).map((doubt) => [
      doubt,
      effect(
        {
          name: `act-${doubt}`,
          input: any,
          ...kinds[doubt],
          timeout: patience.text,
          undo: ({ input, idempotencyKey }: { readonly input: Act; readonly idempotencyKey: string }) =>
            back(
              { id: input.id, key: idempotencyKey, how: input.back, ms: input.slow ? input.undoMs : 0, turns: input.turns },
              { retry: retry(input.retryMs, 1) },
            ),
        },
        async (input: Act, context) => outside.act(input, context),
      ),
    ]),
  ) as unknown as Record<Doubt, (input: Act, options: object) => ReturnType<typeof back>>;
  const perform = (leaf: Act) =>
    acts[leaf.doubt](leaf, {
      keep: leaf.keep,
      retry: retry(leaf.retryMs, leaf.how === "always" || leaf.how === "lost" ? 2 : 3),
      ...(leaf.timed ? { timeout: "6s" } : {}),
    });
  /** Yields its input, and breaks off once between two items where their sum says so. */
  const rows = stream({ name: "rows", input: any, item: any, retry: retry(7_001, 2) }, async function* (of: Tree[], { taken, attempt }) {
    const broken = hash(JSON.stringify(of)) % 6;
    for (let n = taken; n < of.length; n++) {
      if (attempt === 1 && n === broken) throw new Error("it broke");
      yield of[n] as Tree;
    }
  });
  const double = compute({ name: "double", input: any }, (id: string) => `${id}${id}`);
  const count = reducer(
    { name: "count", event: any, initial: { sum: 0 }, undo: (event: { readonly by: number }) => ({ by: -event.by }) },
    (state, event: { readonly by: number }) => ({ sum: state.sum + event.by }),
  );
  const signals = { a: signal({ name: "a", payload: any }), b: signal({ name: "b", payload: any }) };

  function* play(tree: Tree): Steps<Json> {
    switch (tree.k) {
      case "act":
        return (yield* perform(tree)) as Json;
      case "compute":
        return yield* double(tree.id);
      case "reduce":
        return yield* count({ by: 1 + (hash(tree.id) % 5) });
      case "now":
        return yield* now();
      case "sleep":
        yield* sleep(ms(tree.ms));
        return null;
      case "wait":
        return (yield* signals[tree.name].wait()) as Json;
      case "throw":
        throw new Fatal("THROWN", { message: tree.id });
      case "undo":
        yield* compensate();
        return null;
      case "undo-these":
        yield* compensate(...tree.acts.map(perform));
        return null;
      case "seq": {
        const values: Json[] = [];
        for (const inner of tree.of) values.push(yield* play(inner));
        return values;
      }
      case "all":
        return yield* all(tree.of.map(play));
      case "race":
        return (yield* race(Object.fromEntries(tree.of.map((inner, i) => [`b${i}`, play(inner)])))) as Json;
      case "each":
        return yield* each(tree.of, play, { concurrency: tree.width });
      case "stream":
        return yield* each(rows(tree.of), play, { concurrency: tree.width });
      case "attempt": {
        const outcome = yield* attempt(play(tree.body));
        return outcome.ok ? outcome.value : outcome.error.code;
      }
      case "catch":
        try {
          return yield* play(tree.body);
        } catch (error) {
          return `caught ${(error as { code?: string }).code}`;
        }
      case "child":
        return yield* whole(tree.body);
      case "finally":
        try {
          return yield* play(tree.body);
        } finally {
          yield* play(tree.last);
        }
    }
  }
  const whole: Workflow<Tree, Json, "tree"> = workflow({ name: "tree", input: any }, function* (tree: Tree): Steps<Json> {
    return yield* play(tree);
  });
  /** The same under another version, to be moved to. */
  const again = workflow({ name: "tree", version: "2.0.0", input: any }, function* (tree: Tree): Steps<Json> {
    return yield* play(tree);
  });
  const stopping = workflow({ name: "tree-stop", input: any, onFailure: "stop" }, function* (tree: Tree): Steps<Json> {
    return yield* play(tree);
  });
  return { whole, again, stopping };
}
export type Nodes = ReturnType<typeof nodes>;
