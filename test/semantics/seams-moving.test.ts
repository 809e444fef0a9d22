/** Where moving a run meets the rest: forks, children that are taken back, logs. */
import { expect, test } from "vitest";
import { z } from "zod";
import type { Engine } from "../../src/engine/engine.ts";
import { type AnyNode, type Log, type Run, signal, workflow } from "../../src/index.ts";
import { parseWorkflow } from "../../src/plan/workflow.ts";
import { testOrchestrator } from "../../src/testing/index.ts";
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
