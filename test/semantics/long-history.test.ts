import { expect, test } from "vitest";
import { random, sleep } from "../../src/index.ts";
import { Ledger, play } from "./kit.ts";

test("a run of 50,000 facts ends as HISTORY_TOO_LONG, and takes back what it did", async () => {
  const ledger = new Ledger();
  const { t, view, facts } = await play(function* () {
    yield* ledger.act("a");
    yield* sleep("1s");
    for (;;) yield* random();
  });
  await t.advance("1m");
  expect(await view()).toMatchObject({
    status: "failed",
    error: { code: "HISTORY_TOO_LONG", message: expect.stringContaining("restart") },
  });
  expect(ledger.lines).toEqual(["a", "undo a"]);
  expect((await facts()).length).toBeLessThan(50_020);
});
