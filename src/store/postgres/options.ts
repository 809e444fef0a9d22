/** What can be chosen about the store. */
import { OnexError } from "../../core/failure.ts";
import type { StoreHost } from "../store.ts";
import { checkSchema, checkUrl } from "./url.ts";

export interface PostgresOptions {
  /** How long a process that has died keeps its runs, ms. Default 10 000. */
  readonly leaseMs?: number;
  /** How long the event loop may stand still before the lease is given up, ms. Default 60 000. */
  readonly stallMs?: number;
  /** The schema of the tables, made if there is none. Default what `?schema=` of the URL names, else "onex". */
  readonly schema?: string;
  /** How long the first connection is tried, ms. Default 10 000. */
  readonly connectTimeoutMs?: number;
  /** For LISTEN and the lease, where `url` is that of a pooler. Default `url`. */
  readonly listenUrl?: string;
  /** Connections for everything but turns. Default 4. */
  readonly connections?: number;
  /** Connections for turns. Default 2. */
  readonly writers?: number;
}

export interface AllOptions extends Required<PostgresOptions> {
  /** Between two renewals of the lease, ms; a fifth of it, if the configuration does not say. */
  readonly renewMs?: number;
}

/** What the configuration says of leases, where these options do not. */
export function leaseOf(
  { leaseMs }: PostgresOptions,
  { lease }: StoreHost,
): Pick<AllOptions, "renewMs"> & Pick<PostgresOptions, "leaseMs"> {
  if (leaseMs !== undefined || lease === undefined) return {};
  return { leaseMs: lease.ttlMs, renewMs: lease.ttlMs - lease.renewMarginMs };
}

const numbers = { leaseMs: 200, stallMs: 200, connectTimeoutMs: 1, connections: 1, writers: 1 } as const;
const mostMs = 2 ** 31 - 1;

/** Throws OnexError `STORE_URL_INVALID`, `OPTION_INVALID`. */
export function allOptions(url: string, options: PostgresOptions): AllOptions {
  const named = checkUrl(url).searchParams.get("schema");
  const defaults = {
    leaseMs: 10_000,
    stallMs: 60_000,
    schema: named ?? "onex",
    connectTimeoutMs: 10_000,
    listenUrl: url,
    connections: 4,
    writers: 2,
  };
  for (const name of Object.keys(options))
    if (!(name in defaults))
      throw new OnexError("OPTION_INVALID", `postgres(): there is no option ${name}; there are ${Object.keys(defaults).join(", ")}`);
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const all: AllOptions = { ...defaults, ...given };
  checkUrl(all.listenUrl);
  if (named !== null && named !== all.schema)
    throw new OnexError("OPTION_INVALID", `postgres(): the URL names the schema ${named}, and the option ${all.schema}: give one of them`);
  checkSchema(all.schema);
  for (const [field, least] of Object.entries(numbers)) {
    const value = all[field as keyof typeof numbers];
    if (!Number.isSafeInteger(value) || value < least || value > mostMs)
      throw new OnexError("OPTION_INVALID", `postgres(): ${field} must be a whole number from ${least} on, not ${value}`);
  }
  return all;
}
