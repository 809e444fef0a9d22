/** The world as it is: system clock, real randomness, stderr. */
import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { hostname } from "node:os";
import type { Log } from "../node/contract.ts";
import type { Clock, Entropy, Signer, World } from "./world.ts";

/** Longest delay that Node's timers keep; a longer one would fire at once. */
const longestTimerMs = 2 ** 31 - 1;

const systemClock: Clock = {
  now: Date.now,
  setTimer(ms, callback) {
    const timer = setTimeout(callback, Math.min(Math.max(0, ms), longestTimerMs));
    return () => clearTimeout(timer);
  },
  soon: setImmediate,
  elapsed: () => performance.now(),
};

function systemEntropy(now: () => number): Entropy {
  let pool = randomBytes(4096);
  let at = 0;
  const take = (count: number): Buffer => {
    if (at + count > pool.length) {
      pool = randomBytes(4096);
      at = 0;
    }
    at += count;
    return pool.subarray(at - count, at);
  };
  return {
    uuid: () => uuidV7(now(), take(10)),
    random: () => take(4).readUInt32BE() / 4_294_967_296,
    seed: () => take(4).readInt32BE(),
  };
}

/** RFC 9562, 5.7. */
export function uuidV7(timeMs: number, random: Uint8Array): string {
  const time = Math.floor(timeMs).toString(16).padStart(12, "0");
  const hex = Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const variant = ((random[2] ?? 0) & 0x3f) | 0x80;
  return `${time.slice(0, 8)}-${time.slice(8)}-7${hex.slice(1, 4)}-${variant.toString(16)}${hex.slice(6, 8)}-${hex.slice(8, 20)}`;
}

/** Warnings and errors, one line each, to stderr. */
export const stderrLog: Log = {
  debug: () => {},
  info: () => {},
  warn: (message, fields) => console.error(line("warning", message, fields)),
  error: (message, fields) => console.error(line("error", message, fields)),
};

function line(level: string, message: string, fields: object | undefined): string {
  return `onex ${level}: ${message}${fields === undefined ? "" : ` ${JSON.stringify(fields)}`}`;
}

export function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

export const systemSigner: Signer = {
  hmac: (key, text) => createHmac("sha256", key).update(text).digest("hex"),
  equal(a, b) {
    const [one, other] = [Buffer.from(a), Buffer.from(b)];
    return one.length === other.length && timingSafeEqual(one, other);
  },
  nonce: () => randomBytes(16).toString("hex"),
};

export function systemWorld(log: Log | undefined): World {
  return {
    clock: systemClock,
    entropy: systemEntropy(systemClock.now),
    log: log ?? stderrLog,
    hash: sha256,
    pid: process.pid,
    host: hostname(),
    guarded: process.env.NODE_ENV !== "production",
    ...(process.env.ONEX_NODE_SECRET ? { endpointSecret: process.env.ONEX_NODE_SECRET } : {}),
    ...(process.env.ONEX_SECRET_KEY ? { secretKey: process.env.ONEX_SECRET_KEY } : {}),
  };
}
