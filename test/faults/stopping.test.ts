/** What the engine does when the store under it fails, over the real driver: it stops, tells, and writes nothing more. */
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { createOrchestrator, effect, type OnexError, type Store, signal, sqlite, workflow } from "../../src/index.ts";
import { type Driver, loadDriver } from "../../src/store/sqlite/driver.ts";
import { sqliteWith } from "../../src/store/sqlite/sqlite.ts";
import { any } from "./any.ts";
import { newFolder } from "./processes.ts";
import { factsOf, snapshot } from "./snapshot.ts";

let file = "";
const calls: { step: number; key: string }[] = [];
/** Called at the start of each call of the effect. */
let onCall: (step: number) => unknown = () => {};
const errors: string[] = [];
const log = {
  debug() {},
  info() {},
  warn() {},
  error: (_message: string, fields?: object) => errors.push((fields as { code: string }).code),
};
beforeEach(() => {
  file = join(newFolder(), "test.db");
  calls.length = 0;
  errors.length = 0;
  onCall = () => {};
});

const work = effect({ name: "work", input: any, idempotent: true, irreversible: "a list" }, async ({ step }, { idempotencyKey }) => {
  calls.push({ step, key: idempotencyKey });
  await onCall(step);
  return step;
});
const five = workflow({ name: "five", input: any }, function* () {
  let sum = 0;
  for (let step = 1; step <= 5; step++) sum += yield* work({ step });
  return sum;
});

const word = signal({ name: "word", payload: any });
const waiting = workflow({ name: "waiting", input: any }, function* () {
  return yield* word.wait();
});

function orchestrator(store: Store = sqlite(file)) {
  return createOrchestrator({ store, nodes: [five], log });
}
async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "none",
    (error: OnexError) => error.code,
  );
}
/** Another process goes on: all runs complete, and no recorded step was run again. */
async function finishedByNext(ids: readonly string[]): Promise<void> {
  const recorded = factsOf(await snapshot(file), "action.completed");
  const keys = new Set(recorded.map(({ fact }) => fact.output));
  calls.length = 0;
  onCall = () => {};
  const next = orchestrator();
  expect(next.role).toBe("owner");
  for (const id of ids) expect(await next.run(id, five).result()).toBe(15);
  await next.close();
  if (ids.length === 1) expect(calls.filter(({ step }) => keys.has(step))).toEqual([]);
}

describe("a changed owner token", () => {
  test.each(["UPDATE leases SET state = 'lapsed' WHERE state = 'live'", "UPDATE leases SET state = 'released' WHERE state = 'live'"])(
    "stops the engine with OWNERSHIP_LOST, and nothing is written (%s)",
    async (sql) => {
      let before = 0;
      onCall = async (step) => {
        if (step !== 3) return;
        // Somebody who does not respect the lock on the file.
        const thief = loadDriver()(file, { readOnly: false });
        thief.exec(sql);
        thief.close();
        before = turns();
      };
      const owner = orchestrator();
      const run = await owner.start(five, {}, { runId: "a" });
      expect(await codeOf(run.result())).toBe("OWNERSHIP_LOST");
      expect(await codeOf(owner.stopped)).toBe("OWNERSHIP_LOST");
      expect(await codeOf(owner.start(five, {}))).toBe("OWNERSHIP_LOST");
      expect(await codeOf(run.cancel())).toBe("OWNERSHIP_LOST");
      expect(errors).toEqual(["OWNERSHIP_LOST"]);
      expect(before).toBeGreaterThan(0);
      expect(turns()).toBe(before);
      expect(
        calls.map(({ step }) => step),
        "and nothing more is done",
      ).toEqual([1, 2, 3]);
      await owner.close();
      await finishedByNext(["a"]);
    },
  );

  test("is also a turn that somebody else wrote", async () => {
    let before = 0;
    onCall = async (step) => {
      if (step !== 3) return;
      const thief = loadDriver()(file, { readOnly: false });
      thief.exec(
        "INSERT INTO turns (run_no, turn, epoch, pos, next, at, final, facts) SELECT run_no, turn + 1, epoch, next, next, at, 0, '[]' FROM turns ORDER BY turn DESC LIMIT 1",
      );
      thief.close();
      before = turns();
    };
    const owner = orchestrator();
    const run = await owner.start(five, {}, { runId: "a" });
    expect(await codeOf(run.result())).toBe("OWNERSHIP_LOST");
    expect(turns()).toBe(before);
    expect(calls.map(({ step }) => step)).toEqual([1, 2, 3]);
    await owner.close();
    await finishedByNext(["a"]);
  });
});

/** How many turns the file holds. */
function turns(): number {
  const db = loadDriver()(file, { readOnly: true });
  const count = db.prepare("SELECT count(*) AS n FROM turns").get()?.n;
  db.close();
  return Number(count);
}

describe("a COMMIT that fails", () => {
  /** The `n`-th COMMIT and those after it end so: "lost" is made, but says it failed; "failed" is not made. */
  function failing(
    n: number,
    ...ends: readonly ("lost" | "failed")[]
  ): { readonly store: Store; readonly commits: () => number; fromNow(): void } {
    let commits = 0;
    let first = n;
    const driver: Driver = (path, options) => {
      const db = loadDriver()(path, options);
      return {
        get isTransaction() {
          return db.isTransaction;
        },
        exec: (sql) => db.exec(sql),
        close: () => db.close(),
        function: (name, kind, call) => db.function(name, kind, call),
        prepare(sql) {
          const statement = db.prepare(sql);
          if (sql !== "COMMIT") return statement;
          return {
            get: (...values) => statement.get(...values),
            all: (...values) => statement.all(...values),
            run(...values) {
              const end = ends[commits++ - first];
              const done = end === "failed" ? { changes: 0, lastInsertRowid: 0 } : statement.run(...values);
              if (end !== undefined) throw Object.assign(new Error("disk I/O error"), { errcode: 10 });
              return done;
            },
          };
        },
      };
    };
    return {
      store: sqliteWith(() => driver, file),
      commits: () => commits,
      fromNow() {
        first = commits;
      },
    };
  }
  async function commitsUndisturbed(): Promise<number> {
    const { store, commits } = failing(Number.POSITIVE_INFINITY);
    const whole = orchestrator(store);
    await (await whole.start(five, {}, { runId: "a" })).result();
    const count = commits();
    await whole.close();
    return count;
  }

  test.each(["lost", "failed"] as const)("once is settled by reading the file: the run goes on, no step runs twice (%s)", async (end) => {
    const count = await commitsUndisturbed();
    expect(count).toBeGreaterThan(5);
    // The first one takes the ownership: it has no tail to read.
    for (let n = 1; n < count; n++) {
      file = join(newFolder(), "test.db");
      calls.length = 0;
      const owner = orchestrator(failing(n, end).store);
      expect(await (await owner.start(five, {}, { runId: "a" })).result()).toBe(15);
      expect(calls.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5]);
      await owner.close();
      const logged = (await snapshot(file)).facts.get("a") ?? [];
      expect(logged.filter(({ type }) => type === "action.completed").length, `commit ${n}`).toBe(5);
    }
  });

  test("again and again stops the engine with STORE_FAILED, wherever it happens, and the next process finishes", async () => {
    const count = await commitsUndisturbed();
    for (let n = 1; n < count; n++) {
      file = join(newFolder(), "test.db");
      calls.length = 0;
      errors.length = 0;
      const fault = failing(n, ...Array<"failed">(100).fill("failed"));
      const owner = orchestrator(fault.store);
      const codes = await codeOf(owner.start(five, {}, { runId: "a" }).then((run) => run.result()));
      // Where turns were cut elsewhere there may be fewer commits this time.
      if (codes === "none" && fault.commits() <= n) {
        await owner.close();
        continue;
      }
      expect(codes, `commit ${n}`).toBe("STORE_FAILED");
      expect(await codeOf(owner.stopped)).toBe("STORE_FAILED");
      expect(errors).toEqual(["STORE_FAILED"]);
      await owner.close();
      const { rows } = await snapshot(file);
      // The commit of the start itself: nothing has begun, and nothing is there.
      if (n === 1) expect([calls, rows]).toEqual([[], []]);
      await finishedByNext(rows.map(({ id }) => id));
    }
  });

  test.each(["signal", "cancel"] as const)("when it is that of a %s stops the engine, and tells all who wait", async (what) => {
    const fault = failing(Number.POSITIVE_INFINITY, ...Array<"failed">(100).fill("failed"));
    const owner = createOrchestrator({ store: fault.store, nodes: [waiting], log });
    const run = await owner.start(waiting, {}, { runId: "a" });
    const result = codeOf(run.result());
    await owner.idle();
    fault.fromNow();
    expect(await codeOf(what === "signal" ? run.signal(word, 1) : run.cancel())).toBe("STORE_FAILED");
    expect(await result).toBe("STORE_FAILED");
    expect(await codeOf(owner.stopped)).toBe("STORE_FAILED");
    await owner.close();
    const next = createOrchestrator({ store: sqlite(file), nodes: [waiting], log });
    expect(await next.run("a").status()).toMatchObject({ status: "waiting" });
    await next.run("a").signal(word, 2);
    expect(await next.run("a").result()).toBe(2);
    await next.close();
  });
});
