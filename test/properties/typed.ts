/** Random contracts whose expressions mostly fit, and inputs that fit their schemas. A slip here and there is left to the checker. */
import { z } from "zod";
import { effect } from "../../src/index.ts";
import { anything } from "../semantics/kit.ts";

/** Numbers in [0, 1) that a seed decides. */
export function seeded(seed: number): () => number {
  let state = seed * 2654435761;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

type Kind = "number" | "text" | "flag" | "numbers";
type Step = { readonly [key: string]: unknown };

/** A value that expressions can name; with a guard only where that holds. */
interface Name {
  readonly path: string;
  readonly kind: Kind;
  readonly guards: readonly string[];
}
type Names = readonly Name[];

const given: Names = [
  { path: "input.n", kind: "number", guards: [] },
  { path: "input.t", kind: "text", guards: [] },
  { path: "input.b", kind: "flag", guards: [] },
  { path: "input.l", kind: "numbers", guards: [] },
  { path: "input.opt", kind: "number", guards: ["has(input.opt)"] },
  { path: "input.nul", kind: "text", guards: ["input.nul != null"] },
  { path: "input.kind", kind: "text", guards: [] },
  { path: "input.deep.n", kind: "number", guards: ["has(input.deep)"] },
  { path: "input.deep.opt", kind: "text", guards: ["has(input.deep) && has(input.deep.opt)"] },
  { path: "input.either", kind: "number", guards: ["has(input.either) && input.either != null"] },
  { path: "input.pair.count", kind: "number", guards: ["input.pair.is == 'count'"] },
  { path: "input.pair.word", kind: "text", guards: ["input.pair.is == 'word'", "input.pair.is != 'count'"] },
];

export const input = {
  type: "object",
  required: ["n", "t", "b", "l", "nul", "kind", "pair"],
  properties: {
    n: { type: "number" },
    t: { type: "string" },
    b: { type: "boolean" },
    l: { type: "array", maxItems: 4, items: { type: "number" } },
    opt: { type: "number" },
    nul: { type: ["string", "null"] },
    kind: { enum: ["a", "b"] },
    deep: { type: "object", required: ["n"], properties: { n: { type: "number" }, opt: { type: "string" } } },
    either: { type: ["number", "null"] },
    pair: {
      oneOf: [
        { type: "object", required: ["is", "count"], properties: { is: { const: "count" }, count: { type: "number" } } },
        { type: "object", required: ["is", "word"], properties: { is: { const: "word" }, word: { type: "string" } } },
      ],
    },
  },
};

/** What fits `input`. */
export function inputOf(draw: () => number): object {
  const chance = () => draw() < 0.5;
  const count = () => Math.floor(draw() * 7) - 2;
  const word = () => ["", "a", "b", "no", "some words"][Math.floor(draw() * 5)];
  return {
    n: count(),
    t: word(),
    b: chance(),
    l: Array.from({ length: Math.floor(draw() * 4) }, count),
    ...(chance() ? { opt: count() } : {}),
    nul: chance() ? word() : null,
    kind: chance() ? "a" : "b",
    ...(chance() ? { deep: { n: count(), ...(chance() ? { opt: word() } : {}) } } : {}),
    ...(chance() ? { either: chance() ? count() : null } : {}),
    pair: chance() ? { is: "count", count: count() } : { is: "word", word: word() },
  };
}

/** The nodes: what they are called with is noted, and what they give is drawn. */
export function nodesOf(draw: () => number, called: Set<string>) {
  const chance = () => draw() < 0.5;
  const count = () => Math.floor(draw() * 7) - 2;
  const at = { idempotent: true, irreversible: "a note", retry: false } as const;
  const took = async ({ id }: { readonly id: string }) => void called.add(id);
  const look = effect(
    {
      name: "look",
      input: z.object({ id: z.string() }),
      output: z.object({
        n: z.number(),
        opt: z.number().optional(),
        nul: z.string().nullable(),
        rows: z.array(z.object({ k: z.string(), v: z.number().optional() })),
      }),
      readonly: true,
      retry: false,
    },
    async ({ id }) => {
      called.add(id);
      if (draw() < 0.15) throw new Error("it is away");
      return {
        n: count(),
        ...(chance() ? { opt: count() } : {}),
        nul: chance() ? "there" : null,
        rows: chance() ? [{ k: "k" }, { k: "j", v: 1 }] : [],
      };
    },
  );
  const answer = effect(
    {
      name: "answer",
      input: z.object({ id: z.string() }),
      output: z.discriminatedUnion("state", [
        z.object({ state: z.literal("ok"), value: z.number() }),
        z.object({ state: z.literal("no"), reason: z.string() }),
      ]),
      ...at,
    },
    async ({ id }) => {
      called.add(id);
      return chance() ? { state: "ok" as const, value: count() } : { state: "no" as const, reason: "none left" };
    },
  );
  return {
    look,
    answer,
    takeNumber: effect(
      { name: "take-number", input: z.object({ id: z.string(), it: z.number() }), output: z.null(), ...at },
      async (one) => {
        await took(one);
        return null;
      },
    ),
    takeText: effect({ name: "take-text", input: z.object({ id: z.string(), it: z.string() }), output: z.null(), ...at }, async (one) => {
      await took(one);
      return null;
    }),
    takeFlag: effect({ name: "take-flag", input: z.object({ id: z.string(), it: z.boolean() }), output: z.null(), ...at }, async (one) => {
      await took(one);
      return null;
    }),
    takeNumbers: effect(
      { name: "take-numbers", input: z.object({ id: z.string(), it: z.array(z.number()) }), output: z.null(), ...at },
      async (one) => {
        await took(one);
        return null;
      },
    ),
    note: effect({ name: "note", input: anything, ...at }, took),
  };
}

/** Makes contracts. Steps have names of their own, by which what is said of them can be found. */
export class Maker {
  readonly #draw: () => number;
  readonly #slips: number;
  #count = 0;

  /** @param slips how often something is named without its guard, that it is not null. */
  constructor(seed: number, slips: number) {
    this.#draw = seeded(seed);
    this.#slips = slips;
  }

  contract(): object {
    const { steps, names } = this.#steps(given, 0, 3 + this.#below(4));
    return {
      onex: "v1",
      kind: "workflow",
      name: "flow",
      version: "1.0.0",
      timeout: "1h",
      input,
      steps,
      output: { one: this.#some(names, "number"), two: this.#some(names, "text") },
    };
  }

  #chance(part: number): boolean {
    return this.#draw() < part;
  }
  #below(count: number): number {
    return Math.floor(this.#draw() * count);
  }
  #pick<T>(from: readonly T[]): T {
    return from[this.#below(from.length)] as T;
  }
  #name(): string {
    return `s${this.#count++}`;
  }

  // ── expressions ──

  #some(names: Names, kind: Kind): string {
    return `\${ ${this.#of(names, kind, 2)} }`;
  }
  #of(names: Names, kind: Kind, depth: number): string {
    const roll = this.#draw();
    if (roll < 0.45 || depth === 0) return this.#named(names, kind);
    const of = (other: Kind) => this.#of(names, other, depth - 1);
    if (roll < 0.6) return this.#choice(names, kind, depth);
    switch (kind) {
      case "number":
        return this.#pick([
          () => `(${of("number")} ${this.#pick(["+", "-", "*"])} ${of("number")})`,
          () => `size(${of("text")})`,
          () => `size(${of("numbers")})`,
          () => `-${of("number")}`,
          () => `cel.bind(x, ${of("number")}, x + 1)`,
        ])();
      case "text":
        return this.#pick([
          () => `(${of("text")} + ${of("text")})`,
          () => `string(${of("number")})`,
          () => `${of("text")}.trim()`,
          () => `${of("numbers")}.map(x, string(x)).join(',')`,
        ])();
      case "flag":
        return this.#flag(names, depth);
      case "numbers":
        return this.#pick([
          () => `[${of("number")}, 1]`,
          () => `(${of("numbers")} + ${of("numbers")})`,
          () => `${of("numbers")}.map(x, x + ${of("number")})`,
          () => `${of("numbers")}.filter(x, x > ${of("number")})`,
        ])();
    }
  }

  #flag(names: Names, depth: number): string {
    const of = (other: Kind) => this.#of(names, other, depth - 1);
    const guarded = names.filter(({ guards }) => guards.length > 0);
    const one = this.#pick(guarded.length > 0 ? guarded : names);
    const guard = one.guards.length > 0 ? this.#pick(one.guards) : "true";
    const sure = without(names, one);
    return this.#pick([
      () => `(${of("number")} ${this.#pick(["<", ">=", "==", "!="])} ${of("number")})`,
      () => `(${of("text")} == ${of("text")})`,
      () => `!(${of("flag")})`,
      () => `(${of("flag")} ${this.#pick(["&&", "||"])} ${of("flag")})`,
      () => `(${of("number")} in ${of("numbers")})`,
      () => `${of("numbers")}.${this.#pick(["all", "exists"])}(x, x > ${of("number")})`,
      () => `(${guard} && ${this.#of(sure, "flag", depth - 1)})`,
      () => `(!(${guard}) || ${this.#of(sure, "flag", depth - 1)})`,
    ])();
  }

  /** One of two, by a guard of something that is named where it holds. */
  #choice(names: Names, kind: Kind, depth: number): string {
    const guarded = names.filter(({ guards }) => guards.length > 0);
    if (guarded.length === 0 || this.#chance(0.3))
      return `(${this.#of(names, "flag", depth - 1)} ? ${this.#of(names, kind, depth - 1)} : ${this.#of(names, kind, depth - 1)})`;
    const one = this.#pick(guarded);
    const guard = this.#pick(one.guards);
    const where = this.#of(without(names, one), kind, depth - 1);
    const other = this.#of(names, kind, depth - 1);
    return this.#chance(0.5) ? `(${guard} ? ${where} : ${other})` : `(!(${guard}) ? ${other} : ${where})`;
  }

  #named(names: Names, kind: Kind): string {
    const slip = this.#chance(this.#slips);
    // What may be absent is forgiven where anything was asked about its map; what may be null is not.
    const fit = names.filter(
      (one) => one.kind === kind && (slip ? one.guards.every((guard) => /^\S+ != null$/.test(guard)) : one.guards.length === 0),
    );
    if (fit.length === 0 || this.#chance(0.2)) return this.#literal(kind);
    return this.#pick(fit).path;
  }
  #literal(kind: Kind): string {
    switch (kind) {
      case "number":
        return String(this.#below(5));
      case "text":
        return this.#pick(["'a'", "'no'", "''"]);
      case "flag":
        return this.#pick(["true", "false"]);
      case "numbers":
        return this.#pick(["[1, 2]", "[3]"]);
    }
  }

  // ── steps ──

  #steps(outer: Names, depth: number, count: number): { readonly steps: Record<string, Step>; readonly names: Names } {
    const steps: Record<string, Step> = {};
    let names = outer;
    for (let i = 0; i < count; i++) {
      const name = this.#name();
      const made = this.#step(name, names, depth);
      if (this.#chance(0.3) && i > 0) {
        const before = Object.keys(steps).filter(() => this.#chance(0.5));
        made.step = {
          ...made.step,
          needs: before.length > 1 && this.#chance(0.4) ? { any: before, count: 1 + this.#below(before.length) } : before,
        };
      }
      steps[name] = made.step;
      names = [...names, ...made.names];
    }
    return { steps, names };
  }

  #step(name: string, names: Names, depth: number): { step: Step; readonly names: Names } {
    const roll = this.#draw();
    if (roll < 0.2) {
      // It begins where a guard holds, so what is guarded by that can be named.
      const guarded = names.filter(({ guards }) => guards.length > 0);
      const one = this.#pick(guarded);
      const { step, names: made } = this.#plain(name, without(names, one), depth);
      const when = this.#chance(0.7) ? this.#pick(one.guards) : this.#of(names, "flag", 2);
      const sure = when === one.guards[0] || one.guards.includes(when) ? step : this.#plain(name, names, depth).step;
      return { step: { when, ...sure }, names: sure === step ? made.map((each) => behind(each, `${name} != null`)) : [] };
    }
    if (roll < 0.26 && depth < 2)
      return { step: { when: this.#of(names, "flag", 2), fail: { code: "CHOSEN", message: this.#some(names, "text") } }, names: [] };
    return this.#plain(name, names, depth);
  }

  #plain(name: string, names: Names, depth: number): { step: Step; readonly names: Names } {
    const roll = this.#draw();
    if (roll < 0.2 || depth > 2) {
      const kind = this.#pick(["number", "text", "flag", "numbers"] as const);
      return { step: { set: this.#some(names, kind) }, names: [{ path: name, kind, guards: [] }] };
    }
    if (roll < 0.4) {
      const [effect, kind] = this.#pick([
        ["take-number", "number"],
        ["take-text", "text"],
        ["take-flag", "flag"],
        ["take-numbers", "numbers"],
      ] as const);
      return { step: { effect, with: { id: name, it: this.#some(names, kind) } }, names: [] };
    }
    if (roll < 0.5) return this.#looking(name);
    if (roll < 0.57)
      return {
        step: { effect: "answer", with: { id: name } },
        names: [
          { path: `${name}.value`, kind: "number", guards: [`${name}.state == 'ok'`, `${name}.state != 'no'`] },
          { path: `${name}.reason`, kind: "text", guards: [`${name}.state == 'no'`, `has(${name}.reason)`] },
        ],
      };
    if (roll < 0.67) return this.#switch(name, names);
    if (roll < 0.75) {
      const as = this.#name();
      const inner: Names = [...names, { path: as, kind: "number", guards: [] }];
      const step = { each: this.#of(names, "numbers", 2), as, do: { set: this.#some(inner, "number") } };
      return { step, names: [{ path: name, kind: "numbers", guards: [] }] };
    }
    if (roll < 0.82) {
      const inner: Names = [
        ...names,
        { path: "last", kind: "number", guards: ["last != null"] },
        { path: "index", kind: "number", guards: [] },
      ];
      const body = { set: this.#some(inner, "number") };
      return { step: { repeat: body, until: "index >= 1 || last > 100", max: 3 }, names: [{ path: name, kind: "number", guards: [] }] };
    }
    if (roll < 0.9) {
      const inside = this.#steps(names, depth + 1, 1 + this.#below(3));
      const output = { n: this.#some(inside.names, "number"), t: this.#some(inside.names, "text") };
      return {
        step: { steps: inside.steps, output },
        names: [
          { path: `${name}.n`, kind: "number", guards: [] },
          { path: `${name}.t`, kind: "text", guards: [] },
        ],
      };
    }
    if (roll < 0.95) {
      const inside = this.#steps(names, depth + 1, 1 + this.#below(2));
      return {
        step: { steps: { ...inside.steps, [this.#name()]: { sleep: `${1 + this.#below(8)}s` } }, timeout: `${1 + this.#below(8)}s` },
        names: [],
      };
    }
    const always = { fail: { code: "CHOSEN", message: this.#some(names, "text") } };
    return { step: this.#chance(0.5) ? { ...always, onError: "continue" } : always, names: [] };
  }

  #looking(name: string): { step: Step; readonly names: Names } {
    const roll = this.#draw();
    const call = { effect: "look", with: { id: name } };
    const of = (path: string, guard?: string): Names => {
      const first = guard === undefined ? [] : [guard];
      const both = (own: string) => [first.length > 0 ? `${guard} && ${own}` : own];
      return [
        { path: `${path}.n`, kind: "number", guards: first },
        { path: `${path}.opt`, kind: "number", guards: both(`has(${path}.opt)`) },
        { path: `${path}.nul`, kind: "text", guards: both(`${path}.nul != null`) },
        { path: `${path}.rows.filter(r, has(r.v)).map(r, r.v)`, kind: "numbers", guards: first },
        { path: `${path}.rows.map(r, r.k).join(';')`, kind: "text", guards: first },
        { path: `${path}.rows[0].k`, kind: "text", guards: both(`size(${path}.rows) > 0`) },
      ];
    };
    if (roll < 0.4) return { step: call, names: of(name) };
    if (roll < 0.7) return { step: { ...call, onError: "continue" }, names: of(name, `${name} != null`) };
    if (roll < 0.85)
      return {
        step: { ...call, onError: "continue", outcome: true },
        names: [
          { path: `${name}.ok`, kind: "flag", guards: [] },
          { path: `${name}.error.code`, kind: "text", guards: [`${name}.error != null`] },
        ],
      };
    return {
      step: { ...call, onError: { set: { n: 0, nul: "${ error.code }", rows: [] } } },
      names: of(name).filter(({ path }) => !path.endsWith(".opt")),
    };
  }

  #switch(name: string, names: Names): { step: Step; readonly names: Names } {
    const kind = this.#pick(["number", "text"] as const);
    const guarded = names.filter(({ guards }) => guards.length > 0);
    const cases: Step[] = [];
    let sure = names;
    for (let i = this.#below(3); i >= 0; i--) {
      const one = this.#pick(guarded);
      const guard = this.#pick(one.guards);
      if (this.#chance(0.4)) cases.push({ when: this.#of(sure, "flag", 2), set: this.#some(sure, kind) });
      else if (this.#chance(0.5)) cases.push({ when: guard, set: this.#some(without(sure, one), kind) });
      else {
        // The cases behind it are looked at only where the guard holds.
        cases.push({ when: `!(${guard})`, set: this.#some(sure, kind) });
        sure = without(sure, one);
      }
    }
    const closed = this.#chance(0.6);
    if (closed) cases.push({ set: this.#some(sure, kind) });
    return { step: { switch: cases }, names: [{ path: name, kind, guards: closed ? [] : [`${name} != null`] }] };
  }
}

/** The names where the guard of one holds. */
function without(names: Names, sure: Name): Names {
  return names.map((one) => (one === sure ? { ...one, guards: [] } : one));
}
function behind(name: Name, guard: string): Name {
  return { ...name, guards: name.guards.length === 0 ? [guard] : name.guards.map((own) => `${guard} && ${own}`) };
}
