/** Starts the processes, watches them, and kills the orchestrator twice while calls are in flight. */
import { setTimeout as pause } from "node:timers/promises";
import type { News } from "./orchestrator.ts";
import { type Child, start } from "./processes.ts";

export interface Show {
  readonly orders: number;
  readonly seed: number;
  readonly yaml: boolean;
  /** Whether the services honour idempotency keys. */
  readonly keys: boolean;
  readonly everyMs: number;
  /** Where the database and the ledgers go. */
  readonly dir: string;
}
export interface Played {
  readonly kills: readonly { readonly callsInFlight: number }[];
}

export const services = ["warehouse", "payment", "shipping"] as const;
type ServiceName = (typeof services)[number];

/** Each kill lands when this share of the orders has ended … */
const killAt = [0.4, 0.65];
/** … and at least this many calls are under way. */
const leastInFlight = 5;

export const dbOf = (dir: string) => `${dir}/orders.db`;
export const ledgerOf = (dir: string, service: ServiceName) => `${dir}/${service}.jsonl`;

/** Plays it to its end; `tell` gets a line whenever there is something to see. Throws when a process ends that should not. */
export async function play(show: Show, tell: (line: string) => void): Promise<Played> {
  const director = new Director(show, tell);
  try {
    return await director.play();
  } finally {
    await director.sendHome();
  }
}

class Director {
  readonly #show: Show;
  readonly #tell: (line: string) => void;
  readonly #children: Child[] = [];
  readonly #kills: { readonly callsInFlight: number }[] = [];
  readonly #started = new Set<string>();
  /** How each order ended. */
  readonly #ended = new Map<string, string>();
  /** Rejects when a process ends that nobody sent home. */
  readonly #broken: Promise<never>;
  #break: (error: Error) => void = () => {};
  #goingHome = false;
  #urls: readonly string[] = [];
  #approved = 0;
  #finished = false;

  constructor(show: Show, tell: (line: string) => void) {
    this.#show = show;
    this.#tell = tell;
    this.#broken = new Promise((_resolve, reject) => {
      this.#break = reject;
    });
    this.#broken.catch(() => {});
  }

  play(): Promise<Played> {
    return Promise.race([this.#play(), this.#broken]);
  }

  async #play(): Promise<Played> {
    this.#urls = await Promise.all(services.map((name) => this.#startService(name)));
    this.#tell(services.map((name, i) => `${name} at ${this.#urls[i]}`).join(", "));
    let orchestrator = await this.#startOrchestrator();
    this.#keep(
      "approver",
      start("approver", [dbOf(this.#show.dir)], () => this.#approved++),
    );
    const clock = setInterval(() => void this.#tellProgress(), 1_000);
    try {
      for (const share of killAt) {
        const callsInFlight = await this.#freeze(orchestrator, Math.floor(share * this.#show.orders));
        if (callsInFlight === undefined) break;
        orchestrator.process.kill("SIGKILL");
        await orchestrator.gone;
        this.#kills.push({ callsInFlight });
        this.#tell(
          `✗ SIGKILL: orchestrator ${this.#kills.length} (pid ${orchestrator.process.pid}) is dead, with ${callsInFlight} calls in flight`,
        );
        orchestrator = await this.#startOrchestrator();
      }
      const exit = await orchestrator.gone;
      if (exit !== 0) throw new Error(`the orchestrator ended with ${exit}`);
    } finally {
      clearInterval(clock);
    }
    await this.#tellProgress();
    return { kills: this.#kills };
  }

  /** Lets every process finish what it has begun, and waits for it. */
  async sendHome(): Promise<void> {
    this.#goingHome = true;
    for (const child of this.#children) child.process.stdin?.end();
    const overdue = setTimeout(() => {
      for (const child of this.#children) child.process.kill("SIGKILL");
    }, 5_000);
    await Promise.all(this.#children.map((child) => child.gone));
    clearTimeout(overdue);
  }

  #startService(name: ServiceName): Promise<string> {
    const args = [
      "--ledger",
      ledgerOf(this.#show.dir, name),
      "--seed",
      String(this.#show.seed),
      ...(this.#show.keys ? [] : ["--ignore-keys"]),
    ];
    return new Promise((resolve) => {
      this.#keep(
        name,
        start(`services/${name}`, args, (message) => resolve(`http://127.0.0.1:${(message as { port: number }).port}`)),
      );
    });
  }

  /** For a process that must not end before the others. */
  #keep(name: string, child: Child): void {
    this.#children.push(child);
    void child.gone.then((exit) => this.#goingHome || this.#break(new Error(`the ${name} ended with ${exit}`)));
  }

  #startOrchestrator(): Promise<Child> {
    const { dir, orders, everyMs, yaml } = this.#show;
    const args = ["--db", dbOf(dir), "--orders", String(orders), "--every-ms", String(everyMs), ...(yaml ? ["--yaml"] : [])];
    for (const [i, name] of services.entries()) args.push(`--${name}`, this.#urls[i] ?? "");
    return new Promise((resolve, reject) => {
      const child = start("orchestrator", args, (message) => {
        const news = message as News;
        if (news.event === "started") this.#started.add(news.order);
        if (news.event === "ended") this.#ended.set(news.order, news.code);
        if (news.event !== "up") return;
        const found =
          news.runs === 0 ? "the file is new" : `finds ${news.runs} runs in the file and takes over the ${news.open} that are under way`;
        this.#tell(`  orchestrator ${this.#kills.length + 1} (pid ${child.process.pid}): ${found}`);
        resolve(child);
      });
      this.#children.push(child);
      void child.gone.then((exit) => {
        if (exit !== "SIGKILL") this.#finished = true;
        reject(new Error(`the orchestrator ended with ${exit} before it was up`)); // after `up` it says nothing
      });
    });
  }

  /**
   * Waits until that many orders have ended and enough calls are under way, and stops the orchestrator there: what it
   * has not heard by now it will never hear. Answers how many calls that is; undefined when all is over before.
   */
  async #freeze(orchestrator: Child, afterEnded: number): Promise<number | undefined> {
    while (!this.#finished) {
      await pause(5);
      if (this.#ended.size < afterEnded || (await this.#callsInFlight()) < leastInFlight) continue;
      orchestrator.process.kill("SIGSTOP");
      const calls = await this.#callsInFlight();
      if (calls >= leastInFlight) return calls;
      orchestrator.process.kill("SIGCONT");
    }
    return undefined;
  }

  /** The services know: requests that are not answered, and whose caller still waits. */
  async #callsInFlight(): Promise<number> {
    const open = await Promise.all(this.#urls.map(async (url) => ((await (await fetch(`${url}/open`)).json()) as { open: number }).open));
    return open.reduce((sum, calls) => sum + calls, 0);
  }

  async #tellProgress(): Promise<void> {
    const calls = await this.#callsInFlight().catch(() => 0);
    const shipped = [...this.#ended.values()].filter((code) => code === "SHIPPED").length;
    const takenBack = this.#ended.size - shipped;
    this.#tell(
      `started ${this.#started.size}, shipped ${shipped}, taken back ${takenBack}, approved ${this.#approved}, calls in flight ${calls}`,
    );
  }
}
