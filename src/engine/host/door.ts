/**
 * Who is let in to a node host: whoever signed the request with a secret that it knows (`../signature.ts`).
 *
 * G4 A nonce is kept as long as its request could come again, and never forgotten before: when there is no room, nobody is
 *    let in until there is.
 */
import type { Failure } from "../../core/failure.ts";
import { canonicalText, claimOf, type Signed, signatureWindowMs } from "../signature.ts";
import type { Signer } from "../world.ts";
import { busy, Refusal } from "./refusal.ts";

/** Nonces that are kept at once: about 100 MB at worst, 1600 requests a second for ten minutes. */
const mostNonces = 1_000_000;

/** What a request that was let in said of itself; its body must say the same. */
export type Caller = Pick<Signed, "actionId" | "epoch">;

interface Means {
  readonly signer: Signer;
  readonly hash: (text: string) => string;
  /** Ms since 1970. */
  readonly now: () => number;
}

export class Door {
  readonly #secrets: readonly string[];
  readonly #by: Means;
  readonly #nonces: Nonces;

  /** @param secrets any of them opens: the new one and the old one, while they are changed. */
  constructor(secrets: readonly string[], by: Means, most = mostNonces) {
    this.#secrets = secrets;
    this.#by = by;
    this.#nonces = new Nonces(most);
  }

  /** What can be said before the body is read. Throws Refusal `SIGNATURE_MISSING`, `SIGNATURE_INVALID`, `SIGNATURE_EXPIRED`. */
  knock(headers: Headers): void {
    this.#claim(headers);
  }

  /** Throws what `knock` throws, and Refusal `SIGNATURE_REPLAYED`; `NODE_BUSY` when no more nonces can be kept. */
  enter(request: { readonly method: string; readonly path: string; readonly headers: Headers; readonly body: string }): Caller {
    const { signer, hash, now } = this.#by;
    const { signature, ...claim } = this.#claim(request.headers);
    const { method, path, body } = request;
    const text = canonicalText({ ...claim, method, path, bodyDigest: hash(body) });
    // All are tried, so that how long it takes says nothing about which one fits.
    const fits = this.#secrets.map((secret) => signer.equal(signer.hmac(secret, text), signature));
    if (!fits.includes(true))
      throw unsigned({
        code: "SIGNATURE_INVALID",
        message: "the signature does not fit: both sides need the same secret, and nothing between them may change the path or the body",
      });
    const kept = this.#nonces.keep(claim.nonce, claim.time + signatureWindowMs, now());
    if (kept === "known")
      throw unsigned({ code: "SIGNATURE_REPLAYED", message: `the nonce ${claim.nonce} came before: sign each delivery with a new one` });
    if (kept === "full") throw busy("the node host remembers as many nonces as it may; none is forgotten early", 10_000);
    return claim;
  }

  #claim(headers: Headers) {
    const claim = claimOf(headers);
    if ("code" in claim) throw unsigned(claim);
    const now = this.#by.now();
    const apart = claim.time - now;
    if (Math.abs(apart) > signatureWindowMs)
      throw unsigned({
        code: "SIGNATURE_EXPIRED",
        message: `the request says that it was signed at ${claim.time}, and the clock here says ${now}: ${Math.round(Math.abs(apart) / 1000)} s ${apart < 0 ? "ago" : "ahead"}, where ${signatureWindowMs / 1000} s are allowed; set both clocks`,
        details: { signed_at: claim.time, host_time: now },
      });
    return claim;
  }
}

/** Nothing was begun, and it may be tried again: a secret can be set right. */
function unsigned(why: Failure): Refusal {
  return new Refusal(401, why);
}

class Nonces {
  readonly #most: number;
  readonly #known = new Set<string>();
  /** By the second after which they may be forgotten. */
  readonly #seconds = new Map<number, string[]>();
  #sweptTo = Number.NEGATIVE_INFINITY;

  constructor(most: number) {
    this.#most = most;
  }

  /** Remembers a nonce until a time, ms since 1970. */
  keep(nonce: string, until: number, now: number): "new" | "known" | "full" {
    this.#sweep(Math.floor(now / 1000));
    if (this.#known.has(nonce)) return "known";
    if (this.#known.size >= this.#most) return "full";
    this.#known.add(nonce);
    const second = Math.ceil(until / 1000);
    const nonces = this.#seconds.get(second);
    if (nonces) nonces.push(nonce);
    else this.#seconds.set(second, [nonce]);
    return "new";
  }

  #sweep(second: number): void {
    if (second <= this.#sweptTo) return;
    this.#sweptTo = second;
    for (const [until, nonces] of this.#seconds) {
      if (until >= second) continue;
      this.#seconds.delete(until);
      for (const nonce of nonces) this.#known.delete(nonce);
    }
  }
}
