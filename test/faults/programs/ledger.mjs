/** An owner that plays random workflows, of each as many runs as it has acts: in every one another act fails. */
import { all, attempt, createOrchestrator, each, effect, Fatal, sqlite, workflow } from "../../../dist/index.js";
import { any, given, ledger, log, pause, say } from "./kit.mjs";
import { plant } from "./trees.mjs";

const { file, effects, trees, atOnce, leash } = given;
const write = ledger(effects);
let undone = 0;

const back = effect(
  { name: "back", input: any, idempotent: true, irreversible: "is an undo itself", retry: { delay: "20ms" } },
  async ({ key, run, id }, { attempt: nth }) => {
    // A third of the undos fails at first.
    if (nth === 1 && (id + run.length) % 3 === 0) throw new Error("not now");
    // However late the test is with its kill, undos are left over.
    if (undone >= leash) await new Promise(() => {});
    write({ op: "undo", key, run, id });
    say({ undone: ++undone });
    await pause(1);
    return null;
  },
);
const act = effect(
  {
    name: "act",
    input: any,
    idempotent: true,
    retry: { maxAttempts: 1 },
    undo: ({ input, idempotencyKey }) => back({ key: idempotencyKey, run: input.run, id: input.id }),
  },
  async ({ run, id, fails }, { idempotencyKey: key }) => {
    if (fails === "refused") throw new Fatal("REFUSED");
    write({ op: "do", key, run, id });
    // It was done, and its caller never hears of it.
    if (fails === "lost") throw new Error("the answer was lost");
    await pause(1);
    return null;
  },
);

/** @param {{ tree: import("./trees.mjs").Tree, run: string, failing: number, how: string }} input @returns {Generator<any, any, any>} */
function* play(input) {
  const { tree } = input;
  const inside = (/** @type {import("./trees.mjs").Tree} */ part) => play({ ...input, tree: part });
  switch (tree.k) {
    case "act":
      return yield* act({ run: input.run, id: tree.id, fails: tree.id === input.failing ? input.how : "no" });
    case "seq":
      for (const part of tree.of) yield* inside(part);
      return null;
    case "all":
      return yield* all(tree.of.map(inside));
    case "each":
      return yield* each(tree.of, inside, { concurrency: 2 });
    case "attempt":
      return yield* attempt(inside({ k: "seq", of: tree.of }));
    case "child":
      return yield* playing({ ...input, tree: { k: "seq", of: tree.of } });
  }
}
/** @type {any} */
const playing = workflow({ name: "playing", input: any }, function* (input) {
  yield* play(input);
  return null;
});

const orchestrator = createOrchestrator({ store: sqlite(file), nodes: [playing], log });
orchestrator.stopped.catch(() => process.exit(70));
/** @type {{ runId: string, input: object }[]} */
const runs = [];
for (let seed = 0; seed < trees; seed++) {
  const { tree, acts } = plant(seed);
  for (let failing = 0; failing < acts; failing++) {
    const runId = `${seed}-${failing}`;
    runs.push({ runId, input: { tree, run: runId, failing, how: (seed + failing) % 2 === 0 ? "refused" : "lost" } });
  }
}
let next = 0;
async function desk() {
  for (let i = next++; i < runs.length; i = next++) {
    const { runId, input } = /** @type {{ runId: string, input: object }} */ (runs[i]);
    const run = await orchestrator.start(playing, input, { runId });
    // A call that was in flight at five kills is held for poison until a person says otherwise.
    const view = await run.status();
    if (view.paused) await run.resume();
    await run.result().catch(() => {});
  }
}
await Promise.all(Array.from({ length: atOnce }, desk));
say({ ended: runs.length });
await orchestrator.close();
