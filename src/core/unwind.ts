/**
 * Returning a generator that stands in a helper's `yield*`.
 *
 * The language forgets that it is returning: when `finally` of a helper has performed a step, the generator around it
 * goes on after its `yield*` as if nothing had happened, and a cancelled workflow would act. So while fibers advance,
 * `yield*` of a generator goes through a delegate that remembers, and asks to be returned again once the helper has ended.
 */
import { isAdvancing } from "./operation.ts";

/** Yielded when a helper has cleaned up: return the generator again. */
export const unwound: unique symbol = Symbol("onex.unwound");

type Inner = Generator<unknown, unknown, unknown>;
type Step = IteratorResult<unknown, unknown>;

class Delegate implements Iterator<unknown, unknown, unknown> {
  readonly #inner: Inner;
  #returning = false;
  #over = false;

  constructor(inner: Inner) {
    this.#inner = inner;
  }
  next(value?: unknown): Step {
    return this.#returning ? this.#clean(() => this.#inner.next(value)) : this.#inner.next(value);
  }
  throw(error?: unknown): Step {
    return this.#returning ? this.#clean(() => this.#inner.throw(error)) : this.#inner.throw(error);
  }
  return(value?: unknown): Step {
    if (this.#over) return { done: true, value };
    this.#returning = true;
    try {
      return this.#inner.return(value);
    } catch {
      return { done: true, value };
    }
  }
  /** Whatever `finally` gives or throws, what it stands in is being returned. */
  #clean(advance: () => Step): Step {
    try {
      const step = advance();
      if (!step.done) return step;
    } catch {
      // A cancelled fiber has no use for it, and a `catch` around the helper must not swallow the cancel.
    }
    this.#over = true;
    return { done: false, value: unwound };
  }
  [Symbol.iterator](): this {
    return this;
  }
}

let ready = false;
/** From now on `yield*` of a generator remembers, in code that a fiber advances; elsewhere nothing changes. */
export function rememberReturns(): void {
  if (ready) return;
  ready = true;
  const prototype = Object.getPrototypeOf(Object.getPrototypeOf((function* () {})())) as { [Symbol.iterator]: () => unknown };
  const plain = prototype[Symbol.iterator];
  Object.defineProperty(prototype, Symbol.iterator, {
    configurable: true,
    writable: true,
    enumerable: false,
    value: function iterator(this: Inner): unknown {
      return isAdvancing() ? new Delegate(this) : plain.call(this);
    },
  });
}
