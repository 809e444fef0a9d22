/** Where moving a run meets the rest: forks, children that are taken back, logs. */
import { expect, test } from "vitest";
import { z } from "zod";
import type { Engine } from "../../src/engine/engine.ts";
import { type AnyNode, type Log, type Run, signal, workflow } from "../../src/index.ts";
import { parseWorkflow } from "../../src/plan/workflow.ts";
import { testOrchestrator } from "../../src/testing/index.ts";
import { type Death, Mortal } from "./crashing.ts";
import { anything, Ledger, quiet } from "./kit.ts";

type Loaded = ReturnType<typeof parseWorkflow>;

function contract(name: string, version: string, steps: string, head = ""): Loaded {
  return parseWorkflow(
    `onex: v1\nkind: workflow\nname: ${name}\nversion: ${version}\ntimeout: 1d\nsignals: { go: {} }\n${head}\nsteps:\n${steps}`,
    `${name}-${version}.yaml`,
  );
}
const act = (name: string, more = "") => `  ${name}: { effect: act, with: ${name}${more} }\n`;
const wait = (name: string, needs: string) => `  ${name}: { wait: go, needs: [${needs}] }\n`;

test("a child that was moved and has ended is taken back as its new definition says, also by another process", async () => {
  const ledger = new Ledger();
  ledger.manners.boom = "fatal";
  const old = contract("kid", "1.0.0", act("a") + wait("w", "a") + act("b", ", needs: [w]"));
  const now = contract("kid", "2.0.0", act("a") + wait("w", "a") + act("c", ", needs: [w]"));
  const parent = contract(
    "parent",
    "1.0.0",
    `  kid: { workflow: kid }\n${wait("w", "kid")}  boom: { effect: final, with: boom, needs: [w] }\n`,
  );
  const nodes = [old, parent, ledger.act, ledger.final, ledger.back] as readonly AnyNode[];
  const t = testOrchestrator({ nodes, log: quiet });
  const run = (await t.start(parent as never, {} as never, { runId: "run" })) as Run;
  await t.advance("1s");
  const kid = t.run("run/kid");
  await kid.migrate(now as never);
  await t.advance("1s");
  expect((await kid.status()).version).toBe("2.0.0");
  await kid.signal("go", null);
  await t.advance("1s");
  await t.crash("1s");
  await run.signal("go", null);
  await t.advance("1m");
  expect(await run.status()).toMatchObject({ status: "failed", notUndone: [] });
  expect(ledger.lines).toEqual(["a", "c", "boom", "undo c", "undo a"]);
});

test("the step for which a move was refused has not begun by it", async () => {
  const ledger = new Ledger();
  const old = contract("flow", "1.0.0", act("a") + wait("w", "a") + act("b", ", needs: [w]"));
  const t = testOrchestrator({ nodes: [old, ledger.act, ledger.back] as readonly AnyNode[], log: quiet });
  const run = (await t.start(old as never, {} as never, { runId: "run" })) as Run;
  await t.advance("1s");
  await run.migrate(contract("flow", "2.0.0", act("a") + act("n", ", needs: [a]") + wait("w", "a")) as never);
  await t.advance("1s");
  expect((await run.status()).notMoved).toMatchObject({ step: "n" });
  await run.signal("go", null);
  await t.advance("1s");
  await expect(t.fork("run", { from: "n" })).rejects.toMatchObject({
    code: "FORK_IMPOSSIBLE",
    message: expect.stringMatching(/has no step "n"/),
  });
});

test("what a workflow wrote to its log in the turn of its move is not lost, and not written twice", async () => {
  const lines: string[] = [];
  const log: Log = { ...quiet, info: (line) => void lines.push(line) };
  const go = signal({ name: "go", payload: z.null() });
  const coded = (version: string) =>
    workflow({ name: "coded", version, input: anything }, function* (_, { log: own }) {
      own.info("begins");
      yield* go.wait();
      own.info("went");
      yield* go.wait();
      own.info("ends");
    });
  const one = coded("1.0.0");
  const two = coded("2.0.0");
  const t = testOrchestrator({ nodes: [one, two] as readonly AnyNode[], log });
  const run = await t.start(one, null, { runId: "run" });
  await t.advance("1s");
  const { store } = (t as unknown as { readonly engine: Engine }).engine;
  await store.post({ runId: "run", messageId: "1", kind: "signal", body: JSON.stringify({ name: "go", payload: null }) });
  await store.post({ runId: "run", messageId: "2", kind: "migrate", body: JSON.stringify({ version: "2.0.0" }) });
  await t.crash();
  expect((await run.status()).version).toBe("2.0.0");
  await run.signal("go", null);
  await t.advance("1s");
  expect(lines.filter((line) => ["begins", "went", "ends"].some((word) => line.includes(word)))).toHaveLength(3);
});

const start = Date.UTC(2030, 0, 1);
const again = (name: string, more = "") => act(name, more).replace("effect: act", "effect: again");
const flow1 = contract("flow", "1.0.0", again("a") + wait("w", "a") + again("b", ", needs: [w]"));
const flow2 = contract("flow", "2.0.0", again("a") + wait("w", "a") + again("c", ", needs: [w]"));
const flow3 = contract("flow", "3.0.0", again("a") + wait("w", "a") + again("d", ", needs: [w]"));

/** Asked in one go to become 2, 3, 1 again and 2 at last, while its process dies at some write. */
async function restless(death?: Death) {
  const ledger = new Ledger();
  const nodes = [flow1, ledger.again, ledger.back] as readonly AnyNode[];
  const m = new Mortal(nodes, start, death);
  // What was not acknowledged is said again.
  const say = (tell: (run: Run) => Promise<void>) => m.ask(() => tell(m.now.run("run")));
  await m.ask(() => m.now.start(flow1 as never, {} as never, { runId: "run" }));
  await m.advance(1000);
  for (const to of [flow2, flow3, flow1, flow2]) await say((run) => run.migrate(to as never));
  await m.advance(1000);
  await say((run) => run.signal("go", null, { messageId: "go" }));
  await m.advance(60_000);
  const run = m.now.run("run");
  const facts = await run.facts();
  expect(new Set(ledger.keys.map(({ line, key }) => `${line} ${key}`)).size, "one key for each").toBe(2);
  return { m, lines: ledger.lines, view: await run.status(), moves: facts.filter(({ type }) => type === "run.migrated").length };
}

test("moved again and again in one go it is what it was asked to be last, whatever dies in between", async () => {
  const calm = await restless();
  expect(calm).toMatchObject({ lines: ["a", "c"], view: { status: "completed", version: "2.0.0" }, moves: 4 });
  // The first two are those of a process that opens the store.
  for (let n = 2; n < calm.m.written.length; n++)
    for (const when of ["before", "after"] as const) {
      const { lines, view, m } = await restless({ n, when });
      const where = `${when} write ${n} (${calm.m.written[n]}) ${JSON.stringify(view)}`;
      expect(m.died, where).toBe(true);
      expect(view, where).toMatchObject({ status: "completed", version: "2.0.0" });
      expect([...new Set(lines)], where).toEqual(["a", "c"]);
    }
});
