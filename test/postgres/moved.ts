/**
 * A file with runs in every state, and what any owner makes of them: the same nodes drive them on either store. What is done
 * to the world is written down with the key that it was done under.
 */
import {
  all,
  createOrchestrator,
  effect,
  Fatal,
  type Json,
  type Orchestrator,
  type RunStatus,
  type RunView,
  reducer,
  restart,
  type Steps,
  type Store,
  signal,
  sleep,
  workflow,
} from "../../src/index.ts";
import { any } from "../faults/any.ts";

const silent = (): void => {};
const log = { debug: silent, info: silent, warn: silent, error: silent };
/** Of any kind that a text can be. */
export const odd = `a\u0000b \ud800 "\\ \u0001 ${"ä".repeat(3)} \u{1f600}`;
export const large = "large ".repeat(20_000);
export const secret = "a-secret-word-of-the-test";

/** What was done to the world: line by line, "name key". */
export interface World {
  readonly lines: string[];
  /** Calls of `doubtful` are not answered. */
  hangs: boolean;
}

const word = signal({ name: "word", payload: any });

export function nodesOf(world: World) {
  const note = effect({ name: "note", input: any, idempotent: true, irreversible: "a line" }, async ({ text }, { idempotencyKey }) => {
    world.lines.push(`${text} ${idempotencyKey}`);
    return { text };
  });
  const doubtful = effect(
    { name: "doubtful", input: any, idempotent: true, irreversible: "a line" },
    async ({ text }, { idempotencyKey }) => {
      world.lines.push(`${text} ${idempotencyKey}`);
      if (world.hangs) await new Promise(silent);
      return { text };
    },
  );
  const counter = reducer(
    { name: "counter", event: any, key: ({ key }: { key: string }) => key, initial: { n: 0 } },
    (state: { n: number }) => ({
      n: state.n + 1,
    }),
  );
  const child = workflow({ name: "child", input: any }, function* (input: Json): Steps<Json> {
    yield* note({ text: "child" });
    return { child: yield* word.wait(), input };
  });
  const flow = workflow({ name: "flow", input: any }, function* (input: { kind: string; value?: Json; round?: number }): Steps<Json> {
    yield* note({ text: input.kind });
    yield* counter({ key: input.kind });
    yield* counter({ key: odd });
    if (input.kind === "failed") throw new Fatal("NO", { message: "no" });
    if (input.kind === "sleeping") yield* sleep("2500ms");
    if (input.kind === "waiting") return { got: yield* word.wait(), value: input.value ?? null };
    if (input.kind === "doubtful") yield* doubtful({ text: "doubtful" });
    if (input.kind === "parent") return yield* child({ of: "parent" });
    if (input.kind === "pair") yield* all({ a: note({ text: "a" }, { step: "a" }), b: doubtful({ text: "b" }, { step: "b" }) });
    if (input.kind === "rounds") {
      const round = input.round ?? 1;
      if (round < 3) return yield* restart({ ...input, round: round + 1 });
      yield* word.wait();
      return { round };
    }
    yield* note({ text: `${input.kind} ended` });
    return { value: input.value ?? null };
  });
  return { flow, counter, all: [flow, child, counter] as const };
}

export function openOn(store: Store, world: World): { readonly orchestrator: Orchestrator; readonly nodes: ReturnType<typeof nodesOf> } {
  const nodes = nodesOf(world);
  const orchestrator = createOrchestrator({ store, nodes: [...nodes.all], log, secrets: [secret], parkAfterMs: 100 });
  return { orchestrator, nodes };
}

const kinds = ["completed", "failed", "sleeping", "waiting", "doubtful", "parent", "rounds", "pair", "paused", "queued", "secret", "large"];
const stand: Readonly<Record<string, RunStatus>> = { completed: "completed", failed: "failed", large: "completed", secret: "waiting" };

/** Makes all the runs, and dies (as far as the store can tell) while some calls are not answered. */
export async function fill(store: Store, world: World): Promise<void> {
  const { orchestrator, nodes } = openOn(store, world);
  const { flow } = nodes;
  const options = (runId: string) => ({ runId });
  for (const kind of kinds) {
    if (kind === "paused" || kind === "queued") continue;
    const input = kind === "secret" ? { kind: "waiting", value: { password: secret } } : { kind, value: kind === "large" ? large : odd };
    await orchestrator.start(flow, input, options(kind));
  }
  const paused = await orchestrator.start(flow, { kind: "waiting", value: "paused" }, options("paused"));
  const later = Date.now() + 3_000;
  await orchestrator.start(flow, { kind: "queued", value: odd }, { runId: "queued", startAt: later });
  await orchestrator.start(flow, { kind: "waiting", value: odd }, options("it's ünïq 😀"));
  await orchestrator.schedules.put({ id: "yearly", workflow: flow, cron: "0 0 1 1 *", input: { kind: "completed" } });
  await orchestrator.run("waiting").signal("word", { early: odd }, { messageId: "m-1" });
  await paused.pause({ reason: "to be looked at" });
  for (const [id, status] of Object.entries(stand)) await until(orchestrator, id, (view) => view.status === status);
  for (const id of ["parent", "rounds", "sleeping"]) await until(orchestrator, id, (view) => view.status === "waiting");
  await until(orchestrator, "paused", (view) => view.status === "paused");
  while (!["doubtful", "b"].every((text) => world.lines.some((line) => line.startsWith(`${text} `) && !line.includes("doubtful ended"))))
    await tick();
  await orchestrator.close({ graceMs: 0 });
}

/** Brings all the runs to their end, and says how they came out. */
export async function finish(store: Store, world: World): Promise<object> {
  world.hangs = false;
  const { orchestrator, nodes } = openOn(store, world);
  try {
    await orchestrator.run("paused").resume();
    for (const id of ["secret", "paused", "rounds", "it's ünïq 😀"]) await orchestrator.run(id).signal("word", { late: id });
    const rows = await orchestrator.list({ limit: 1000 });
    const child = rows.find(({ workflow }) => workflow === "child");
    await orchestrator.run(child?.id ?? "").signal("word", { late: "child" });
    const ends: Record<string, unknown> = {};
    for (const { id } of rows)
      ends[id.replace(/~\d+$/, "~n")] = await orchestrator
        .run(id)
        .result()
        .catch((error) => `${error.code} ${error.failure?.code}`);
    const views = await Promise.all(rows.map(async ({ id }) => (await orchestrator.run(id).status()).status));
    const counts = [];
    for (const key of [...kinds, odd]) counts.push(await orchestrator.read(nodes.counter, key));
    const schedules = await orchestrator.schedules.list();
    return {
      ends,
      statuses: views.toSorted(),
      counts,
      schedules: schedules.map(({ id, cron, nextAt, input }) => ({ id, cron, nextAt, input })),
    };
  } finally {
    await orchestrator.close();
  }
}

async function until(orchestrator: Orchestrator, id: string, holds: (view: RunView) => boolean): Promise<void> {
  for (let i = 0; ; i++) {
    const view = await orchestrator.run(id).status();
    if (holds(view)) return;
    if (i === 1000) throw new Error(`${id} stays as it is: ${JSON.stringify(view)}`);
    await tick();
  }
}
function tick(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5));
}
