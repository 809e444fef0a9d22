import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { OnexError } from "../core/failure.ts";
import type { Json } from "../core/json.ts";
import { Sanitizer } from "../core/sanitizer.ts";
import { memory } from "./memory.ts";
import { newKey, type Sealer, sealer } from "./seal.ts";
import { Sealing, sealedStore } from "./sealed.ts";
import type { OpenStore } from "./store.ts";

const key = newKey();
const held = (keys: string | undefined = key): Sealer => sealer(undefined, () => keys, "test");
const sealingWith = (values: readonly string[] = [], keys?: Sealer): Sealing => new Sealing(new Sanitizer(values), keys ?? held(), false);

const code = (ask: () => unknown): string => {
  try {
    ask();
    return "";
  } catch (error) {
    return (error as OnexError).code;
  }
};

const word = fc.constantFrom("$sealed", "$$sealed", "$$$sealed", "password", "token", "__proto__", "a", "card_number", "toJSON");
const leaf = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.constantFrom<Json>(
    null,
    true,
    12,
    -0.5,
    4111111111111111,
    "",
    "hunter2-hunter2",
    "a \ud800 lone one",
    "\0",
    "AKIAIOSFODNN7EXAMPLE",
    "password=x",
    "[redacted]",
  ),
);
const { value } = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    leaf,
    fc.array(tie("value"), { maxLength: 3 }),
    fc.array(fc.tuple(word, tie("value")), { maxLength: 3 }).map((entries) => {
      const object = {};
      for (const [name, item] of entries)
        Object.defineProperty(object, name, { value: item, enumerable: true, writable: true, configurable: true });
      return object as Json;
    }),
  ),
}));

describe("sealing", () => {
  test("what is opened is what was sealed, to the character", () => {
    const sealing = sealingWith(["hunter2-hunter2"]);
    fc.assert(
      fc.property(value, fc.nat({ max: 3 }), (value, run) => {
        const text = JSON.stringify(value);
        expect(sealing.open(sealing.seal(text, run), run)).toBe(text);
        const facts = JSON.stringify([
          { type: "run.started", input: value, digest: "d1", at: 1 },
          { type: "x", error: { message: "m", details: value } },
        ]);
        expect(sealing.open(sealing.sealFacts(facts, run))).toBe(facts);
        expect(sealing.open(sealing.sealMessage(text))).toBe(text);
      }),
      { numRuns: 2000 },
    );
  });

  test("texts of a process that registered nothing are sealed whole, where there is a key", () => {
    const text = JSON.stringify({ name: "n", payload: "the value of another process" });
    const blind = new Sealing(new Sanitizer(), held(), true);
    expect(blind.sealMessage(text)).not.toContain("the value");
    expect(blind.open(blind.sealMessage(text))).toBe(text);
    const keyless = new Sealing(
      new Sanitizer(),
      sealer(undefined, () => undefined, "test"),
      true,
    );
    expect(keyless.sealMessage(text)).toBe(text);
  });

  test("the same secret never looks the same", () => {
    const sealing = sealingWith();
    const text = JSON.stringify({ password: "abc" });
    expect(sealing.seal(text)).not.toBe(sealing.seal(text));
    expect(sealing.seal(text)).not.toContain("abc");
  });

  test("what was secret once in a run is so everywhere in it, and in no other run", () => {
    const sealing = sealingWith();
    const echo = JSON.stringify({ greeting: "hello s3cret-value" });
    sealing.sealFacts(JSON.stringify([{ type: "run.started", input: { password: "s3cret-value" } }]), 1);
    expect(sealing.seal(echo, 1)).not.toContain("s3cret-value");
    expect(sealing.seal(echo, 2)).toBe(echo);
    const later = sealingWith();
    later.open(sealing.seal(JSON.stringify({ password: "s3cret-value" })), 1);
    expect(later.seal(echo, 1)).not.toContain("s3cret-value");
  });

  test("a short secret cannot be tried out on the digest of a compute's input", () => {
    const sealing = sealingWith();
    const sealed = sealing.sealFacts(
      JSON.stringify([
        { type: "run.started", input: { pin: 1234 } },
        { type: "compute.completed", digest: "abcd", output: 1 },
      ]),
      1,
    );
    expect(sealed).not.toContain("abcd");
    expect(JSON.parse(sealing.open(sealed))[1].digest).toBe("abcd");
    expect(sealing.question(JSON.stringify({ pin: 1234, a: 1 }))).not.toContain("1234");
    expect(sealing.question(JSON.stringify({ pin: 1234 }))).toBe(sealing.question(JSON.stringify({ pin: 1234 })));
  });

  test("is shown without a key", () => {
    const sealed = sealingWith().seal(JSON.stringify({ password: "abc", list: [{ $sealed: "mine" }] }));
    const keyless = sealingWith(
      [],
      sealer(undefined, () => key.replace(/^./, "x"), "test"),
    );
    expect(JSON.parse(keyless.shown(sealed))).toEqual({ password: "[redacted]", list: [{ $sealed: "mine" }] });
  });
});

describe("keys", () => {
  const sealed = held().seal("abc");

  test("a new one in front of the old one: both open, the new one seals", () => {
    const both = held(`# moved in 2026\n${newKey()}\n${key}\n`);
    expect(both.open(sealed)).toBe("abc");
    expect(both.seal("abc").slice(0, 8)).not.toBe(sealed.slice(0, 8));
  });

  test("of the user come first, as base64, hex or a passphrase, and the store's still opens", () => {
    for (const given of [newKey(), Buffer.from(newKey(), "base64").toString("hex"), "a passphrase of several words"]) {
      const own = sealer(given, (make) => (make ? undefined : key), "test");
      expect(own.open(sealed)).toBe("abc");
      const again = sealer(given, undefined, "test");
      expect(again.open(own.seal("x \ud800 y"))).toBe("x \ud800 y");
    }
  });

  test.each([
    ["no key", () => sealer(undefined, undefined, "test").seal("a")],
    ["another key", () => held(newKey()).open(sealed)],
    ["a text that was changed", () => held().open(`${sealed.slice(0, 20)}${sealed[20] === "A" ? "B" : "A"}${sealed.slice(21)}`)],
    ["a text that was cut", () => held().open(sealed.slice(0, 12))],
    ["a text of somebody else", () => held().open("mine")],
  ])("%s is named", (_name, ask) => expect(code(ask)).toBe("SECRET_KEY_MISSING"));

  test("one that another process made meanwhile is found", () => {
    let keys: string | undefined;
    const reader = sealer(undefined, () => keys, "test");
    expect(reader.ready(false)).toBe(false);
    keys = key;
    expect(reader.open(sealed)).toBe("abc");
  });
});

describe("the sealed store", () => {
  const open = (): OpenStore => memory().open({ now: () => 0, setTimer: () => () => {}, warn: () => {} });

  test("every verb that carries texts of values is known", () => {
    // A new verb of the store belongs into one of these lists, and if it carries values, into sealed.ts.
    const sealed = ["append", "blob", "define", "definition", "inbox", "post", "start", "state", "tail", "take", "turns"];
    const bare =
      "acquire admissions admit block byNo close due list mailed nextQueued nextWake owner prunable prune pruned queued queuedCount release run secretKeys sleepers trusted unblock underWay wake watch".split(
        " ",
      );
    const verbs = Object.getOwnPropertyNames(Object.getPrototypeOf(open())).filter((name) => name !== "constructor");
    expect(verbs.sort()).toEqual([...sealed, ...bare].sort());
  });

  test("keeps sealed what is written, and gives back what it was", async () => {
    const inner = open();
    const store = sealedStore(
      inner,
      sealingWith(
        [],
        sealer(undefined, (make) => inner.secretKeys?.(make), "test"),
      ),
    );
    expect(store.name).toBe("memory");
    await store.acquire("lease");
    const first = (id: string) => ({
      epoch: 1,
      next: 1,
      facts: JSON.stringify([{ type: "run.started", input: { password: `s-${id}-s` }, at: 0 }]),
    });
    const run = (id: string) => ({ id, workflow: "w", version: "1.0.0", digest: "d", priority: 1, at: 0 });
    await store.append([
      {
        run: run("a"),
        turn: 0,
        after: 0,
        pos: 0,
        at: 0,
        final: false,
        ...first("a"),
        blobs: [{ hash: "h", text: '{"token":"s-blob-s"}' }],
        children: [{ run: run("b"), first: first("b") }],
        messages: [{ runId: "b", messageId: "m", kind: "signal", body: '{"name":"n","payload":{"secret":"s-message-s"}}' }],
        states: [{ reducer: "r", key: "k", state: '{"cookie":"s-state-s"}' }],
      },
    ]);
    await store.post({ runId: "a", messageId: "p", kind: "signal", body: '{"name":"n","payload":{"pwd":"s-posted-s"}}' });
    await store.define("hash", '{"text":"password=s-defined-s"}');
    await store.schedules.save(
      { id: "s", revision: "1", nextAt: 5, spec: '{"input":{"pin":1,"password":"s-spec-s"}}', state: "{}" },
      undefined,
    );
    const read = async (from: OpenStore) =>
      JSON.stringify([
        await from.turns(1),
        await from.tail(2),
        await from.blob(1, "h"),
        await from.inbox(1, 0),
        await from.inbox(2, 0),
        await from.state("r", "k"),
        await from.definition("hash"),
        await from.list({}),
        await from.schedules.get("s"),
        await from.schedules.list(),
        await from.schedules.due(9),
      ]);
    const secrets = ["s-a-s", "s-b-s", "s-blob-s", "s-message-s", "s-posted-s", "s-state-s", "s-defined-s", "s-spec-s"];
    const raw = await read(inner);
    const whole = await read(store);
    for (const secret of secrets) {
      expect(raw, "in the store").not.toContain(secret);
      expect(whole, "given back").toContain(secret);
    }
    expect(whole).not.toContain("$sealed");
    const { row } = await store.start({ ...run("q"), queuedAt: 0 }, first("q"));
    expect(JSON.stringify(await inner.turns(row.runNo))).not.toContain("s-q-s");
    expect(JSON.stringify(await store.take?.([row.runNo], ["w@1.0.0"]))).toContain("s-q-s");
  });
});
