/**
 * The keys that seal secrets, and the sealing itself: AES-256-GCM with a fresh nonce. A sealed text names its key, so that a
 * new key can be put in front of an old one, and a wrong one is told from a broken text.
 */
import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes, scryptSync } from "node:crypto";
import { OnexError } from "../core/failure.ts";

/** Seals with one key and opens with several. */
export interface Sealer {
  /** Throws OnexError `SECRET_KEY_MISSING` when there is no key to seal with. */
  seal(text: string): string;
  /** Throws OnexError `SECRET_KEY_MISSING` when the key is not held, or the text is not whole. */
  open(sealed: string): string;
  /** Whether there is a key; makes one if `make` and the store has a place for it. */
  ready(make: boolean): boolean;
  /** A digest that cannot be guessed back without the key. */
  digest(text: string): string;
}

/** Where a store keeps keys of its own, one a line, the newest first; makes one where there is none if `make`. */
export type KeyPlace = (make: boolean) => string | undefined;

const keyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;

interface Key {
  readonly id: string;
  readonly bytes: Buffer;
}

/**
 * @param given keys of the user, which come before the store's: 32 bytes in base64 or hex, or a passphrase; or all lines of a key file.
 * @param place where the store keeps its own; it is looked at when a key is needed and not before.
 */
export function sealer(given: string | undefined, place: KeyPlace | undefined, name: string): Sealer {
  let keys: readonly Key[] | undefined;
  const read = (make: boolean): readonly Key[] => {
    const own = given === undefined ? place?.(make) : place?.(false);
    return [...(given === undefined ? [] : keysIn(given)), ...linesOf(own).map(keyOf)];
  };
  const first = (): Key => {
    if (keys === undefined || keys.length === 0) keys = read(true);
    const key = keys[0];
    if (key) return key;
    throw new OnexError("SECRET_KEY_MISSING", `${name} keeps no key to seal secrets with: set ONEX_SECRET_KEY or the option secretKey`);
  };
  const find = (id: string): Key | undefined => keys?.find((key) => key.id === id);
  return {
    seal(text) {
      const key = first();
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv("aes-256-gcm", key.bytes, nonce);
      const body = Buffer.concat([nonce, cipher.update(text, "utf16le"), cipher.final(), cipher.getAuthTag()]);
      return `${key.id}.${body.toString("base64")}`;
    },
    open(sealed) {
      const id = sealed.slice(0, 8);
      let key = find(id);
      if (key === undefined) {
        // Another process may have made it since it was last looked at.
        keys = read(false);
        key = find(id);
      }
      if (key === undefined)
        throw new OnexError(
          "SECRET_KEY_MISSING",
          `a secret in ${name} is sealed with the key ${/^[0-9a-f]{8}$/.test(id) ? id : "of another program"}, which is not here: put its line back into the key file beside the store, or set ONEX_SECRET_KEY, and start again`,
        );
      try {
        const body = Buffer.from(sealed.slice(9), "base64");
        const decipher = createDecipheriv("aes-256-gcm", key.bytes, body.subarray(0, nonceBytes));
        decipher.setAuthTag(body.subarray(-tagBytes));
        return decipher.update(body.subarray(nonceBytes, -tagBytes), undefined, "utf16le") + decipher.final("utf16le");
      } catch (cause) {
        throw new OnexError(
          "SECRET_KEY_MISSING",
          `a secret in ${name} cannot be opened with the key ${id}: what is stored was changed; restore it from a backup`,
          { cause },
        );
      }
    },
    ready(make) {
      if (keys === undefined || keys.length === 0) keys = read(make);
      return keys.length > 0;
    },
    digest: (text) => createHmac("sha256", first().bytes).update(text).digest("hex"),
  };
}

/** A new key, as a line of a key file. */
export function newKey(): string {
  return randomBytes(keyBytes).toString("base64");
}

/** A passphrase of one line is taken as it stands. */
function keysIn(given: string): Key[] {
  return (given.includes("\n") ? linesOf(given) : [given]).map(keyOf);
}

/** The names under which the keys in `given` and in the lines of a key file seal. */
export function keyNames(given: string | undefined, file: string | undefined): readonly string[] {
  return [...(given === undefined ? [] : keysIn(given)), ...linesOf(file).map(keyOf)].map(({ id }) => id);
}

function linesOf(text: string | undefined): string[] {
  return (text ?? "")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
}

const derived = new Map<string, Key>();

function keyOf(text: string): Key {
  const known = derived.get(text);
  if (known) return known;
  const hex = /^[0-9a-f]{64}$/i.test(text) ? Buffer.from(text, "hex") : undefined;
  const base64 = /^[A-Za-z0-9+/_-]{43}=?$/.test(text) ? Buffer.from(text, "base64") : undefined;
  // The salt is the same for all: every process must come to the same key from the passphrase alone.
  const bytes = hex ?? base64 ?? scryptSync(text, "onex secret key", keyBytes);
  const key = { id: createHash("sha256").update(bytes).digest("hex").slice(0, 8), bytes };
  derived.set(text, key);
  return key;
}
