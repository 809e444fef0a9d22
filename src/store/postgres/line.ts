/**
 * A connection that comes back. One work at a time has it; when it breaks, it is thrown away and made anew for the next try.
 *
 * C1 A line that failed in a way that leaves its state unknown is never used again.
 * C2 No query waits for ever: the server ends a statement after 10 s, and 5 s later the line is taken for dead.
 */
import type { Client, ClientConfig, QueryConfig } from "pg";
import type { Driver } from "./driver.ts";
import { DatabaseError } from "./errors.ts";

export type Row = Readonly<Record<string, unknown>>;

/** What every connection of a store has in common. */
export interface Link {
  readonly driver: Driver;
  readonly config: ClientConfig;
  /** What is said first on a new connection. */
  readonly greeting: string;
}

const statementMs = 10_000;
const patienceMs = 5_000;

export class Line {
  readonly #link: Link;
  readonly #onNotice: ((payload: string) => void) | undefined;
  readonly #onLost: (() => void) | undefined;
  #client: Client | undefined;

  constructor(link: Link, onNotice?: (payload: string) => void, onLost?: () => void) {
    this.#link = link;
    this.#onNotice = onNotice;
    this.#onLost = onLost;
  }

  /** Connects if need be; `query_timeout`, ms, stands in for that of the connection. Throws DatabaseError. */
  async query(query: (QueryConfig & { readonly query_timeout?: number }) | string): Promise<readonly Row[]> {
    const client = this.#client ?? (await this.#connect());
    try {
      return (await client.query(query as QueryConfig)).rows as Row[];
    } catch (cause) {
      const error = new DatabaseError(cause);
      if (error.isLost) this.drop(); // C1
      throw error;
    }
  }

  /** All of `work` or nothing. An error of any kind undoes it. */
  async transact<T>(work: () => Promise<T>): Promise<T> {
    await this.query("BEGIN");
    try {
      const answer = await work();
      await this.query("COMMIT");
      return answer;
    } catch (error) {
      await this.rollback();
      throw error;
    }
  }

  /** Of a line that is gone, the server has done it. */
  async rollback(): Promise<void> {
    if (this.#client === undefined) return;
    await this.query("ROLLBACK").catch(() => this.drop());
  }

  drop(): void {
    const client = this.#client;
    this.#client = undefined;
    if (client) discard(client);
  }

  /** After what is on its way. */
  async end(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    await client?.end().catch(() => {});
  }

  async #connect(): Promise<Client> {
    const client = this.#link.driver(this.#link.config);
    // Without a listener, a connection that breaks while it is idle would end the process.
    const gone = (): void => {
      if (this.#client === client) this.#client = undefined;
      this.#onLost?.();
    };
    client.on("error", gone);
    client.on("end", gone);
    if (this.#onNotice) client.on("notification", (notice) => this.#onNotice?.(notice.payload ?? ""));
    try {
      await client.connect();
      await client.query(this.#link.greeting);
    } catch (cause) {
      discard(client);
      throw new DatabaseError(cause);
    }
    this.#client = client;
    return client;
  }
}

/** Ends the connection whatever is on its way: `end` alone would wait for an answer that may never come. */
function discard(client: Client): void {
  (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
  client.end().catch(() => {});
}

/** In a schema of the user's choice: `@.` stands for it in all SQL of this store. */
export function inSchema(schema: string, text: string): string {
  return text.replaceAll("@.", `"${schema}".`);
}

/** Numbers as numbers: nothing that the store keeps is above 2^53. */
export function configOf(url: string, connectTimeoutMs: number): ClientConfig {
  return {
    connectionString: url,
    application_name: "onex",
    keepAlive: true,
    connectionTimeoutMillis: connectTimeoutMs,
    query_timeout: statementMs + patienceMs,
    types: { getTypeParser: (oid: number) => parsers[oid] ?? String } as unknown as NonNullable<ClientConfig["types"]>,
  };
}

/** Answers come as text. */
const parsers: Readonly<Record<number, (text: string) => unknown>> = {
  16: (text) => text === "t",
  20: Number,
  21: Number,
  23: Number,
  26: Number,
  700: Number,
  701: Number,
  1700: Number,
};

/**
 * Settings of a session. Plans are made once and must hold for a table of any size, so the planner may take an index only;
 * `IN` over what was just written is then a hashed subplan.
 */
export const greeting = `
SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_mergejoin = off; SET enable_hashjoin = off; SET jit = off;
SET plan_cache_mode = force_generic_plan; SET statement_timeout = ${statementMs}; SET lock_timeout = '5s'; SET idle_in_transaction_session_timeout = '15s';
SET synchronous_commit = on; SET default_transaction_isolation = 'read committed'; SET client_min_messages = warning;
SET timezone = 'UTC'; SET standard_conforming_strings = on`;
