/** A process that drives runs: its orchestrator, its terminal, and how it stops. */
import type { Orchestrator } from "../engine/api.ts";
import type { Log } from "../node/contract.ts";
import { engineOf } from "./diff/runs.ts";
import { type ExitCode, exit } from "./exit.ts";
import type { Loaded } from "./load.ts";
import { clean, cleanLines, json, type Terminal } from "./output.ts";
import { openable, quote, type StoreUrl } from "./store.ts";

export interface Session {
  readonly orchestrator: Orchestrator;
  /** Rejects when the engine stops by itself; never resolves. */
  readonly broken: Promise<never>;
  /** Drains for up to `graceMs` (default 10 s), then lets go. */
  close(graceMs?: number): Promise<void>;
}

const defaultGraceMs = 10_000;
/** How long a process that ends looks into its store for what to say, ms. */
export const lookMs = 1_000;
const open = ["pending", "running", "waiting", "compensating", "paused"] as const;

/** Opens the store and takes it, joins those that share it, or becomes a client of the process that has it. Throws what `createOrchestrator` throws. */
export async function openSession(
  at: StoreUrl,
  loaded: Pick<Loaded, "nodes" | "provide" | "secrets" | "endpoints" | "config">,
  terminal: Terminal,
  verbose: boolean,
): Promise<Session> {
  const { createOrchestrator } = await import("../engine/create.ts");
  const blocked = new Blocked(terminal);
  // A store that fails while it is asked says so to those who wait for runs.
  const nameBlocked = () => blocked.name(orchestrator).catch(() => {});
  const orchestrator: Orchestrator = createOrchestrator({
    store: await openable(at),
    nodes: loaded.nodes,
    provide: loaded.provide,
    secrets: loaded.secrets,
    endpoints: loaded.endpoints,
    ...(loaded.config === undefined ? {} : { config: loaded.config }),
    log: logTo(terminal, verbose, () => setImmediate(nameBlocked)),
  });
  const broken = orchestrator.stopped.then(() => new Promise<never>(() => {}));
  broken.catch(() => {});
  // A database answers later whether this process owns runs of it, or why it cannot.
  const engine = engineOf(orchestrator);
  await engine.ready;
  if (engine.error) throw engine.error;
  return {
    orchestrator,
    broken,
    async close(graceMs = defaultGraceMs) {
      // A database that is away would keep the process from ending.
      if (orchestrator.role === "owner") await atMost(lookMs, nameBlocked());
      const inFlight = orchestrator.stats().callsInFlight;
      if (inFlight > 0)
        terminal.say(`waiting up to ${Math.round(graceMs / 1000)} s for ${inFlight} ${inFlight === 1 ? "call" : "calls"} in flight`);
      await orchestrator.close({ graceMs });
    },
  };
}

/** The value, or undefined when it takes longer. */
export function atMost<T>(ms: number, value: Promise<T>): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => resolve(undefined), ms);
    value.then(resolve, reject).finally(() => clearTimeout(late));
  });
}

/** Names, once a process, the runs that wait for code that it does not hold. */
class Blocked {
  readonly #said = new Set<string>();
  readonly #terminal: Terminal;
  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  async name(orchestrator: Orchestrator): Promise<void> {
    const rows = [];
    for (const status of open) rows.push(...(await orchestrator.list({ status, limit: 1000 })));
    // Of many owners, another one may be without the code of a run.
    const held = new Set(engineOf(orchestrator).definitions.held());
    const blocked = rows.filter(
      (row) => row.blocked === "VERSION_MISSING" && !held.has(`${row.workflow}@${row.version}`) && !this.#said.has(row.id),
    );
    if (blocked.length === 0) return;
    for (const row of blocked) this.#said.add(row.id);
    const kinds = [...new Set(blocked.map((row) => `${row.workflow}@${row.version}`))];
    const ids = blocked.slice(0, 3).map((row) => row.id);
    const more = blocked.length > ids.length ? ` and ${blocked.length - ids.length} more` : "";
    this.#terminal.say(
      `${blocked.length === 1 ? "one run is" : `${blocked.length} runs are`} left alone, since this process does not hold the code of ${clean(kinds.join(", "))}: ${clean(ids.join(", "))}${more}`,
    );
  }
}

/** A log whose lines stand with the others of this terminal; `blocked` is called where runs wait for code. */
export function logTo(terminal: Terminal, verbose: boolean, blocked: () => void): Log {
  const { dim, yellow, red } = terminal.style;
  const line = (label: string) => (message: string, fields?: object) => {
    const code = (fields as { readonly code?: unknown } | undefined)?.code;
    // Said with the ids of the runs, and for those of earlier days too.
    if (code === "VERSION_MISSING") return blocked();
    // What stops the engine ends the command, which says it.
    if (label === failing && (code === "STORE_FAILED" || code === "OWNERSHIP_LOST")) return;
    terminal.say(`${label} ${cleanLines(message)}${fields === undefined ? "" : ` ${dim(json(fields))}`}`);
  };
  const silent = () => {};
  const failing = red("error");
  return {
    debug: verbose ? line(dim("debug")) : silent,
    info: verbose ? line("info") : silent,
    warn: line(yellow("warning")),
    error: line(failing),
  };
}

/** Resolves at the first SIGINT or SIGTERM; the second ends the process at once. */
export function interrupted(terminal: Terminal): Promise<ExitCode> {
  return new Promise((resolve) => {
    let first = true;
    const on = (signal: "SIGINT" | "SIGTERM", code: ExitCode) =>
      process.on(signal, () => {
        if (!first) {
          terminal.region([]);
          terminal.say(`${signal} again: ended at once; what was begun is in the store`);
          process.exit(code);
        }
        first = false;
        terminal.say(`${signal}: stopping; once more to end at once`);
        resolve(code);
      });
    on("SIGINT", exit.interrupted);
    on("SIGTERM", exit.terminated);
  });
}

/** What to type to go on with what is in the store. */
export function workCommand(files: readonly string[], nodes: readonly string[], at: StoreUrl): string {
  return ["onex work", ...files.map(quote), ...nodes.map((file) => `--nodes ${quote(file)}`)].join(" ") + at.flag;
}
