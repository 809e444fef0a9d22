/**
 * One step of a stream: an effect that gives items on the way, each recorded before the next is asked for.
 *
 *   open ─pull(n)─► item n recorded ─room?─► pull(n + 1) … ─► completed
 *
 * The stream owns the count of what is recorded; its taker says whether there is room.
 * S1 At most one item is asked for and not recorded; what comes unasked, late or out of turn is dropped before it is a fact.
 * S2 Items are numbered over all attempts: a new attempt, and a call that is sent again, go on behind the last recorded one.
 * S3 A stream only reads: nothing of it is undone, and in doubt it is sent again unless `inDoubt` says otherwise.
 */
import type { Fact, FactBody, FactOf } from "../fact.ts";
import { OnexError } from "../failure.ts";
import type { Fiber } from "../fiber.ts";
import type { Join, Spawn } from "../joins.ts";
import type { Json } from "../json.ts";
import { mismatch } from "../mismatch.ts";
import type { Callee, CallOptions, Taker } from "../operation.ts";
import type { Desk } from "./desk.ts";
import { EffectStep } from "./effect.ts";

export class StreamStep extends EffectStep {
  readonly #desk: Desk;
  readonly #step: string;
  readonly #taker: Taker;
  /** Items recorded so far. */
  #count = 0;

  constructor(desk: Desk, fiber: Fiber, step: string, callee: Callee, input: Json, options: CallOptions, taker: Taker) {
    super(desk, fiber, step, callee, input, options);
    this.#desk = desk;
    this.#step = step;
    this.#taker = taker;
    taker.more = () => {
      if (!desk.isOpen(this.#key)) this.#pull();
    };
  }

  get #key(): string {
    return `p:${this.#step}`;
  }

  #pull(): void {
    if (!this.live || !this.#taker.room) return;
    this.#desk.wish({ type: "pull", key: this.#key, step: this.#step, attempt: this.attempt, index: this.#count });
  }

  override awaits(fact: FactBody): boolean {
    return fact.type === "action.item" ? this.#isNext(fact) : super.awaits(fact);
  }
  /** Whether this item is the one that was asked for. */
  #isNext({ attempt, index }: FactBody & { readonly type: "action.item" }): boolean {
    return this.live && this.isAt(attempt) && index === this.#count && this.#desk.isOpen(this.#key);
  }

  override on(fact: Fact): void {
    if (fact.type === "action.item") return this.#item(fact);
    super.on(fact);
    this.#rest();
  }
  override taken(): void {
    // A process that died while nothing was asked of the call did not die of it.
    if (!this.#desk.isOpen(this.#key)) this.pardon();
    super.taken();
    this.#rest();
  }
  override cancel(): void {
    super.cancel();
    this.#rest();
  }
  /** Nothing is asked of a call that is over, paused or being aborted. */
  #rest(): void {
    if (!this.live) this.#desk.withdraw(this.#key);
  }

  #item(fact: FactOf<"action.item">): void {
    if (!this.#isNext(fact)) throw mismatch(fact, `has not asked for item ${fact.index} there: it has ${this.#count}`);
    this.#desk.withdraw(this.#key);
    this.#count++;
    this.pardon();
    this.#taker.take(fact.item);
    this.#pull();
  }

  /** Asked anew whenever the call is: the next call knows by it where to go on. */
  protected override sent(): void {
    this.#pull();
  }
  protected override result(output: Json): unknown {
    this.checkGiven(output);
    return this.#taker.end();
  }
  protected override checkGiven(output: Json): void {
    if ((output as { readonly items?: unknown } | null)?.items === this.#count) return;
    throw new OnexError(
      "OUTPUT_INVALID",
      `a stream ends with what is recorded of it: its output is { "items": ${this.#count} }, not ${JSON.stringify(output)}`,
    );
  }
}

/** `yield*` of a stream: the list of its items. */
export class Collector implements Taker {
  readonly room = true;
  more = (): void => {};
  readonly #items: Json[] = [];
  readonly #decode: (item: Json) => unknown;

  constructor(decode: (item: Json) => unknown) {
    this.#decode = decode;
  }
  take(item: Json): void {
    this.#items.push(item);
  }
  end(): unknown {
    return this.#items.map((item) => this.#decode(item));
  }
}

interface Consuming {
  readonly concurrency: number;
  readonly batchSize: number | undefined;
  decode(item: Json): unknown;
}

/** `each` over a stream: a branch for each item or batch as soon as it is recorded, and room while one more may begin. */
export class Consumer implements Taker {
  more = (): void => {};
  readonly #join: Join;
  readonly #begin: (item: unknown, index: number) => readonly [Spawn, unknown];
  readonly #results: unknown[];
  readonly #how: Consuming;
  #batch: unknown[] = [];
  #begun = 0;
  #running = 0;

  /** @param results filled by index, as branches end. */
  constructor(join: Join, begin: (item: unknown, index: number) => readonly [Spawn, unknown], results: unknown[], how: Consuming) {
    this.#join = join;
    this.#begin = begin;
    this.#results = results;
    this.#how = how;
  }

  get room(): boolean {
    return this.#running < this.#how.concurrency;
  }
  take(raw: Json): void {
    this.#safely(() => {
      const item = this.#how.decode(raw);
      if (this.#how.batchSize === undefined) return this.#branch(item);
      this.#batch.push(item);
      if (this.#batch.length >= this.#how.batchSize) this.#flush();
    });
  }
  end(): void {
    if (this.#batch.length > 0) this.#safely(() => this.#flush());
  }

  #flush(): void {
    const batch = this.#batch;
    this.#batch = [];
    this.#branch(batch);
  }
  #branch(item: unknown): void {
    if (this.#join.over) return;
    const index = this.#begun++;
    const begun = this.#begin(item, index);
    this.#running++;
    this.#join.add(...begun, (value) => {
      this.#results[index] = value;
      this.#running--;
      this.more();
    });
  }
  /** What a schema or the branch function throws fails the `each`. */
  #safely(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#join.fail(error);
    }
  }
}
