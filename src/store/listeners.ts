/** Who wants to hear of what others write to a store in memory. */
import type { StoreHost, Told } from "./store.ts";

export class Listeners {
  readonly #host: StoreHost;
  readonly #wakes = new Set<(told?: Told) => void>();

  constructor(host: StoreHost) {
    this.#host = host;
  }

  /** Never from within the write of another: the listener finds the store at rest. Many writes make one call. The answer stops it. */
  add(listener: (told?: Told) => void): () => void {
    let cancel: (() => void) | undefined;
    let only: Told | undefined;
    const wake = (told?: Told): void => {
      only = cancel === undefined ? told : undefined;
      cancel ??= this.#host.setTimer(0, () => {
        cancel = undefined;
        listener(only);
      });
    };
    this.#wakes.add(wake);
    return () => {
      this.#wakes.delete(wake);
      cancel?.();
      cancel = undefined;
    };
  }

  wake(told?: Told): void {
    for (const wake of this.#wakes) wake(told);
  }

  clear(): void {
    this.#wakes.clear();
  }
}
