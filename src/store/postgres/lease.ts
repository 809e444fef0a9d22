/**
 * The lease of this process, as the main thread sees it. The thread in renewer.js renews it; both share two numbers:
 * when the main loop last beat, and until when the lease is valid for certain. Both are monotonic ms.
 */
import { Worker } from "node:worker_threads";
import type { ClientConfig } from "pg";
import { monotonicMs } from "./clock.ts";

export interface LeaseTask {
  readonly config: ClientConfig;
  readonly schema: string;
  /** Where it is told that runs were freed. */
  readonly channel: string;
  readonly leaseNo: number;
  readonly leaseMs: number;
  /** Between two renewals; a fifth of the lease where nothing is said. */
  readonly renewMs?: number | undefined;
  readonly stallMs: number;
  /** Monotonic, before the lease was made. */
  readonly since: number;
}

export interface LeaseEvents {
  /** Called once. */
  lost(why: string): void;
  /** A time of the database, with when it was asked for and known. */
  learn(told: number, sent: number, got: number): void;
  trouble(message: string): void;
}

/** Before a thread that ended gets a successor. */
const rehireMs = 500;
const [beat, validUntil] = [0, 1] as const;

export class Lease {
  readonly leaseNo: number;
  readonly #cells = new BigInt64Array(new SharedArrayBuffer(16));
  readonly #events: LeaseEvents;
  readonly #task: LeaseTask;
  readonly #beating: NodeJS.Timeout;
  #worker: Worker;
  #over = false;

  constructor(task: LeaseTask, events: LeaseEvents) {
    this.leaseNo = task.leaseNo;
    this.#task = task;
    this.#events = events;
    const tick = (): void => void Atomics.store(this.#cells, beat, BigInt(Math.floor(monotonicMs())));
    tick();
    this.#beating = setInterval(tick, Math.min(1000, task.leaseMs / 5, task.stallMs / 4));
    this.#beating.unref();
    Atomics.store(this.#cells, validUntil, BigInt(Math.floor(task.since + task.leaseMs - marginOf(task))));
    this.#worker = this.#hire();
  }

  /** Whether it is live for certain. */
  get trusted(): boolean {
    return !this.#over && monotonicMs() < Number(Atomics.load(this.#cells, validUntil));
  }
  get isOver(): boolean {
    return this.#over;
  }

  /** The store has seen that it has ended. */
  lose(why: string): void {
    if (this.#over) return;
    void this.stop();
    this.#events.lost(why);
  }

  /** It is not renewed any more. */
  async stop(): Promise<void> {
    this.#over = true;
    clearInterval(this.#beating);
    await this.#worker.terminate();
  }

  #hire(): Worker {
    const { since: _, ...task } = this.#task;
    const { types: __, ...config } = task.config;
    const patience = Math.max(500, task.leaseMs / 4);
    const worker = new Worker(new URL("./renewer.js", import.meta.url), {
      workerData: {
        ...task,
        config: { ...config, query_timeout: patience, connectionTimeoutMillis: patience, application_name: "onex lease" },
        marginMs: marginOf(task),
        shared: this.#cells.buffer,
      },
      execArgv: [],
    });
    worker.unref();
    worker.on("message", (message: { lost?: string; trouble?: string; told: number; sent: number; got: number }) => {
      if (this.#over) return;
      if (message.lost !== undefined) this.lose(message.lost);
      else if (message.trouble !== undefined) this.#events.trouble(message.trouble);
      else this.#events.learn(message.told, message.sent, message.got);
    });
    worker.on("error", (error) => {
      if (!this.#over) this.#events.trouble(`the thread that renews the lease: ${error instanceof Error ? error.message : String(error)}`);
    });
    worker.on("exit", () => {
      // Somebody has to renew it.
      if (this.#over) return;
      const again = (): void => {
        if (!this.#over) this.#worker = this.#hire();
      };
      setTimeout(again, rehireMs).unref();
    });
    return worker;
  }
}

/** For the time between "it is valid" and what is done then. */
function marginOf({ leaseMs }: { readonly leaseMs: number }): number {
  return Math.min(1000, leaseMs / 10);
}
