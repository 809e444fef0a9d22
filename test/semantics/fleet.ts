/**
 * Several orchestrators in one virtual world, each a process of its own on one store for many owners.
 *
 * F1 A process reaches the store through its `Line`, which keeps the order of verbs. What is held on the way there is carried
 *    out late, what is held on the way back was carried out and its answer is late.
 * F2 A process that was killed sends nothing more and hears nothing; its lease lapses when its time is over, and not before.
 * F3 Everything that a store accepted is in `log`, in the order in which it was.
 */

import { type Duration, durationMs } from "../../src/core/duration.ts";
import type { Fact } from "../../src/core/fact.ts";
import { type OrchestratorFace, orchestratorIn } from "../../src/engine/orchestrator.ts";
import { sha256 } from "../../src/engine/system.ts";
import type { Entropy } from "../../src/engine/world.ts";
import type { AnyNode, OrchestratorOptions } from "../../src/index.ts";
import { restoreWorkflow } from "../../src/plan/workflow.ts";
import { blobsOf, decodeFacts } from "../../src/store/codec.ts";
import { sharedMemory } from "../../src/store/shared-memory.ts";
import type { Appended, OpenStore, RunRow, Store, StoreHost, TurnWrite } from "../../src/store/store.ts";
import { VirtualClock } from "../../src/testing/clock.ts";

export const leaseMs = 10_000;
const begin = Date.UTC(2030, 0, 1);
const atOnce: ReadonlySet<PropertyKey> = new Set(["now", "trusted", "watch", "secretKeys"]);

/** One way between a process and the store. */
class Way {
  /** How long each one takes, ms. */
  delayMs = 0;
  readonly #clock: VirtualClock;
  #waiting: (() => void)[] | undefined;
  #free = 0;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }
  hold(): void {
    this.#waiting ??= [];
  }
  release(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const go of waiting) go();
  }
  async pass(): Promise<void> {
    if (this.#waiting) await new Promise<void>((go) => this.#waiting?.push(go));
    const now = this.#clock.now();
    this.#free = Math.max(this.#free, now + this.delayMs);
    if (this.#free > now) await new Promise<void>((go) => this.#clock.setTimer(this.#free - now, go));
  }
}

/** Between one process and the store. */
export class Line {
  readonly there: Way;
  readonly back: Way;
  readonly calls = new Map<string, number>();
  /** The lease is live, and the process cannot be certain of it. */
  doubt = false;
  /** It is not told that its lease has lapsed. */
  deaf = false;
  dead = false;
  leaseId: string | undefined;

  constructor(clock: VirtualClock) {
    this.there = new Way(clock);
    this.back = new Way(clock);
  }
  get verbs(): number {
    return [...this.calls.values()].reduce((sum, n) => sum + n, 0);
  }
  count(...names: string[]): number {
    return names.reduce((sum, name) => sum + (this.calls.get(name) ?? 0), 0);
  }
}

export interface Member {
  readonly name: string;
  readonly line: Line;
  readonly face: OrchestratorFace<readonly AnyNode[]>;
  /** Warnings and errors, by their codes. */
  readonly said: string[];
  alive: boolean;
}

/** A turn as it was accepted. */
export interface Accepted {
  readonly by: string;
  readonly leaseId: string | undefined;
  readonly runNo: number;
  readonly write: TurnWrite;
  readonly facts: readonly Fact[];
}

type Options = Partial<Omit<OrchestratorOptions<readonly AnyNode[]>, "store" | "log">>;

export class Fleet {
  readonly clock: VirtualClock;
  readonly members: Member[] = [];
  readonly log: Accepted[] = [];
  /** Told of each turn right after it was accepted. */
  accepted: (turn: Accepted) => void = () => {};
  /** A connection that only reads, and no delay. */
  readonly store: OpenStore;
  readonly #shared = sharedMemory();
  readonly #nodes: readonly AnyNode[];
  readonly #ids = new Map<number, string>();
  #pending = 0;
  #seed: number;

  constructor(nodes: readonly AnyNode[], seed = 1) {
    this.#nodes = nodes;
    this.#seed = seed;
    this.clock = new VirtualClock(begin, (callback) => {
      this.#pending++;
      setImmediate(() => {
        this.#pending--;
        callback();
      });
    });
    this.store = this.#shared.open(this.#host());
  }

  #host(): StoreHost {
    return { now: () => this.clock.now(), setTimer: (ms, callback) => this.clock.setTimer(ms, callback), warn: () => {} };
  }

  /** Another process. */
  join(options: Options = {}): Member {
    const name = "abcdefghijklmnop"[this.members.length] as string;
    const line = new Line(this.clock);
    const said: string[] = [];
    const note = (_message: string, fields?: object): void => void said.push(String((fields as { code?: string } | undefined)?.code));
    const store: Store = { kind: "memory", open: (host) => this.#wired(this.#shared.open(host), name, line) };
    const face = orchestratorIn<readonly AnyNode[]>(
      {
        clock: this.clock,
        entropy: seeded(this.#seed++, name),
        log: { debug: () => {}, info: () => {}, warn: note, error: note },
        hash: sha256,
        pid: 0,
        guarded: true,
      },
      { nodes: this.#nodes, ...options, store },
      restoreWorkflow,
    );
    const member: Member = { name, line, face, said, alive: true };
    this.members.push(member);
    return member;
  }
  /** So many of them, after they have begun. */
  async joined(count: number, options: Options = {}): Promise<Member[]> {
    const members = Array.from({ length: count }, () => this.join(options));
    await this.settle();
    return members;
  }

  // ── what happens to a process ──

  /** As by `kill -9`; its lease lapses when its time is over. */
  kill(member: Member): void {
    member.alive = false;
    member.line.dead = true;
    member.face.engine.die();
    const { leaseId } = member.line;
    this.clock.setTimer(leaseMs, () => leaseId !== undefined && this.#shared.lapse(leaseId));
  }
  /** Its lease lapses, and it goes on: it is told, unless it is deaf. */
  lapse(member: Member): void {
    if (member.line.leaseId !== undefined) this.#shared.lapse(member.line.leaseId);
  }
  async close(member: Member, graceMs = 0): Promise<void> {
    await this.ask(this.leave(member, graceMs));
  }
  /** It closes, and time goes on. */
  leave(member: Member, graceMs = 0): Promise<void> {
    member.alive = false;
    return member.face.close({ graceMs });
  }

  // ── time ──

  async advance(duration: Duration): Promise<void> {
    const until = this.clock.now() + durationMs(duration);
    do await this.#rest();
    while (this.clock.step(until));
    this.clock.moveTo(until);
  }
  /** Lets time pass until it is answered. */
  async ask<T>(question: Promise<T>, within: Duration = "1h"): Promise<T> {
    let over = false;
    const end = (): void => {
      over = true;
    };
    question.then(end, end);
    const until = this.clock.now() + durationMs(within);
    for (;;) {
      await this.#rest();
      if (over) return question;
      if (!this.clock.step(until)) throw new Error(`no answer within ${within}`);
    }
  }
  /** For effects: takes so long. */
  pass(ms: number): Promise<void> {
    return new Promise((go) => this.clock.setTimer(ms, go));
  }
  /** Lets everything happen that needs no time to pass. */
  settle(): Promise<void> {
    return this.advance("0ms");
  }
  async #rest(): Promise<void> {
    for (let still = 0; still < 4; still++) {
      const before = this.#sign();
      await turn();
      if (this.#sign() !== before || this.#pending > 0) still = -1;
    }
  }
  #sign(): string {
    return this.members.map(({ line, face }) => `${line.verbs} ${face.engine.callsInFlight} ${face.engine.activeCount}`).join();
  }

  // ── what came of it ──

  async rows(): Promise<readonly RunRow[]> {
    return this.store.list({});
  }
  async row(runId: string): Promise<RunRow> {
    return (await this.store.run(runId)) as RunRow;
  }
  async facts(runId: string): Promise<Fact[]> {
    const { runNo } = await this.row(runId);
    return (await this.store.turns(runNo)).flatMap(({ facts, blobs }) => decodeFacts(facts, blobsOf(this.store, runNo, blobs)));
  }
  idOf(runNo: number): string {
    return this.#ids.get(runNo) ?? "";
  }
  keyOf(runId: string, step: string): string {
    return sha256(`${runId}\0${step}`).slice(0, 32);
  }
  /** Who drives it. */
  driver(runId: string): Member | undefined {
    return this.members.find(({ alive, face }) => alive && face.engine.active(runId) !== undefined);
  }
  /** Who took it, in order. */
  async takers(runId: string): Promise<string[]> {
    const { runNo } = await this.row(runId);
    return this.log.flatMap((turn) => (turn.runNo === runNo && turn.facts.some(({ type }) => type === "lease.acquired") ? [turn.by] : []));
  }

  // ── the line ──

  #wired(store: OpenStore, by: string, line: Line): OpenStore {
    const wire = <T extends object>(target: T): T =>
      new Proxy(target, {
        get: (_, name) => {
          const own: unknown = Reflect.get(target, name, target);
          if (name === "schedules") return wire(own as object);
          if (name === "trusted") return () => !line.doubt && (own as () => boolean)();
          if (typeof own !== "function" || atOnce.has(name)) return own;
          return async (...given: unknown[]) => {
            line.calls.set(String(name), line.count(String(name)) + 1);
            await line.there.pass();
            if (line.dead) return new Promise(() => {});
            if (name === "acquire") given[1] = this.#told(line, given[1] as (why: string) => void);
            const answer: unknown = await (own as (...given: unknown[]) => unknown)(...given);
            if (name === "acquire") {
              line.leaseId = given[0] as string;
              line.doubt = false;
              line.deaf = false;
            }
            if (name === "start") {
              const { row } = answer as { readonly row: RunRow };
              this.#ids.set(row.runNo, row.id);
            }
            if (name === "append") this.#note(by, line.leaseId, given[0] as TurnWrite[], answer as Appended[]);
            await line.back.pass();
            return line.dead ? new Promise(() => {}) : answer;
          };
        },
      });
    return wire(store);
  }
  #told(line: Line, lost: (why: string) => void): (why: string) => void {
    return (why) => {
      if (!line.dead && !line.deaf) lost(why);
    };
  }
  #note(by: string, leaseId: string | undefined, batch: readonly TurnWrite[], answers: readonly Appended[]): void {
    batch.forEach((write, i) => {
      const answer = answers[i] as Appended;
      if (!answer.accepted) return;
      if (typeof write.run !== "number") this.#ids.set(answer.runNo, write.run.id);
      for (const [n, child] of (write.children ?? []).entries()) {
        const runNo = answer.children?.[n];
        if (runNo !== undefined) this.#ids.set(runNo, child.run.id);
      }
      const { facts, blobs } = answer.folded ?? write;
      const texts = new Map(blobs?.map(({ hash, text }) => [hash, text]));
      const turn = { by, leaseId, runNo: answer.runNo, write, facts: decodeFacts(facts, (hash) => texts.get(hash)) };
      this.log.push(turn);
      this.accepted(turn);
    });
  }
}

export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function seeded(seed: number, name: string): Entropy {
  let state = (seed * 7919) >>> 0;
  let count = 0;
  const next = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 4_294_967_296;
  };
  return {
    uuid: () => `${name}-${String(count++).padStart(6, "0")}`,
    random: next,
    seed: () => (next() * 4_294_967_296) | 0,
  };
}
