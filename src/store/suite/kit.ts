/** What the scenarios of the suite are written with. It knows no test runner: the few functions it needs are passed in. */
import type { Appended, Awaitable, FirstTurn, Message, NewRun, OpenStore, Store, StoreHost, TurnWrite } from "../store.ts";

/** The part of a test runner that the suite uses; `describe`, `test` and `expect` of Vitest, Jest or Bun fit. */
export interface SuiteRunner {
  describe(name: string, body: () => void): void;
  test(name: string, body: () => Promise<void>): void;
  expect(actual: unknown): { toEqual(expected: unknown): void };
  /** Notes a scenario that the store declines. */
  skip?(name: string): void;
}

/** A fresh store, for one scenario. */
export interface Subject {
  readonly store: Store;
  /** Lets the store think that the owner is dead, while in truth it goes on (it was paused, or cut off): the next `acquire` is to succeed. */
  loseOwner(): Awaitable<void>;
  cleanup?(): Awaitable<void>;
}

export interface Scenario {
  readonly name: string;
  /** It holds only for stores that as many processes may own; left out: for all. */
  readonly owners?: OpenStore["owners"];
  readonly play: (t: Kit) => Promise<void>;
}

/** A store under test, with words for what the scenarios do to it. */
export class Kit {
  readonly #subject: Subject;
  readonly #expect: SuiteRunner["expect"];
  readonly #opened: OpenStore[] = [];

  constructor(subject: Subject, expect: SuiteRunner["expect"]) {
    this.#subject = subject;
    this.#expect = expect;
  }

  /** Another connection: as if from another process. */
  open(): OpenStore {
    const store = this.#subject.store.open(host);
    this.#opened.push(store);
    return store;
  }

  /** A connection that owns the store. */
  async owner(leaseId = "L"): Promise<OpenStore> {
    const store = this.open();
    this.equal((await store.acquire(leaseId)) === undefined, false);
    return store;
  }

  async loseOwner(): Promise<void> {
    await this.#subject.loseOwner();
  }

  equal(actual: unknown, expected: unknown): void {
    this.#expect(actual).toEqual(expected);
  }

  /** That `act` throws an error with this code. */
  async fails(code: string, act: () => Awaitable<unknown>): Promise<void> {
    let got: unknown = "nothing was thrown";
    try {
      await act();
    } catch (error) {
      got = (error as { code?: unknown }).code;
    }
    this.equal(got, code);
  }

  async finish(): Promise<void> {
    for (const store of this.#opened.reverse()) await store.close();
    await this.#subject.cleanup?.();
  }
}

/** The writer's end of one log: knows what the next turn must look like. */
export class Log {
  readonly runNo: number;
  #turn: number;
  #epoch: number;
  #pos: number;

  constructor(runNo: number, epoch = 1) {
    this.runNo = runNo;
    this.#turn = 1;
    this.#epoch = epoch;
    this.#pos = 1;
  }

  /** The next turn, with one fact; what is given in `over` may be wrong on purpose. */
  next(over: Partial<TurnWrite> = {}): TurnWrite {
    const rises = over.take === true || over.final === true ? 1 : 0;
    return {
      run: this.runNo,
      turn: this.#turn,
      after: this.#epoch,
      epoch: this.#epoch + rises,
      pos: this.#pos,
      next: this.#pos + 1,
      at: 1000 + this.#turn,
      final: false,
      facts: `["${this.#turn}"]`,
      ...over,
    };
  }

  /** The next turn was accepted, with others. */
  passed(): void {
    this.#turn++;
    this.#pos++;
  }

  /** Appends the next turn and goes on from it. */
  async write(store: OpenStore, over: Partial<TurnWrite> = {}): Promise<Appended> {
    const write = this.next(over);
    const answer = await one(store, write);
    if (answer.accepted) {
      this.#turn = write.turn + 1;
      this.#epoch = write.epoch;
      this.#pos = write.next;
    }
    return answer;
  }
}

export const fenced: Appended = { accepted: false, reason: "fenced" };

export function newRun(id: string, over: Partial<NewRun> = {}): NewRun {
  return { id, workflow: "w", version: "1", digest: `digest of ${id}`, priority: 100, at: 1000, ...over };
}

export const first: FirstTurn = { epoch: 0, next: 1, facts: '["0"]' };
/** The first turn of a run that its maker owns. */
export const firstOwned: FirstTurn = { epoch: 1, next: 1, facts: '["0"]' };

export function turnZero(run: NewRun, over: Partial<TurnWrite> = {}): TurnWrite {
  return { run, turn: 0, after: 0, epoch: 1, pos: 0, next: 1, at: run.at, final: false, facts: '["0"]', ...over };
}

/** A run that `store` owns. */
export async function begin(store: OpenStore, id: string, over: Partial<NewRun> = {}): Promise<Log> {
  const answer = await one(store, turnZero(newRun(id, over)));
  if (!answer.accepted) throw new Error(`run ${id} was not made: ${answer.reason}`);
  return new Log(answer.runNo);
}

/** A run that nobody owns, to wake at `wakeAt`. */
export async function parked(store: OpenStore, id: string, wakeAt: number | null, over: Partial<NewRun> = {}): Promise<Log> {
  const log = await begin(store, id, over);
  await log.write(store, park(wakeAt));
  return log;
}

export function park(wakeAt: number | null, mailGot = 0): Pick<TurnWrite, "row"> {
  return { row: { status: "waiting", mailGot, park: { wakeAt } } };
}

export const end: Pick<TurnWrite, "final" | "row"> = { final: true, row: { status: "completed", mailGot: 0 } };

export function signal(runId: string, messageId: string): Message {
  return { runId, messageId, kind: "signal", body: `{"name":"${messageId}"}` };
}

export async function one(store: OpenStore, write: TurnWrite): Promise<Appended> {
  return (await store.append([write]))[0] as Appended;
}

const host: StoreHost = {
  now: () => Date.now(),
  setTimer(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
  warn() {},
};
