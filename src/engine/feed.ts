/**
 * A stream's iterator inside its call: advanced only when an item is asked for, and always left.
 *
 * F1 The function is called with the first `pull`, whose number is how many items are recorded already.
 * F2 `next()` is called once for each `pull`; what it gives after the signal was aborted is dropped.
 * F3 Aborted, the iterator is returned at once; the call answers when it has settled, or is given up (C2 of call.ts).
 */
import { Fatal, failureOf, OnexError } from "../core/failure.ts";
import { type Json, toJson } from "../core/json.ts";
import type { EffectContract } from "../node/contract.ts";
import { checkSize } from "./values.ts";

type Source = Iterator<unknown> | AsyncIterator<unknown>;

export class Feed {
  readonly #contract: EffectContract;
  readonly #maxValueBytes: number;
  readonly #emit: (item: Json, index: number) => void;
  /** An item that was asked for before anybody waited for it. */
  #early: number | undefined;
  #wake: ((index: number) => void) | undefined;
  /** Nothing is asked for. */
  idle = true;

  constructor(contract: EffectContract, maxValueBytes: number, emit: (item: Json, index: number) => void) {
    this.#contract = contract;
    this.#maxValueBytes = maxValueBytes;
    this.#emit = emit;
  }

  pull(index: number): void {
    this.idle = false;
    if (this.#wake) this.#wake(index);
    else this.#early = index;
  }

  /** Runs the stream to its end; `open` calls its function with the number of items that are recorded. */
  async run(open: (taken: number) => unknown, signal: AbortSignal): Promise<Json> {
    let index = await this.#asked(signal);
    const source = sourceOf(await open(index), this.#contract.name);
    // Whatever its `finally` throws: why it is left counts.
    let left: Promise<unknown> | undefined;
    const leave = (): Promise<unknown> => {
      left ??= (async () => source.return?.())().catch(() => {});
      return left;
    };
    signal.addEventListener("abort", leave, { once: true });
    let ended = false;
    try {
      for (;;) {
        signal.throwIfAborted();
        ended = true; // if `next` throws
        const step = await source.next();
        ended = step.done === true;
        signal.throwIfAborted();
        if (step.done) return { items: index };
        const item = this.#recorded(step.value);
        this.idle = true;
        this.#emit(item, index);
        index = await this.#asked(signal);
      }
    } finally {
      signal.removeEventListener("abort", leave);
      if (!ended || left) await leave();
    }
  }

  #asked(signal: AbortSignal): Promise<number> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => reject(signal.reason);
      if (signal.aborted) return onAbort();
      const index = this.#early;
      this.#early = undefined;
      if (index !== undefined) return resolve(index);
      signal.addEventListener("abort", onAbort, { once: true });
      this.#wake = (asked) => {
        this.#wake = undefined;
        signal.removeEventListener("abort", onAbort);
        resolve(asked);
      };
    });
  }

  /** The item as it is recorded; one that cannot be is final, since it would come again. */
  #recorded(value: unknown): Json {
    const where = `stream ${this.#contract.name}: item`;
    try {
      const item = toJson(value, where);
      checkSize(item, this.#maxValueBytes, where);
      this.#contract.decodeItem?.(item);
      return item;
    } catch (error) {
      const { code, message } = failureOf(error, "OUTPUT_INVALID");
      throw new Fatal(code, { message, cause: error });
    }
  }
}

function sourceOf(given: unknown, name: string): Source {
  if (typeof given === "object" && given !== null) {
    const { [Symbol.asyncIterator]: later, [Symbol.iterator]: now } = given as Partial<AsyncIterable<unknown> & Iterable<unknown>>;
    if (later) return later.call(given);
    if (now) return now.call(given);
  }
  const error = new OnexError("OUTPUT_INVALID", `stream ${name} gives nothing to iterate: write \`async function*\``);
  throw new Fatal(error.code, { message: error.message });
}
