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

/** What calls between processes are signed with. */
export interface Signer {
  /** HMAC-SHA256 of text under a key, hex. */
  hmac(key: string, text: string): string;
  /** Whether two texts are equal; how long it takes does not tell where they differ. */
  equal(a: string, b: string): boolean;
  /** 128 bits that nobody can guess, hex. */
  nonce(): string;
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
  /** The name of the machine: with it, logs name the processes that had a run. */
  readonly host?: string;
  /** Who plays the effects, in a test. */
  readonly stage?: Stage;
  /** The key that seals secrets, where the surroundings give one (`ONEX_SECRET_KEY`). */
  readonly secretKey?: string;
  /** Default: that of the system. */
  readonly signer?: Signer;
  /** The secret that calls of nodes elsewhere are signed with, where the surroundings give one (`ONEX_NODE_SECRET`). */
  readonly endpointSecret?: string;
  /** Whether generators and computes run under the guard against nondeterminism. */
  readonly guarded: boolean;
}
