/** Signals of a run that nobody has read, and who waits for one: per name, first in, first out. */
import type { Mail } from "./fact.ts";

export class Mailbox {
  readonly #mail = new Map<string, Mail[]>();
  readonly #waiters = new Map<string, (() => void)[]>();

  put(mail: Mail): void {
    const queue = this.#mail.get(mail.name);
    if (queue) queue.push(mail);
    else this.#mail.set(mail.name, [mail]);
    // One that refuses it stays first in line; one that takes it leaves.
    this.#waiters.get(mail.name)?.[0]?.();
  }

  /** The next unread message of that name, or undefined; then `waiter` is called when one comes. */
  take(name: string, waiter: () => void): Mail | undefined {
    const mail = this.#mail.get(name)?.shift();
    if (mail) return mail;
    const waiters = this.#waiters.get(name);
    if (waiters?.includes(waiter)) return undefined;
    if (waiters) waiters.push(waiter);
    else this.#waiters.set(name, [waiter]);
    return undefined;
  }
  unwait(name: string, waiter: () => void): void {
    const waiters = this.#waiters.get(name);
    const at = waiters?.indexOf(waiter) ?? -1;
    if (at >= 0) waiters?.splice(at, 1);
  }

  /** Nobody waits any more. */
  close(): void {
    this.#waiters.clear();
  }
  unread(): Mail[] {
    return [...this.#mail.values()].flat().sort((a, b) => a.seq - b.seq);
  }
}
