import { describe, expect, test } from "vitest";
import { z } from "zod";
import { effect } from "./effect.ts";
import { stream } from "./stream.ts";
import { workflow } from "./workflow.ts";

const any = z.any();
const kinds = {
  effect: (more: object) => effect({ name: "x", input: any, ...more }, async () => 1),
  stream: (more: object) => stream({ name: "x", input: any, item: any, ...more }, async function* () {}),
  workflow: (more: object) => workflow({ name: "x", input: any, ...more }, function* () {}),
};

describe.each(Object.entries(kinds))("%s", (kind, make) => {
  test.each([
    [{ concurrency: 3 }, "concurrency is 3: give an object of limit, key"],
    [{ concurrency: {} }, "concurrency.limit is undefined: give a whole number from 1 to 1000000"],
    [{ concurrency: { limit: "3" } }, 'concurrency.limit is "3": give a whole number'],
    [{ concurrency: { max: 3 } }, "concurrency: there is no `max`; it takes limit, key"],
    [{ concurrency: { limit: 0 } }, "concurrency.limit is 0: give"],
    [{ concurrency: { limit: 1, key: "who" } }, 'concurrency.key is "who": give a function of the input'],
    [{ rate: null }, "rate is null: give an object of limit, per, key"],
    [{ rate: { limit: 1 } }, "rate.per is undefined: write a number and ms, s, m, h or d as text"],
    [{ rate: { limit: 1, per: 1000 } }, "rate.per is 1000: write"],
    [{ rate: { limit: 1, per: "minute" } }, 'rate.per: "minute" is not a duration'],
    [{ rate: { limit: 1, per: "0s" } }, 'rate.per is "0s": give 1ms or more'],
    [{ rate: { limit: 1.5, per: "1s" } }, "rate.limit is 1.5: give"],
  ])("%j", (more, sentence) => {
    expect(() => make(more)).toThrow(`${kind} x: ${sentence}`);
  });
  test("what is right is kept", () => {
    const { contract } = make({ concurrency: { limit: 2 }, rate: { limit: 3, per: "1m" } });
    expect(contract).toMatchObject({ concurrency: { limit: 2 }, rate: { limit: 3, perMs: 60_000 } });
  });
});
