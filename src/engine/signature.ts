/**
 * Who may ask a node host for work: whoever shares its secret. Each delivery is signed anew.
 *
 * G1 The signature is over the version, method, path, time, nonce, action id, epoch and the digest of the body, a line each.
 * G2 A delivery has its own time and nonce, so the same action sent again is no replay.
 * G3 What cannot be true without the secret is said to anybody; a nonce is only remembered of who knows the secret.
 */
import { type Failure, OnexError } from "../core/failure.ts";
import type { Signer } from "./world.ts";

/** How far the clocks of both sides may differ, ms. */
export const signatureWindowMs = 5 * 60_000;
/** Least length of a secret, in characters. */
export const minSecretChars = 16;

export interface Signed {
  readonly method: string;
  /** Path and query, as they are sent. */
  readonly path: string;
  /** Ms since 1970. */
  readonly time: number;
  readonly nonce: string;
  readonly actionId: string;
  readonly epoch: number;
  /** SHA-256 of the body's bytes, hex. */
  readonly bodyDigest: string;
}

/** What a signature is made of (G1). */
export function canonicalText({ method, path, time, nonce, actionId, epoch, bodyDigest }: Signed): string {
  return ["onex-v1", method, path, time, nonce, actionId, epoch, bodyDigest].join("\n");
}

/** The headers that go with a request. */
export function signatureHeaders(signer: Signer, secret: string, signed: Signed): Readonly<Record<string, string>> {
  return {
    "onex-time": String(signed.time),
    "onex-nonce": signed.nonce,
    "onex-action": signed.actionId,
    "onex-epoch": String(signed.epoch),
    "onex-signature": `v1=${signer.hmac(secret, canonicalText(signed))}`,
  };
}

/** What a request says of itself in its headers; nobody has checked it yet. */
export interface Claim extends Omit<Signed, "method" | "path" | "bodyDigest"> {
  readonly signature: string;
}

/** Reads the headers; a failure says what is missing or wrong with their form. */
export function claimOf(headers: { get(name: string): string | null }): Claim | Failure {
  const names = ["onex-signature", "onex-time", "onex-nonce", "onex-action", "onex-epoch"];
  const [signature, time, nonce, actionId, epoch] = names.map((name) => headers.get(name) ?? "") as [
    string,
    string,
    string,
    string,
    string,
  ];
  const missing = names.filter((name) => !headers.get(name));
  if (missing.length > 0)
    return {
      code: "SIGNATURE_MISSING",
      message: `this node host takes signed calls only, and there is no header ${missing.join(", ")}: give the orchestrator the same secret (endpointSecret, or ONEX_NODE_SECRET)`,
    };
  const wrong = [
    ...(/^v1=[0-9a-f]{64}$/.test(signature) ? [] : ["onex-signature is v1= and 64 hex digits"]),
    ...(/^\d{1,15}$/.test(time) ? [] : ["onex-time is ms since 1970"]),
    ...(/^[0-9a-f]{32}$/.test(nonce) ? [] : ["onex-nonce is 32 hex digits"]),
    ...(/^\d{1,15}$/.test(epoch) ? [] : ["onex-epoch is a whole number"]),
  ];
  if (wrong.length > 0) return { code: "SIGNATURE_INVALID", message: `the signature cannot be read: ${wrong.join("; ")}` };
  return { signature: signature.slice(3), time: Number(time), nonce, actionId, epoch: Number(epoch) };
}

/** Throws OnexError `OPTION_INVALID` for a secret that could be guessed; it is not shown. */
export function checkSecret(where: string, secret: unknown): string {
  if (typeof secret === "string" && secret.length >= minSecretChars) return secret;
  throw new OnexError(
    "OPTION_INVALID",
    `${where} is ${typeof secret === "string" ? `shorter than ${minSecretChars} characters` : "no text"}: make one of 32 random bytes, such as with \`openssl rand -hex 32\``,
  );
}
