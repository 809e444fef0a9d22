/**
 * A fleet of processes on one store: orchestrators, two node hosts, and a client that starts runs. Whatever dies is started
 * again, until the fleet is told to end. What they did is judged afterwards, by the store and by what the hosts wrote down.
 */
import { once } from "node:events";
import { createRequire } from "node:module";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { sqlite } from "../../src/store/sqlite/sqlite.ts";
import type { OpenStore, Store } from "../../src/store/store.ts";
import { linesOf, newFolder, Program } from "../faults/processes.ts";
import { programsOf } from "../faults/programs.ts";
import { check, type Report } from "./checker.ts";
import { type Entry, type Evidence, readRuns } from "./evidence.ts";

export type Role = "orchestrator" | "host" | "starter";

export interface FleetOptions {
  /** A URL of PostgreSQL, or a file of SQLite; of each process its own where it goes through a proxy of its own. */
  readonly store: string | ((name: string) => string);
  /** The second argument of `postgres()`. */
  readonly storeOptions?: object;
  readonly orchestrators: number;
  readonly runs: number;
  /** Between one start and the next, ms. */
  readonly gapMs: number;
}

/** A process that is started again when it ends. */
class Member {
  readonly role: Role;
  readonly name: string;
  program: Program;
  /** Where its next process finds its program: in this package, or in another version of it. */
  programs = programsOf("postgres");
  /** How its processes ended, by code or signal, and why they said that they did. */
  readonly ends: string[] = [];
  readonly #given: object;
  #staying = true;
  #over: Promise<void>;

  constructor(role: Role, name: string, given: object) {
    this.role = role;
    this.name = name;
    this.#given = given;
    this.program = this.#begin();
    this.#over = this.#keep();
  }

  #begin(): Program {
    return new Program(this.role, this.#given, this.programs);
  }
  async #keep(): Promise<void> {
    for (;;) {
      const { code, signal } = await this.program.ended;
      const why = this.program.lines.find((line) => "stopped" in line)?.stopped;
      this.ends.push(`${signal ?? code}${why === undefined ? "" : ` ${why}`}`);
      if (!this.#staying) return;
      this.program = this.#begin();
    }
  }

  /** `kill -9`, as soon as it is up: the death of one that only begins shows little. */
  async kill(): Promise<void> {
    await this.says("up");
    this.program.kill("SIGKILL");
  }

  /** The first line with this member, of this process or of one that follows. */
  async says(word: string): Promise<Record<string, unknown>> {
    for (;;) {
      const { program } = this;
      const line = await program.says(word).catch(() => undefined);
      if (line !== undefined) return line;
      if (!this.#staying) throw new Error(`${this.name} was ended before it said ${word}`);
      // The next one begins when the end of this one was noted.
      while (this.program === program && this.#staying) await pause(1);
    }
  }

  async end(): Promise<void> {
    this.#staying = false;
    this.program.kill("SIGCONT");
    this.program.kill("SIGTERM");
    await Promise.race([this.#over, pause(15_000, undefined, { ref: false }).then(() => this.program.kill("SIGKILL"))]);
    await this.#over;
  }
}

export class Fleet {
  readonly members: Member[] = [];
  readonly #options: FleetOptions;
  readonly #folder = newFolder();

  private constructor(options: FleetOptions) {
    this.#options = options;
  }

  /** Plays with a fleet that is up, and ends it, also when the play throws. */
  static async play(options: FleetOptions, body: (fleet: Fleet) => Promise<void>): Promise<Fleet> {
    const fleet = new Fleet(options);
    try {
      await fleet.#launch();
      await body(fleet);
    } finally {
      await Promise.all(fleet.members.map((member) => member.end()));
    }
    return fleet;
  }

  async #launch(): Promise<void> {
    const { store, storeOptions, orchestrators, runs, gapMs } = this.#options;
    const storeOf = (name: string) => ({ store: typeof store === "string" ? store : store(name), storeOptions });
    const endpoints: Record<string, string> = {};
    for (const node of ["left", "right"]) {
      const port = await freePort();
      endpoints[node] = `http://127.0.0.1:${port}`;
      this.#join("host", node, { node, port, world: join(this.#folder, "world") });
    }
    for (let i = 0; i < orchestrators; i++) {
      const name = `orchestrator-${i}`;
      this.#join("orchestrator", name, { ...storeOf(name), endpoints });
      // The first makes the tables.
      if (i === 0) await this.members.at(-1)?.says("up");
    }
    await Promise.all(this.members.map((member) => member.says("up")));
    this.#join("starter", "starter", { ...storeOf("starter"), acknowledged: join(this.#folder, "acknowledged"), runs, gapMs });
    await this.starter.says("up");
  }

  #join(role: Role, name: string, given: object): void {
    this.members.push(new Member(role, name, given));
  }

  get orchestrators(): readonly Member[] {
    return this.members.filter(({ role }) => role === "orchestrator");
  }
  get starter(): Member {
    return this.members.find(({ role }) => role === "starter") as Member;
  }

  /** How many calls of nodes were done so far. */
  done(): number {
    return this.#entries().filter(({ phase }) => phase === "done").length;
  }

  /** Waits until all runs have ended; throws Error with those that have not after `ms` without a call of a node. */
  async settle(ms = 60_000): Promise<void> {
    let over = false;
    const ended = this.starter.says("ended").then(() => {
      over = true;
    });
    ended.catch(() => {});
    for (let calls = -1; !over; ) {
      const now = this.done();
      if (now === calls) throw new Error(`nothing has moved for ${ms} ms: ${await this.#stuck()}`);
      calls = now;
      await Promise.race([ended, pause(ms, undefined, { ref: false })]);
    }
  }

  async #stuck(): Promise<string> {
    const { runs, acknowledged, entries } = await this.evidence();
    const open = runs.filter(({ row }) => row.endedAt === undefined);
    const shown = open.slice(0, 5).map(({ row, turns }) => ({
      ...row,
      turns: turns.map(({ epoch, facts }) => `${epoch}: ${facts.map((fact) => JSON.stringify(fact).slice(0, 200)).join(" ")}`),
      calls: entries.filter(({ run }) => run === row.id).map(({ phase, step, epoch, leaseId }) => `${phase} ${step} ${epoch} ${leaseId}`),
    }));
    for (const { program } of this.orchestrators) program.kill("SIGUSR2");
    await Promise.race([Promise.allSettled(this.orchestrators.map(({ program }) => program.says("told"))), pause(5_000)]);
    const said = this.members.map(({ name, ends, program }) => ({ name, ends: ends.length, last: program.lines.slice(-6) }));
    return JSON.stringify({ acknowledged: acknowledged.length, open: open.length, shown, said }, undefined, 1);
  }

  #entries(): Entry[] {
    return linesThere<Entry>(join(this.#folder, "world"));
  }

  async evidence(): Promise<Evidence> {
    const { store } = this.#options;
    const opened = await openStore(
      typeof store === "string" ? store : store("reader"),
      this.members.at(-1)?.programs ?? programsOf("postgres"),
    );
    try {
      const acknowledged = linesThere<{ readonly acknowledged: string }>(join(this.#folder, "acknowledged"));
      return { runs: await readRuns(opened), acknowledged: acknowledged.map((line) => line.acknowledged), entries: this.#entries() };
    } finally {
      await opened.close();
    }
  }

  /** Judges what was done, and prints it in a line. */
  async judge(title: string): Promise<{ readonly report: Report; readonly figures: Figures }> {
    const evidence = await this.evidence();
    const report = check(evidence);
    const figures = figuresOf(evidence, this.members);
    console.log(`${title}: ${JSON.stringify({ ...figures, violations: report.violations.length })}`);
    return { report, figures };
  }
}

export interface Figures {
  readonly runs: number;
  readonly completed: number;
  readonly turns: number;
  readonly calls: number;
  /** Calls of a step that was called before. */
  readonly repeated: number;
  /** How often a run was taken after its first owner. */
  readonly takenAgain: number;
  /** Under how many leases runs were driven. */
  readonly leases: number;
  /** How processes ended, by role, code or signal, and reason. */
  readonly ends: Readonly<Record<string, number>>;
}

function figuresOf({ runs, entries }: Evidence, members: readonly Member[]): Figures {
  const calls = entries.filter(({ phase }) => phase === "accepted");
  const takes = runs.flatMap(({ turns }) => turns.flatMap(({ facts }) => facts.filter((fact) => fact.type === "lease.acquired")));
  const ends: Record<string, number> = {};
  for (const { role, ends: all } of members) for (const end of all) ends[`${role} ${end}`] = (ends[`${role} ${end}`] ?? 0) + 1;
  return {
    runs: runs.length,
    completed: runs.filter(({ row }) => row.status === "completed").length,
    turns: runs.reduce((sum, { turns }) => sum + turns.length, 0),
    calls: calls.length,
    repeated: calls.length - new Set(calls.map(({ run, step }) => `${run} ${step}`)).size,
    takenAgain: takes.length - runs.length,
    leases: new Set(takes.map((fact) => (fact as { readonly leaseId: string }).leaseId)).size,
    ends,
  };
}

/** The store that a text names, read past the engine. */
async function openStore(named: string, by: URL): Promise<OpenStore> {
  const host = { now: Date.now, setTimer: () => () => {}, warn: () => {} };
  return await (/^postgres(ql)?:/.test(named) ? await postgresStore(named, by) : sqlite(named)).open(host);
}

async function postgresStore(url: string, by: URL): Promise<Store> {
  // The package's own door, as the processes use it.
  const door = createRequire(by).resolve("onex/postgres");
  const { postgres } = (await import(pathToFileURL(door).href)) as { postgres(url: string): Store };
  return postgres(url);
}

/** The whole lines of a log that may not be there yet, or end in the middle of one. */
function linesThere<T>(path: string): T[] {
  try {
    return linesOf<T>(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

async function freePort(): Promise<number> {
  const { createServer } = await import("node:net");
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { readonly port: number };
  server.close();
  await once(server, "close");
  return port;
}
