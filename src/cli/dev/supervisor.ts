/**
 * Who runs the code under `onex dev`.
 *
 * S1 At most one worker drives the runs; the next one opens the store only when the one before has let it go.
 * S2 Code that does not load, or that the check refuses, replaces nothing: what ran goes on.
 * S3 The last save counts: one that comes while a worker is being made is taken up right after it.
 */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";

export interface WorkerOptions {
  readonly targets: readonly string[];
  readonly nodes: readonly string[];
  readonly store?: string;
  readonly listen?: string;
  readonly verbose: boolean;
}
export type ToWorker = { readonly type: "go" | "stop" };
export type FromWorker =
  | { readonly type: "checked" | "refused" }
  | { readonly type: "ready"; readonly workflows: readonly string[]; readonly role: "owner" | "client" };

export interface SupervisorEvents {
  ready(workflows: readonly string[], role: "owner" | "client"): void;
  /** The code was refused; `going` says whether older code runs on. */
  refused(going: boolean): void;
  /** The worker that drove the runs ended by itself. */
  died(code: number | null): void;
}

// The extension is that of this file: .js where it is built.
const program = fileURLToPath(new URL(`./worker${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url));

export class Supervisor {
  readonly #options: WorkerOptions;
  readonly #events: SupervisorEvents;
  #worker: ChildProcess | undefined;
  #making: Promise<void> | undefined;
  #again = false;
  #closed = false;

  constructor(options: WorkerOptions, events: SupervisorEvents) {
    this.#options = options;
    this.#events = events;
  }

  /** Takes up the code as it stands now. */
  renew(): void {
    if (this.#closed) return;
    if (this.#making) {
      this.#again = true;
      return;
    }
    this.#making = this.#replace().finally(() => {
      this.#making = undefined;
      if (!this.#again) return;
      this.#again = false;
      this.renew();
    });
  }

  async #replace(): Promise<void> {
    const next = fork(program, [JSON.stringify(this.#options)], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    const verdict = await answer(next);
    if (verdict?.type !== "checked" || this.#closed) {
      await ended(next, "stop");
      if (!this.#closed) this.#events.refused(this.#worker !== undefined);
      return;
    }
    const before = this.#worker;
    this.#worker = undefined;
    if (before) await ended(before, "stop");
    const opened = answer(next);
    next.send({ type: "go" } satisfies ToWorker);
    const ready = await opened;
    if (ready?.type !== "ready") {
      await ended(next, "stop");
      return this.#events.refused(false);
    }
    this.#worker = next;
    next.once("exit", (code) => {
      if (this.#worker !== next) return;
      this.#worker = undefined;
      this.#events.died(code);
    });
    this.#events.ready(ready.workflows, ready.role);
  }

  /** Lets the calls in flight end, for up to 10 s. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#making;
    const worker = this.#worker;
    this.#worker = undefined;
    if (worker) await ended(worker, "stop");
  }
}

/** What a worker says next; undefined when it ends without. */
function answer(worker: ChildProcess): Promise<FromWorker | undefined> {
  return new Promise((resolve) => {
    const heard = (message: unknown) => done(message as FromWorker);
    const gone = () => done(undefined);
    const done = (message: FromWorker | undefined) => {
      worker.off("message", heard);
      worker.off("exit", gone);
      resolve(message);
    };
    worker.on("message", heard);
    worker.on("exit", gone);
    if (worker.exitCode !== null || worker.signalCode !== null) gone();
  });
}

function ended(worker: ChildProcess, type: ToWorker["type"]): Promise<void> {
  return new Promise((resolve) => {
    if (worker.exitCode !== null || worker.signalCode !== null) return resolve();
    worker.once("exit", () => resolve());
    if (worker.connected) worker.send({ type } satisfies ToWorker);
  });
}
