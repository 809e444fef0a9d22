/** Runs as they go, whoever drives them: a line for each thing that happens, with the run's id before it. */
import type { Fact } from "../../core/fact.ts";
import { OnexError, sentenceOf } from "../../core/failure.ts";
import type { Client } from "../client.ts";
import { clean, cleanLines, complaint, statusPaint, type Terminal, took } from "../output.ts";
import { Progress, type Screen } from "../progress.ts";

/** Most runs that are told of at once; a load test is not read line by line. */
const most = 50;
const page = 200;

export class Follower {
  readonly #client: Client;
  readonly #terminal: Terminal;
  readonly #since: number;
  readonly #howToSignal: (runId: string, name: string) => string;
  readonly #followed = new Set<string>();
  readonly #under = new Set<string>();
  #looking: Promise<void> | undefined;
  #again = false;
  #missed = 0;

  /** Tells of runs that have not ended, and of those that were made after `since`, ms since 1970. */
  constructor(client: Client, terminal: Terminal, since: number, howToSignal: (runId: string, name: string) => string) {
    this.#client = client;
    this.#terminal = terminal;
    this.#since = since;
    this.#howToSignal = howToSignal;
  }

  /** Looks for runs that are new. */
  look(): void {
    if (this.#looking) {
      this.#again = true;
      return;
    }
    this.#looking = this.#lookOnce()
      // The store is the matter of the process that drives it, which says what is wrong with it.
      .catch(() => {})
      .finally(() => {
        this.#looking = undefined;
        if (!this.#again) return;
        this.#again = false;
        this.look();
      });
  }

  async #lookOnce(): Promise<void> {
    const rows = await this.#client.orchestrator.list({ limit: page });
    for (const row of [...rows].reverse()) {
      if (this.#followed.has(row.id) || (row.endedAt !== undefined && row.createdAt < this.#since)) continue;
      this.#followed.add(row.id);
      if (this.#under.size >= most) {
        this.#missed++;
        continue;
      }
      this.#under.add(row.id);
      void this.#follow(row.id, `${row.workflow}@${row.version}`)
        .catch((error: unknown) => {
          // It ends with the client that it looks through; that the run goes on later is no complaint.
          if (!(error instanceof OnexError && error.code === "ORCHESTRATOR_CLOSED"))
            this.#terminal.say(complaint(error, undefined, this.#terminal.style, false));
        })
        .finally(() => this.#under.delete(row.id));
    }
    if (this.#missed > 0) this.#terminal.say(this.#terminal.style.dim(`… and ${this.#missed} more runs: onex ls`));
    this.#missed = 0;
  }

  async #follow(runId: string, workflow: string): Promise<void> {
    const { style } = this.#terminal;
    const short = clean(runId.length > 16 ? `…${runId.slice(-8)}` : runId);
    const say = (...lines: readonly string[]) => this.#terminal.say(...lines.map((line) => `${style.dim(short)}  ${line}`));
    const screen: Screen = { live: false, style, width: this.#terminal.width, height: this.#terminal.height, say, region: () => {} };
    const progress = new Progress(screen, (name) => this.#howToSignal(runId, name));
    this.#terminal.say(`${style.bold("run")} ${clean(runId)}  ${clean(workflow)}`);
    let begun = 0;
    try {
      for await (const fact of this.#client.orchestrator.run(runId).events()) {
        begun ||= fact.at;
        progress.fact(fact);
        if (fact.type === "run.paused")
          say(`${style.yellow("paused")}: ${clean(fact.code)}: ${cleanLines(fact.message)}`, "  onex show says how it goes on");
        this.#end(fact, begun, say);
      }
    } finally {
      progress.stop();
    }
  }

  #end(fact: Fact, begun: number, say: (line: string) => void): void {
    const status = ends[fact.type];
    if (status === undefined) return;
    const paint = statusPaint(this.#terminal.style, status) ?? ((text: string) => text);
    const why = "error" in fact && fact.error !== undefined ? `: ${cleanLines(sentenceOf(fact.error))}` : "";
    say(`${paint(status)} after ${took(fact.at - begun)}${why}`);
  }
}

const ends: { readonly [type: string]: string | undefined } = {
  "run.completed": "completed",
  "run.failed": "failed",
  "run.cancelled": "cancelled",
};
