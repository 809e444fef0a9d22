/** Helpers are plain generators, and a cancel goes through them: found by the random workflows. */
import { expect, test } from "vitest";
import { attempt, effect, Fatal, race, type Steps, sleep, workflow } from "../../src/index.ts";
import { testOrchestrator } from "../../src/testing/index.ts";
import { any } from "../faults/any.ts";

const done: string[] = [];
const act = effect({ name: "act", input: any, idempotent: true, irreversible: "it is only written down" }, async (id: string) => {
  done.push(id);
  if (id.startsWith("bad")) throw new Fatal("BAD");
  return id;
});

function* held(name: string): Steps<void> {
  try {
    yield* sleep("1h");
  } finally {
    yield* act(name);
    yield* act(`${name}, then more`);
  }
}
function* around(name: string): Steps<void> {
  try {
    yield* held(name);
    yield* act("after the inner helper");
  } finally {
    yield* act("around");
  }
}

async function cancelled(body: () => Steps<unknown>): Promise<string[]> {
  done.length = 0;
  const flow = workflow({ name: "flow", input: any }, function* () {
    yield* body();
    yield* act("after");
    return null;
  });
  const t = testOrchestrator({ nodes: [flow] });
  const run = await t.start(flow, null, { runId: "r" });
  await t.advance("1m");
  await run.cancel();
  await t.advance("1m");
  expect((await run.status()).status).toBe("cancelled");
  await t.close();
  return done;
}

test("a cancelled workflow does not go on after the finally of a helper", async () => {
  expect(await cancelled(() => held("release"))).toEqual(["release", "release, then more"]);
});

test("each helper on the way out cleans up, innermost first", async () => {
  expect(await cancelled(() => around("release"))).toEqual(["release", "release, then more", "around"]);
});

test("no catch around a helper takes a failed cleanup for an answer and goes on", async () => {
  const body = function* (): Steps<void> {
    try {
      yield* around("bad release");
    } catch {
      yield* act("caught");
    }
  };
  expect(await cancelled(body)).toEqual(["bad release", "around"]);
});

test("a helper that is not cancelled returns, throws and is gone through like any generator", async () => {
  function* count(): Generator<number, string> {
    const got = yield 1;
    return `got ${got}`;
  }
  function* failing(): Steps<string> {
    try {
      yield* act("bad");
      return "not here";
    } finally {
      yield* act("cleanup");
    }
  }
  done.length = 0;
  const flow = workflow({ name: "flow", input: any }, function* () {
    const pulled = [...count()];
    const iterator = count();
    iterator.next();
    const outcome = yield* attempt(failing());
    const first = yield* race({ held: held("loser"), soon: sleep("1s") });
    yield* act("after the race");
    return { pulled, last: iterator.next(7 as never).value, code: outcome.ok ? "" : outcome.error.code, winner: first.winner };
  });
  const t = testOrchestrator({ nodes: [flow] });
  const run = await t.start(flow, null, { runId: "r" });
  await t.advance("1m");
  expect(await run.result()).toEqual({ pulled: [1], last: "got 7", code: "BAD", winner: "soon" });
  expect(done).toEqual(["bad", "cleanup", "loser", "loser, then more", "after the race"]);
  await t.close();
});
