/**
 * Who may begin: slots for root runs that are driven, and the limits of workflows on runs under way and on starts.
 *
 * M1 At most `max` root runs hold a slot. A run holds one from before it is taken until it ends or is put down; children and
 *    undos need none, so a run that waits for its child never waits for a slot in truth.
 * M2 Shares of a limit are counted from the store when it becomes this process's own, and from then on here: the owner alone
 *    admits. A run keeps its share of `concurrency` until it ends, asleep or not.
 * M3 A start goes past the queue only if nobody there could want its place; what wakes goes before what is queued.
 * M4 Whoever gives back what others wait for is answered `true`: the intake must look.
 * M5 Where many processes own a store, slots are each one's own, and the store counts the shares of all: every run with a limit
 *    goes through its queue.
 */
import { OnexError } from "../core/failure.ts";
import type { Json } from "../core/json.ts";
import type { RunLimit, WorkflowContract } from "../node/contract.ts";
import type { NewRun, OpenStore, RunRow } from "../store/store.ts";
import type { ActiveRun } from "./active-run.ts";
import type { Definitions } from "./definitions.ts";
import type { AdmissionView } from "./views.ts";

/** What limits are asked about: a run that is to begin, or its row. */
type Entrant = { readonly [field in "workflow" | "version"]: string } & {
  readonly [field in "parent" | "concurrency" | "rate"]?: string | undefined;
};

const manyRates = 10_000;
/** How soon a limit that was full is asked for again, where others may have freed it. */
const askAgainMs = 250;

export class Admission {
  readonly #store: OpenStore;
  readonly #definitions: Definitions;
  readonly #max: number;
  readonly #holders = new Set<ActiveRun>();
  /** Slots of runs that are being taken from the store. */
  #reserved = 0;
  /** Something that needs a slot was left without one; until the first look nobody knows. */
  #owed = true;
  /** Counts what this process has put into the queue, and how far of that a look has seen; of what was there before, nothing at first. */
  #put = 1;
  #seen = 0;
  readonly #underWay = new Map<string, number>();
  /** The last admissions of a rate, oldest first. */
  readonly #admitted = new Map<string, number[]>();
  #longestMs = 0;
  /** Limits that had no share for somebody in the queue, and those of them that have one again. */
  readonly #full = new Set<string>();
  readonly #reopened = new Set<string>();
  /** Rates that had none, until when. */
  readonly #spent = new Map<string, number>();

  constructor(store: OpenStore, definitions: Definitions, max: number | undefined) {
    this.#store = store;
    this.#definitions = definitions;
    this.#max = max ?? Number.POSITIVE_INFINITY;
  }

  /** M2. `contracts` are those of the workflows that can be started here. */
  async open(contracts: readonly WorkflowContract[]): Promise<void> {
    if (this.#isShared) return;
    for (const { concurrency, count } of await this.#store.underWay()) this.#underWay.set(concurrency, count);
    this.#longestMs = Math.max(0, ...contracts.map(({ rate }) => rate?.perMs ?? 0));
    if (this.#longestMs > 0)
      for (const { rate, at } of await this.#store.admissions(this.#store.now() - this.#longestMs)) this.#admit(rate, at);
  }

  /** M5. */
  get #isShared(): boolean {
    return this.#store.owners === "many";
  }

  // ── slots ──

  /** Slots that are free. */
  get free(): number {
    return this.#max - this.#holders.size - this.#reserved;
  }
  /** A run is driven from now on. */
  hold(run: ActiveRun): void {
    if (run.row.parent === undefined) this.#holders.add(run);
  }
  /** A run is not driven any more (M4). */
  leave(run: ActiveRun): boolean {
    const awaited = this.#owed || this.free <= 0;
    return this.#holders.delete(run) && awaited && this.#max !== Number.POSITIVE_INFINITY;
  }
  /** Reserves a slot for a run that is about to be taken, until `taken`. */
  reserve(): boolean {
    if (this.free <= 0) {
      this.#owed = true;
      return false;
    }
    this.#reserved++;
    return true;
  }
  taken(): void {
    this.#reserved--;
  }
  /** This process has put a run into the queue: until a look has seen it, nobody who needs a share goes past it. */
  queued(): void {
    this.#put++;
  }
  get put(): number {
    return this.#put;
  }
  /** A look has ended that began when `put` was so: everything that needs a slot has one, or not. */
  looked(everyone: boolean, put: number): void {
    this.#owed = !everyone || this.free <= 0;
    this.#seen = put;
  }

  // ── limits ──

  /** M3: whether `count` runs that are under no limit may begin at once. */
  isOpen(count = 1): boolean {
    return this.#max === Number.POSITIVE_INFINITY || !(this.#owed || this.free < count);
  }
  /** The same of a new run; then it has its shares. */
  passes(run: NewRun): boolean {
    if (!this.isOpen()) return false;
    const { concurrency, rate } = run;
    if (concurrency === undefined && rate === undefined) return true;
    // M5
    if (this.#isShared || this.#seen < this.#put || this.#full.has(concurrency ?? "") || this.#spent.has(rate ?? "")) return false;
    return this.share(run);
  }

  /** Lets a queued run out of the queue, with its shares of the limits of its workflow, if there are any left. */
  async admit(row: RunRow, contract = this.#definitions.find(row)): Promise<boolean> {
    if (!this.#isShared || !this.#store.admit) return this.share(row);
    const { concurrency, rate } = contract ?? {};
    const answer = await this.#store.admit(row.runNo, {
      ...(concurrency ? { concurrency: concurrency.limit } : {}),
      ...(rate ? { rate: { limit: rate.limit, perMs: rate.perMs } } : {}),
    });
    if (answer.admitted) return true;
    const now = this.#store.now();
    if (answer.reason === "rate" && row.rate !== undefined) this.#spent.set(row.rate, Math.max(answer.until, now + 1));
    // Somebody else may free a share: it is asked for again soon.
    if (answer.reason === "concurrency" && row.concurrency !== undefined) this.#spent.set(row.concurrency, now + askAgainMs);
    return false;
  }

  /** Gives a run its shares of the limits of its workflow, if there are any left. */
  share(run: Entrant): boolean {
    const contract = this.#definitions.find(run);
    const now = this.#store.now();
    const { concurrency, rate } = run;
    const used = this.#underWay.get(concurrency ?? "") ?? 0;
    if (concurrency !== undefined && contract?.concurrency !== undefined && used >= contract.concurrency.limit) {
      this.#full.add(concurrency);
      return false;
    }
    if (rate !== undefined && contract?.rate !== undefined) {
      const last = this.#admitted.get(rate)?.at(-contract.rate.limit);
      if (last !== undefined && last + contract.rate.perMs > now) {
        this.#spent.set(rate, last + contract.rate.perMs);
        return false;
      }
    }
    if (concurrency !== undefined) this.#underWay.set(concurrency, used + 1);
    if (rate !== undefined) this.#admit(rate, now, contract?.rate?.limit);
    return true;
  }
  /** The run goes on whatever its limit says, and counts to it. */
  exceed({ concurrency }: Entrant): void {
    if (!this.#isShared && concurrency !== undefined) this.#underWay.set(concurrency, (this.#underWay.get(concurrency) ?? 0) + 1);
  }
  /** The run did not begin after all (M4). */
  giveBack(run: Entrant): boolean {
    if (this.#isShared) return false;
    if (run.rate !== undefined) this.#admitted.get(run.rate)?.pop();
    return this.ended(run);
  }
  /** The run has ended (M4). */
  ended({ concurrency }: Entrant): boolean {
    if (concurrency === undefined) return false;
    // M5: its share may be asked for at once.
    if (this.#isShared) return this.#spent.delete(concurrency);
    const left = (this.#underWay.get(concurrency) ?? 0) - 1;
    if (left > 0) this.#underWay.set(concurrency, left);
    else this.#underWay.delete(concurrency);
    if (!this.#full.has(concurrency)) return false;
    this.#reopened.add(concurrency);
    return true;
  }

  /** Limits without a share left, which the queue is not asked for. */
  closed(): readonly string[] {
    const now = this.#store.now();
    for (const limit of this.#reopened) this.#full.delete(limit);
    this.#reopened.clear();
    for (const [rate, until] of this.#spent) if (until <= now) this.#spent.delete(rate);
    return [...this.#full, ...this.#spent.keys()];
  }
  /** When the next rate that was spent has a share again. */
  get nextShare(): number {
    return Math.min(Number.POSITIVE_INFINITY, ...this.#spent.values());
  }

  async view(): Promise<AdmissionView> {
    const max = this.#max === Number.POSITIVE_INFINITY ? undefined : this.#max;
    return { active: this.#holders.size, queued: await this.#store.queuedCount(this.#store.now()), max };
  }

  #admit(rate: string, at: number, keep?: number): void {
    const times = this.#admitted.get(rate) ?? [];
    times.push(at);
    if (keep !== undefined && times.length > keep) times.splice(0, times.length - keep);
    this.#admitted.set(rate, times);
    if (this.#admitted.size <= manyRates) return;
    const past = at - this.#longestMs;
    for (const [old, times] of this.#admitted) if ((times.at(-1) ?? 0) <= past) this.#admitted.delete(old);
  }
}

/** What a root run counts to under the limits of its workflow. Throws OnexError `INPUT_INVALID`. */
export function limitKeys(
  guard: <T>(advance: () => T) => T,
  contract: WorkflowContract,
  input: Json,
): Pick<NewRun, "concurrency" | "rate"> {
  const { concurrency, rate } = contract;
  return {
    ...(concurrency === undefined ? {} : { concurrency: limitKey(guard, contract, "concurrency", concurrency, input) }),
    ...(rate === undefined ? {} : { rate: limitKey(guard, contract, "rate", rate, input) }),
  };
}

function limitKey(guard: <T>(advance: () => T) => T, contract: WorkflowContract, field: string, limit: RunLimit, input: Json): string {
  const where = `workflow ${contract.name}: ${field}.key`;
  let key: unknown;
  try {
    key = guard(() => limit.keyOf(contract.decodeInput(input) as never));
  } catch (error) {
    throw new OnexError("INPUT_INVALID", `${where} threw: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
  if (typeof key !== "string") throw new OnexError("INPUT_INVALID", `${where} gave ${String(key)}: it must give a string, at once`);
  return JSON.stringify([field, contract.name, key]);
}
