/** `--store`: a URL becomes a store. */
import { existsSync } from "node:fs";
import { OnexError } from "../core/failure.ts";
import type { Store } from "../store/store.ts";

export const defaultStore = "sqlite:onex.db";

/** Where a store is, as it was named. */
export interface StoreUrl {
  readonly kind: "sqlite" | "memory";
  /** As people write it: "sqlite:onex.db". */
  readonly url: string;
  readonly path: string;
  /** What to append to a command so that it finds the same store; empty when it would anyway. */
  readonly flag: string;
}

/** `--store`, else `ONEX_STORE`, else `sqlite:onex.db` in this folder. Throws OnexError `STORE_URL_INVALID`. */
export function storeUrl(option: string | undefined, env: string | undefined = process.env.ONEX_STORE): StoreUrl {
  const named = option ?? (env === undefined || env === "" ? defaultStore : env);
  const where = option === undefined && named === env ? "ONEX_STORE" : "--store";
  const flag = option === undefined ? "" : ` --store ${quote(option)}`;
  if (named === "memory:" || named === "memory") return { kind: "memory", url: "memory:", path: "", flag };
  const path = /^sqlite:(?:\/\/)?(.+)$/s.exec(named)?.[1];
  if (path === ":memory:") throw invalid(where, named, "write memory:");
  if (path !== undefined) return { kind: "sqlite", url: `sqlite:${path}`, path, flag };
  if (/^postgres(?:ql)?:/.test(named)) throw invalid(where, named, "PostgreSQL is not built yet; write sqlite:FILE");
  if (named === "sqlite:" || named === "sqlite") throw invalid(where, named, "it names no file; write sqlite:onex.db");
  const hint = /^[a-z]+:/.test(named) ? "" : ` (did you mean sqlite:${named}?)`;
  throw invalid(where, named, `write sqlite:FILE or memory:${hint}`);
}

function invalid(where: string, named: string, todo: string): OnexError {
  return new OnexError("STORE_URL_INVALID", `${where} "${named}" is no store: ${todo}`);
}

/** The store itself, made on opening if it is not there. */
export async function openable(at: StoreUrl): Promise<Store> {
  if (at.kind === "memory") return (await import("../store/memory.ts")).memory();
  return (await import("../store/sqlite/sqlite.ts")).sqlite(at.path);
}

/** The store of runs that exist already: to look at it never makes one. Throws OnexError `STORE_MISSING`. */
export async function existing(at: StoreUrl): Promise<Store> {
  if (at.kind === "sqlite" && !existsSync(at.path))
    throw new OnexError("STORE_MISSING", `there is no store at ${at.url}: \`onex run\` makes one; --store or ONEX_STORE names another`);
  return openable(at);
}

export const memoryNote =
  "memory: is empty when a process starts and gone when it ends; nothing can be looked up in it. Keep runs with --store sqlite:FILE";

/** A word as a shell reads it back. */
export function quote(word: string): string {
  return /^[\w@%+=:,./#-]+$/.test(word) && !word.startsWith("#") ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
