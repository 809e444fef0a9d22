/** The small parts that need no server. */
import { describe, expect, test } from "vitest";
import { bigints, bools, ints, texts } from "./arrays.ts";
import { Blocks } from "./blocks.ts";
import { StoreClock } from "./clock.ts";
import { loadDriver } from "./driver.ts";
import { DatabaseError, failed } from "./errors.ts";
import { isSound, jobsOf } from "./job.ts";
import type { Line } from "./line.ts";
import { RunNumbers } from "./numbers.ts";
import { allOptions } from "./options.ts";
import { Patience } from "./pool.ts";
import { postgres } from "./postgres.ts";
import { decodeText, encodeText } from "./text.ts";
import { nameOf } from "./url.ts";

describe("arrays", () => {
  test("are one dimension from 1 on, with the type and each element's length", () => {
    expect([...ints([1, null])]).toEqual([
      ...[0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 23, 0, 0, 0, 2, 0, 0, 0, 1],
      ...[0, 0, 0, 4, 0, 0, 0, 1, 255, 255, 255, 255],
    ]);
    expect([...bools([true])].slice(-5)).toEqual([0, 0, 0, 1, 1]);
    expect([...texts(["é"])].slice(-6)).toEqual([0, 0, 0, 2, 0xc3, 0xa9]);
    expect(texts([]).length).toBe(12);
  });

  test.each([0, 1, -1, 2 ** 32, 2 ** 32 - 1, -(2 ** 32) - 5, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER])(
    "keep the number %d",
    (value) => {
      expect(Number(bigints([value]).readBigInt64BE(24))).toBe(value);
    },
  );
});

describe("the clock", () => {
  test("follows the database, by the sample with the shortest way, and never goes back", () => {
    let monotonic = 100;
    const clock = new StoreClock(5000, () => monotonic);
    expect(clock.now()).toBe(5000);
    clock.learn(9000, 100, 120);
    expect(clock.now()).toBe(8990);
    monotonic = 200;
    clock.learn(9100, 200, 202); // a shorter way: 8899 ahead of the monotonic time
    expect(clock.now()).toBe(9099);
    clock.learn(20_000, 200, 400);
    expect(clock.now()).toBe(9099);
    clock.learn(8000, 200, 201);
    expect(clock.now()).toBe(9099);
    monotonic = 2000;
    expect(clock.now()).toBe(9799);
  });
});

describe("text", () => {
  test.each(["", "a", "ü漢😀", "a\0b", "\0", "\ud800", "x\udfff", "\u0001", "\u0001\0", "__proto__"])("%j is kept as it is", (text) => {
    const kept = encodeText(text);
    expect(decodeText(kept)).toBe(text);
    expect(kept.includes("\0")).toBe(false);
    expect(Buffer.from(kept).toString()).toBe(kept);
  });
});

describe("errors", () => {
  const of = (code: string): DatabaseError => new DatabaseError(Object.assign(new Error("e"), { code }));
  test("what passes is told from what does not", () => {
    for (const code of ["ECONNRESET", "57P01", "08006", "40P01", "53100", "25006", "57014", "55P03", "53300"])
      expect(of(code).isTransient, code).toBe(true);
    for (const code of ["42601", "28P01", "3D000", "22021"]) expect(of(code).isTransient, code).toBe(false);
    expect([of("ECONNRESET").isLost, of("40001").isLost, of("0A000").isLost]).toEqual([true, false, true]);
  });
  test("say their state", () => {
    expect(failed("here", of("42601")).message).toMatch(/^here: e \(SQLSTATE 42601\);/);
  });
});

test("trouble is said once in a while, also when other work succeeds in between", async () => {
  const warnings: string[] = [];
  const patience = new Patience("here", {
    now: () => 0,
    setTimer(_, callback) {
      queueMicrotask(callback);
      return () => {};
    },
    warn: (code) => void warnings.push(code),
  });
  const full = new DatabaseError(Object.assign(new Error("No space left on device"), { code: "53100" }));
  const line = undefined as unknown as Line;
  for (let i = 0; i < 3; i++) {
    const answer = await patience.insist(line, async (_, tries) => {
      if (tries === 0) throw full;
      return "done";
    });
    expect(answer).toBe("done");
  }
  expect(warnings).toEqual(["STORE_UNREACHABLE"]);
});

describe("options", () => {
  test("a URL is named without its password", () => {
    expect(nameOf("postgres://u:secret@h:5/db?sslmode=require")).toBe("postgres://h:5/db");
    expect(nameOf("postgres://u@localhost/db?host=/tmp/x")).toBe("postgres://localhost/db");
  });
  test.each<[() => unknown, string, RegExp]>([
    [() => postgres("sqlite:secret"), "STORE_URL_INVALID", /^(?!.*secret)/],
    [() => postgres("postgres://h/d", { listenUrl: "x" }), "STORE_URL_INVALID", /postgres:\/\//],
    [() => postgres("postgres://h/d?shema=x"), "STORE_URL_INVALID", /no parameter shema; there are schema/],
    [() => postgres("postgres://h/d?ssl-mode=x"), "STORE_URL_INVALID", /no parameter.*sslmode/],
    [() => postgres("postgres://u:3/3?cret=x@h/d"), "STORE_URL_INVALID", /^(?!.*cret).*%3F/],
    [() => postgres("postgres://h/d?schema=a", { schema: "b" }), "OPTION_INVALID", /schema a, and the option b: give one/],
    [() => postgres("postgres://h/d?schema=A-b"), "OPTION_INVALID", /schema "A-b"/],
    [() => postgres("postgres://h/d", { leaseMs: 10 }), "OPTION_INVALID", /leaseMs.* from 200 on, not 10/],
    [() => postgres("postgres://h/d", { schema: 'a"b' }), "OPTION_INVALID", /schema "a\\"b"/],
    [() => postgres("postgres://h/d", { leaseMS: 1 } as object), "OPTION_INVALID", /no option leaseMS; there are leaseMs/],
  ])("what is wrong is refused: %s", (act, code, message) => {
    expect(act).toThrow(expect.objectContaining({ code, message: expect.stringMatching(message) }));
  });
  test("a schema may stand in the URL, as in ONEX_STORE", () => {
    expect(allOptions("postgres://h/d?schema=shop", {}).schema).toBe("shop");
    expect(allOptions("postgres://h/d?schema=shop&sslmode=disable", { schema: "shop" }).schema).toBe("shop");
    expect(allOptions("postgres://h/d", {}).schema).toBe("onex");
  });
  test("a file of the URL that is not there is named", async () => {
    const driver = await loadDriver();
    expect(() => driver({ connectionString: "postgres://u:secret@h/d?sslrootcert=/nowhere/ca.pem" })).toThrow(
      expect.objectContaining({
        code: "STORE_URL_INVALID",
        message: expect.stringMatching(/^(?!.*secret).*nowhere\/ca\.pem.*correct sslrootcert/),
      }),
    );
  });
  test("without pg, it says what to install", async () => {
    await expect(loadDriver(() => Promise.reject(new Error("gone")))).rejects.toMatchObject({
      code: "STORE_DRIVER_MISSING",
      message: expect.stringContaining("npm install pg"),
    });
  });
});

describe("numbers", () => {
  test("come from blocks, in order, whoever asks at once", async () => {
    let block = -999;
    const numbers = new RunNumbers(async () => (block += 1000));
    expect(await Promise.all([numbers.take(2), numbers.take(1)])).toEqual([[1, 2], [3]]);
    const many = await numbers.take(1500);
    expect([many[0], many.at(-1), new Set(many).size, block]).toEqual([4, 1503, 1500, 1001]);
  });
  test("are the same for all tries of a turn", async () => {
    const run = { id: "a", workflow: "w", version: "1", digest: "d", priority: 1, at: 1 };
    const first = { epoch: 1, next: 1, facts: "" };
    const write = {
      run,
      turn: 0,
      after: 0,
      epoch: 1,
      pos: 0,
      next: 1,
      at: 1,
      final: false,
      facts: "",
      children: [{ run, first }],
      successor: { run, first },
    };
    let next = 1;
    const jobs = await jobsOf([write, { ...write, run: 77 }], { take: async (count) => Array.from({ length: count }, () => next++) });
    expect(jobs.map(({ runNo, children, successorNo }) => [runNo, children, successorNo])).toEqual([
      [1, [2], 3],
      [77, [4], 5],
    ]);
    expect([isSound(write), isSound({ ...write, pos: 1 }), isSound({ ...write, run: 77 })]).toEqual([true, false, false]);
  });
});

test("a version that is missing blocks its kind, any other reason its run alone", () => {
  const blocks = new Blocks();
  blocks.add(1, "w@1", "VERSION_MISSING");
  blocks.add(2, "v@1", "SECRET_KEY_MISSING");
  expect([blocks.names, blocks.numbers]).toEqual([["w@1"], [2]]);
  blocks.remove(["v@1"]);
  expect([blocks.names, blocks.numbers]).toEqual([["w@1"], []]);
});
