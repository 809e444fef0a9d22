/**
 * One life of the code under `onex dev`: a process that loads the modules and checks them, and, told to go, drives the runs
 * of the store until it is told to stop or the process that began it is gone.
 */
import { check } from "../commands/check.ts";
import { exit, exitOf } from "../exit.ts";
import { load, placeOf } from "../load.ts";
import { complaint, Terminal } from "../output.ts";
import { openSession, type Session } from "../session.ts";
import { storeUrl, withListen } from "../store.ts";
import type { FromWorker, ToWorker, WorkerOptions } from "./supervisor.ts";

const options = JSON.parse(process.argv[2] ?? "{}") as WorkerOptions;
const terminal = new Terminal();
terminal.adoptConsole();
let session: Session | undefined;

function tell(message: FromWorker): void {
  process.send?.(message);
}

async function prepare(): Promise<void> {
  const loaded = await load(options.targets, options.nodes);
  const code = await check(options.targets, options.nodes.length > 0 ? { nodes: options.nodes } : {});
  if (code !== exit.done) return tell({ type: "refused" });
  const go = heard("go");
  tell({ type: "checked" });
  await go;
  session = await openSession(withListen(storeUrl(options.store), options.listen), loaded, terminal, options.verbose);
  const workflows = loaded.workflows.map(({ contract }) => `${contract.name}@${contract.version}`);
  tell({ type: "ready", workflows, role: session.orchestrator.role });
  await session.broken;
}

function heard(type: ToWorker["type"]): Promise<void> {
  return new Promise((resolve) => {
    process.on("message", (message: ToWorker) => {
      if (message.type === type) resolve();
    });
  });
}

async function stop(): Promise<void> {
  await session?.close().catch(() => {});
  process.exit(exit.done);
}

// Ctrl-C reaches the whole group: the process that began this one decides.
process.on("SIGINT", () => {});
process.on("disconnect", () => void stop());
void heard("stop").then(stop);
try {
  await prepare();
} catch (error) {
  const place = error instanceof Error ? placeOf(error) : undefined;
  terminal.say(complaint(error, place, terminal.style, options.verbose));
  tell({ type: "refused" });
  if (session) process.exit(exitOf(error));
}
