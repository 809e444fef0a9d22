/** `--store`: a URL becomes a store. */
import { existsSync } from "node:fs";
import { durationMs } from "../core/duration.ts";
import { OnexError } from "../core/failure.ts";
import type { Place } from "../store/postgres/glance.ts";
import { checkSchema, checkUrl, nameOf } from "../store/postgres/url.ts";
import type { Store } from "../store/store.ts";

export const defaultStore = "sqlite:onex.db";
const defaultSchema = "onex";
/** How long those who only look wait for a database, ms: a slip in the URL is told soon. */
const lookMs = 3_000;

/** Where a store is, as it was named. */
export interface StoreUrl {
  readonly kind: "sqlite" | "memory" | "postgres";
  /** As people write it: "sqlite:onex.db"; never with a password. */
  readonly url: string;
  /** Of SQLite the file; else "". */
  readonly path: string;
  /** What to append to a command so that it finds the same store, without its password; empty when it would anyway. */
  readonly flag: string;
  /** Of PostgreSQL: what opens it. */
  readonly database?: Database;
}

export interface Database {
  /** With the password, if one was given. */
  readonly url: string;
  readonly schema: string;
  /** Of the server itself, where `url` is that of a pooler. */
  readonly listenUrl?: string;
  readonly leaseMs?: number;
}

/** `--store`, else `ONEX_STORE`, else `sqlite:onex.db` in this folder; with `ONEX_LISTEN`. Throws OnexError `STORE_URL_INVALID`. */
export function storeUrl(
  option: string | undefined,
  env: string | undefined = process.env.ONEX_STORE,
  listen: string | undefined = process.env.ONEX_LISTEN,
): StoreUrl {
  const named = option ?? (env === undefined || env === "" ? defaultStore : env);
  const where = option === undefined && named === env ? "ONEX_STORE" : "--store";
  if (/^postgres(?:ql)?:/i.test(named)) {
    const at = postgresUrl(named, where);
    return listen === undefined || listen === "" ? at : listening(at, listen, "ONEX_LISTEN");
  }
  const flag = option === undefined ? "" : ` --store ${quote(option)}`;
  if (named === "memory:" || named === "memory") return { kind: "memory", url: "memory:", path: "", flag };
  const path = /^sqlite:(?:\/\/)?(.+)$/s.exec(named)?.[1];
  if (path === ":memory:") throw invalid(where, named, "write memory:");
  if (path !== undefined) return { kind: "sqlite", url: `sqlite:${path}`, path, flag };
  if (named === "sqlite:" || named === "sqlite") throw invalid(where, named, "it names no file; write sqlite:onex.db");
  if (/^[\w+.-]+:\/\//.test(named))
    // It may hold a password.
    throw invalid(where, `${named.slice(0, named.indexOf("://"))}://…`, "write sqlite:FILE, postgres://USER@HOST/DATABASE or memory:");
  const hint = /^[a-z]+:/.test(named) ? "" : ` (did you mean sqlite:${named}?)`;
  throw invalid(where, named, `write sqlite:FILE, postgres://USER@HOST/DATABASE or memory:${hint}`);
}

/** What stands in for a password in what is shown. */
const hidden = "PASSWORD";

type OfPostgres = StoreUrl & { readonly database: Database };

/** Nothing of a URL that cannot be read is repeated: a password in it may stand where none is looked for. */
function postgresUrl(named: string, where: string): OfPostgres {
  const bad = (why: string): OnexError =>
    new OnexError("STORE_URL_INVALID", `${where} is no URL of a PostgreSQL database: ${why}; write postgres://USER@HOST:PORT/DATABASE`);
  const encoded = "in a password, write / ? # @ % : as %2F %3F %23 %40 %25 %3A";
  if (!/^postgres(?:ql)?:\/\//i.test(named)) throw bad("// is missing after the scheme");
  if (!URL.canParse(named)) throw bad(`it cannot be read (${encoded})`);
  const { hash, pathname, searchParams } = new URL(named);
  if (hash !== "" || pathname.includes("@") || [...searchParams.keys()].some((key) => key.includes("@")))
    throw bad(`it has an @ or # where none can be (${encoded})`);
  const url = checkUrl(named);
  if (url.pathname === "" || url.pathname === "/") throw bad("it names no database");
  const schema = url.searchParams.get("schema") ?? defaultSchema;
  try {
    checkSchema(schema);
  } catch {
    throw bad(`?schema= is ${JSON.stringify(schema)}, and must be up to 40 small letters, digits and _`);
  }
  url.searchParams.delete("schema");
  const query = schema === defaultSchema ? "" : `?schema=${schema}`;
  const shown = new URL(named);
  if (shown.password !== "") shown.password = hidden;
  for (const key of ["password", "sslpassword"]) if (shown.searchParams.has(key)) shown.searchParams.set(key, hidden);
  return {
    kind: "postgres",
    url: `${nameOf(named)}${query}`,
    path: "",
    flag: where === "ONEX_STORE" ? "" : ` --store ${quote(shown.href)}`,
    database: { url: url.href, schema },
  };
}

/** With `--listen`, of a database. Throws OnexError `USAGE`, `STORE_URL_INVALID`. */
export function withListen(at: StoreUrl, listen: string | undefined): StoreUrl {
  if (listen === undefined) return at;
  if (at.database === undefined) throw new OnexError("USAGE", `--listen is of PostgreSQL alone, and the store is ${at.url}: leave it out`);
  return listening({ ...at, database: at.database }, listen, "--listen");
}

/** The schema is that of the store. */
function listening(at: OfPostgres, listen: string, where: string): StoreUrl {
  return { ...at, database: { ...at.database, listenUrl: postgresUrl(listen, where).database.url } };
}

/** With `--lease`, of a store that has leases. Throws OnexError `USAGE`. */
export function withLease(at: StoreUrl, lease: string | undefined): StoreUrl {
  if (lease === undefined) return at;
  if (at.database === undefined)
    throw new OnexError("USAGE", `--lease is of PostgreSQL alone: on ${at.url} another process takes over at once when the owner is gone`);
  let leaseMs: number;
  try {
    leaseMs = durationMs(lease);
  } catch {
    leaseMs = 0;
  }
  if (leaseMs < 1000 || leaseMs > 3_600_000)
    throw new OnexError("USAGE", `--lease ${quote(lease)}: write a time from 1s to 1h, such as 10s`);
  return { ...at, database: { ...at.database, leaseMs } };
}

function invalid(where: string, named: string, todo: string): OnexError {
  return new OnexError("STORE_URL_INVALID", `${where} "${named}" is no store: ${todo}`);
}

/** The store itself, made on opening if it is not there. */
export async function openable(at: StoreUrl, connectTimeoutMs = 10_000): Promise<Store> {
  if (at.kind === "memory") return (await import("../store/memory.ts")).memory();
  if (at.database === undefined) return (await import("../store/sqlite/sqlite.ts")).sqlite(at.path);
  const { url, ...options } = at.database;
  const { postgres } = await import("../store/postgres/postgres.ts");
  return postgres(url, { connectTimeoutMs, ...options });
}

/** For those who look past the store. */
export function placeOf({ url, schema }: Database): Place {
  return { url, schema, timeoutMs: lookMs };
}

/** The store of runs that exist already: to look at it never makes one. Throws OnexError `STORE_MISSING`; of PostgreSQL what connecting throws. */
export async function existing(at: StoreUrl): Promise<Store> {
  const missing = (what: string): OnexError =>
    new OnexError("STORE_MISSING", `there is no store at ${at.url}${what}: \`onex run\` makes one; --store or ONEX_STORE names another`);
  if (at.kind === "sqlite" && !existsSync(at.path)) throw missing("");
  if (at.database !== undefined) {
    const { hasTables } = await import("../store/postgres/glance.ts");
    const { schema } = at.database;
    if (!(await hasTables(placeOf(at.database)))) throw missing(` (the database has no schema "${schema}" with the tables of onex)`);
  }
  return openable(at, lookMs);
}

/** The store of a run that was named. Throws OnexError `STORE_URL_INVALID`, and `RUN_UNKNOWN` for memory. */
export function storeOfRun(runId: string, option: string | undefined): StoreUrl {
  const at = storeUrl(option);
  if (at.kind === "memory") throw new OnexError("RUN_UNKNOWN", `there is no run ${runId}: ${memoryNote}`);
  return at;
}

export const memoryNote =
  "memory: is empty when a process starts and gone when it ends; nothing can be looked up in it. Keep runs with --store sqlite:FILE";

/** A word as a shell reads it back. */
export function quote(word: string): string {
  return /^[\w@%+=:,./#-]+$/.test(word) && !word.startsWith("#") ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
