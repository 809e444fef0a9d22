/**
 * Facts as the text of a turn. A value whose JSON is long stands apart, under the hash of its text: a log is then quick to
 * read whatever passed through it, and a value that appears in many facts of a run is kept once.
 */
import { createHash } from "node:crypto";
import type { Fact } from "../core/fact.ts";
import { OnexError } from "../core/failure.ts";
import type { Blob, OpenStore } from "./store.ts";

/** Characters of JSON above which a value stands apart. */
export const blobMin = 64 * 1024;

/** The fields of a fact that hold values of any size. */
const fields = ["input", "output", "item", "payload", "state", "note", "value"] as const;
/** The one such field that lies deeper. */
const details = "error.details";

interface Wire {
  [field: string]: unknown;
  /** Which fields stand apart: their hashes. No fact has a field of this name; a user's own lies inside a value. */
  blobs?: Record<string, string>;
}

export interface Encoded {
  readonly text: string;
  readonly blobs?: readonly Blob[];
}

export function encodeFacts(facts: readonly Fact[]): Encoded {
  const text = JSON.stringify(facts);
  // No part is longer than the whole.
  if (text.length <= blobMin) return { text };
  const blobs = new Map<string, string>();
  const slim = facts.map((fact) => slimmed(fact as unknown as Wire, blobs));
  if (blobs.size === 0) return { text };
  return { text: JSON.stringify(slim), blobs: [...blobs].map(([hash, text]) => ({ hash, text })) };
}

/** @throws OnexError `STORE_FAILED` when a value that stands apart is gone. */
export function decodeFacts(text: string, blob: (hash: string) => string | undefined): Fact[] {
  const facts = JSON.parse(text) as Wire[];
  for (const fact of facts) if (fact.blobs !== undefined) restore(fact, blob);
  return facts as unknown as Fact[];
}

/** Where the values of a turn that stand apart are found: with the turn, or in a store that answers at once. */
export function blobsOf(
  store: Pick<OpenStore, "blob">,
  runNo: number,
  blobs: readonly Blob[] | undefined,
): (hash: string) => string | undefined {
  if (blobs) return (hash) => blobs.find((blob) => blob.hash === hash)?.text;
  return (hash) => {
    const text = store.blob(runNo, hash);
    return text instanceof Promise ? undefined : text;
  };
}

function slimmed(fact: Wire, blobs: Map<string, string>): Wire {
  const hashes: Record<string, string> = {};
  const slim: Wire = { ...fact };
  for (const field of fields) {
    const hash = apart(fact[field], blobs);
    if (hash === undefined) continue;
    hashes[field] = hash;
    delete slim[field];
  }
  const error = fact.error;
  if (isObject(error)) {
    const hash = apart(error.details, blobs);
    if (hash !== undefined) {
      hashes[details] = hash;
      const { details: _, ...rest } = error;
      slim.error = rest;
    }
  }
  if (Object.keys(hashes).length > 0) slim.blobs = hashes;
  return slim;
}

/** The hash of a value that is long enough to stand apart. */
function apart(value: unknown, blobs: Map<string, string>): string | undefined {
  if (value === undefined) return undefined;
  const text = JSON.stringify(value);
  if (text.length <= blobMin) return undefined;
  const hash = createHash("sha256").update(text).digest("hex");
  blobs.set(hash, text);
  return hash;
}

function restore(fact: Wire, blob: (hash: string) => string | undefined): void {
  for (const [field, hash] of Object.entries(fact.blobs ?? {})) {
    const text = blob(hash);
    if (text === undefined)
      throw new OnexError("STORE_FAILED", `the store has lost the value ${hash} (${field} of ${fact.type}); restore it from a backup`);
    const value: unknown = JSON.parse(text);
    const error = fact.error;
    if (field === details && isObject(error)) error.details = value;
    else fact[field] = value;
  }
  delete fact.blobs;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
