/** A process that removes runs is killed between any two of its statements: each run is there whole, or gone and known by its id. */
import { join } from "node:path";
import { expect, test } from "vitest";
import { sqlite } from "../../src/store/sqlite/sqlite.ts";
import type { OpenStore } from "../../src/store/store.ts";
import { begin, end, Log, signal } from "../../src/store/suite/kit.ts";
import { newFolder, Program } from "./processes.ts";

const runs = 6;

function open(file: string): OpenStore {
  return sqlite(file).open({ now: Date.now, setTimer: () => () => {}, warn: () => {} });
}

async function write(store: OpenStore): Promise<void> {
  for (let i = 0; i < runs; i++) {
    const log = await begin(store, `r${i}`, { at: 1 });
    await store.post(signal(`r${i}`, "m"));
    await log.write(store, { blobs: [{ hash: "h", text: '"large"' }] });
    await log.write(store, { ...end, at: 10 + i });
  }
}

/** Of each run: "whole", "gone", or what is wrong with it. */
async function found(store: OpenStore): Promise<string[]> {
  const states: string[] = [];
  for (let runNo = 1; runNo <= runs; runNo++) {
    const id = `r${runNo - 1}`;
    const parts = [(await store.turns(runNo)).length, (await store.inbox(runNo, 0)).length, await store.blob(runNo, "h")];
    const row = [(await store.run(id))?.runNo, (await store.pruned(id))?.runNo];
    const state = JSON.stringify([parts, row]);
    const whole = JSON.stringify([
      [3, 1, '"large"'],
      [runNo, undefined],
    ]);
    const gone = JSON.stringify([
      [0, 0, undefined],
      [undefined, runNo],
    ]);
    states.push(state === whole ? "whole" : state === gone ? "gone" : state);
  }
  return states;
}

// Each run takes four statements, and each call one more for ids that were kept long enough.
test.each([
  { n: 0, gone: 0 },
  { n: 3, gone: 0 },
  { n: 6, gone: 0 },
  { n: 8, gone: 0 },
  { n: 11, gone: 2 },
  { n: 26, gone: 4 },
])("at its statement $n", async ({ n, gone }) => {
  const file = join(newFolder(), "test.db");
  const owner = open(file);
  await owner.acquire("the test");
  await write(owner);
  const other = await begin(owner, "under way");
  await new Program("pruning", { file, atOnce: 2, n }).end("SIGKILL");
  expect(await found(owner)).toEqual(Array.from({ length: runs }, (_, i) => (i < gone ? "gone" : "whole")));
  // The owner was not held up, and what is left goes the next time.
  expect((await new Log(other.runNo).write(owner)).accepted).toBe(true);
  const next = new Program("pruning", { file, atOnce: 2 });
  expect(await next.says("runs")).toMatchObject({ runs: runs - gone });
  await next.end();
  expect(await found(owner)).toEqual(Array(runs).fill("gone"));
  expect((await owner.list({})).map(({ id }) => id)).toEqual(["under way"]);
  await owner.close();
});
