/** The few doors through which the engine reaches the outside; tests put their own in. */
import type { EffectContract, Log } from "../node/contract.ts";

export interface Clock {
  /** Wall time, ms since 1970. */
  now(): number;
  /** Calls back once, not before `ms` have passed; the answer cancels it. */
  setTimer(ms: number, callback: () => void): () => void;
  /** Calls back in the next turn of the event loop. */
  soon(callback: () => void): void;
  /** Time that never jumps, ms; for budgets and durations only. */
  elapsed(): number;
}

export interface Entropy {
  /** A UUIDv7: rising with time, so that ids lie together in an index. */
  uuid(): string;
  /** In [0, 1). */
  random(): number;
  /** 32 bits. */
  seed(): number;
}

/** Stands in for effects and sees their calls. */
export interface Stage {
  /** What is run instead of the contract's own function. */
  run(contract: EffectContract): EffectContract["run"];
  /** It is played by a stand-in, which needs no services. */
  isStubbed(node: string): boolean;
}

export interface World {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  /** A digest of text, hex, that nobody can steer (SHA-256). */
  hash(text: string): string;
  /** The process, for messages to other processes. */
  readonly pid: number;
  /** The machine, as its name says. */
  readonly host: string;
  /** Who plays the effects, in a test. */
  readonly stage?: Stage;
  /** The key that seals secrets, where the surroundings give one (`ONEX_SECRET_KEY`). */
  readonly secretKey?: string;
  /** Whether generators and computes run under the guard against nondeterminism. */
  readonly guarded: boolean;
}
