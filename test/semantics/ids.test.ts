import { expect, test } from "vitest";
import { z } from "zod";
import { attempt, each, race, signal, sleep, workflow } from "../../src/index.ts";
import { testOrchestrator } from "../../src/testing/index.ts";
import { anything, quiet } from "./kit.ts";

const napping = workflow({ name: "napping", input: z.string() }, function* (name) {
  yield* sleep("1h");
  return name;
});

test("a child is given up whatever the id of its parent looks like", async () => {
  const parent = workflow({ name: "parent", input: anything }, function* () {
    return yield* race({ child: napping("a"), late: sleep("1s") });
  });
  const t = testOrchestrator({ nodes: [parent], log: quiet });
  const run = await t.start(parent, null, { runId: String.raw`a "quoted" \q id` });
  await t.advance("1m");
  expect(await run.result()).toMatchObject({ winner: "late" });
  expect((await t.list({ workflow: "napping" })).map(({ status }) => status)).toEqual(["cancelled"]);
});

test("an id that a store would change is refused where it comes in", async () => {
  const go = signal({ name: "go", payload: z.null() });
  const parent = workflow({ name: "parent", input: anything }, function* () {
    const tried = yield* attempt(each(["a\0b"], (name) => napping(name), { key: (name) => name }));
    yield* go.wait();
    return tried.ok ? "began" : tried.error.code;
  });
  const t = testOrchestrator({ nodes: [parent], log: quiet });
  await expect(t.start(parent, null, { runId: "a\nb" })).rejects.toMatchObject({ code: "OPTION_INVALID" });
  const run = await t.start(parent, null);
  await expect(run.signal(go, null, { messageId: "a\0b" })).rejects.toMatchObject({ code: "OPTION_INVALID" });
  await run.signal(go, null);
  await t.advance("1s");
  expect(await run.result()).toBe("OPTION_INVALID");
});
