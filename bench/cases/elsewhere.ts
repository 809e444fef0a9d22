/**
 * What passes between processes: how long after `start()` in one process another one makes the run's first call, and how long
 * after a `kill -9` another one makes the call that was under way again (with a lease of 5 s, where there is one).
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { createOrchestrator, effect, workflow } from "onex";
import { z } from "zod";
import { type Figures, percentile } from "../stats.ts";
import { inStore, placeAt, type StoreKind } from "../store.ts";

const leaseMs = 5_000;
const starts = 200;
const told: { begun?: (at: bigint) => void } = {};

/** Both machines' processes see one monotonic clock. */
const touch = effect({ name: "touch", input: z.object({}), idempotent: true, readonly: true }, async () => {
  told.begun?.(process.hrtime.bigint());
  return null;
});
const touched = workflow({ name: "touched", input: z.object({}) }, function* () {
  return yield* touch({});
});
/** Never answers in the process that is killed, at once in the other. */
const hold = effect({ name: "hold", input: z.object({}), idempotent: true, readonly: true, timeout: "1h" }, async () => {
  if (process.argv[2] !== roles.holder) return null;
  console.log("holding");
  await new Promise(() => {});
});
const held = workflow({ name: "held", input: z.object({}) }, function* () {
  return yield* hold({});
});
const roles = { starter: "bench-starter", holder: "bench-holder" } as const;

export function elsewhere(store: StoreKind): Promise<Figures> {
  return inStore(store, async ({ url }) => ({ ...(await started(url)), ...(store === "postgres" ? await takenOver(url) : {}) }));
}

async function started(url: string): Promise<Figures> {
  const owner = createOrchestrator({ store: await placeAt(url).open(), nodes: [touched] });
  await (await owner.start(touched, {})).result();
  const latencies: number[] = [];
  const child = spawn(process.execPath, [process.argv[1] as string, roles.starter, url], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  await lines.next();
  // The first ones are the compiler's.
  for (let i = -20; i < starts; i++) {
    const begins = new Promise<bigint>((resolve) => {
      told.begun = resolve;
    });
    child.stdin.write("go\n");
    const [asked, begun] = await Promise.all([lines.next(), begins]);
    if (i >= 0) latencies.push(Number(begun - BigInt(asked.value as string)) / 1e6);
  }
  child.kill();
  await owner.close();
  return { startP50Ms: percentile(latencies, 0.5), startP99Ms: percentile(latencies, 0.99) };
}

async function takenOver(url: string): Promise<Figures> {
  const child = spawn(process.execPath, [process.argv[1] as string, roles.holder, url], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  const other = createOrchestrator({ store: await placeAt(url, { leaseMs }).open(), nodes: [held] });
  // It has seen a whole lease go by before it may call another's lapsed.
  await new Promise((resolve) => setTimeout(resolve, leaseMs + 1_000));
  const from = performance.now();
  child.kill("SIGKILL");
  await other.run("held").result();
  const ms = performance.now() - from;
  await other.close();
  return { takeoverMs: ms };
}

/** The other process of a measurement. Answers whether it was one. */
export async function playRole(role: string | undefined, url: string | undefined): Promise<boolean> {
  if (url === undefined || (role !== roles.starter && role !== roles.holder)) return false;
  const orchestrator = createOrchestrator({
    store: await placeAt(url, { leaseMs }).open(),
    nodes: role === roles.holder ? [held] : [],
  });
  if (role === roles.holder) {
    await orchestrator.start(held, {}, { runId: "held" });
    await orchestrator.stopped;
  } else {
    console.log("ready");
    for await (const _ of createInterface({ input: process.stdin })) {
      const from = process.hrtime.bigint();
      await orchestrator.start(touched, {});
      console.log(String(from));
    }
  }
  return true;
}
