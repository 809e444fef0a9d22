/**
 * The store in a PostgreSQL database: many processes own it together, each the runs that it has made or taken.
 *
 * Who owns what: `lease.ts` keeps this process alive in the eyes of others; `turns.ts` is the fence, on which safety rests;
 * `queue.ts` says who takes which run; `pool.ts` holds connections and waits out what passes; `news.ts` tells others.
 */
import { OnexError } from "../../core/failure.ts";
import type { ScheduleStore } from "../schedule-store.ts";
import type {
  AdmitLimits,
  Admitted,
  Appended,
  FirstTurn,
  MailRow,
  Message,
  NewRun,
  OpenStore,
  Owner,
  Posted,
  Pruned,
  PruneGroup,
  PruneOptions,
  RunRow,
  Store,
  StoreHost,
  Taking,
  Told,
  TurnRow,
  TurnWrite,
} from "../store.ts";
import { append } from "./append.ts";
import { texts } from "./arrays.ts";
import { Blocks } from "./blocks.ts";
import { monotonicMs, StoreClock } from "./clock.ts";
import { startRun } from "./company.ts";
import { connect } from "./connect.ts";
import { loadDriver } from "./driver.ts";
import { configOf, greeting, type Link } from "./line.ts";
import { post } from "./mail.ts";
import { News } from "./news.ts";
import { RunNumbers } from "./numbers.ts";
import { type AllOptions, allOptions, leaseOf, type PostgresOptions } from "./options.ts";
import { Ownership } from "./ownership.ts";
import { Patience, Pool, type Work } from "./pool.ts";
import { Prunes } from "./prune.ts";
import { Queue } from "./queue.ts";
import { Reads } from "./reads.ts";
import { ScheduleTable } from "./schedules.ts";
import { Statements } from "./sql.ts";
import { nameOf } from "./url.ts";

/**
 * Runs are kept in a PostgreSQL database (13 or later), which many processes may share. TLS as the URL says (`?sslmode=`).
 * Throws OnexError `STORE_URL_INVALID`, `OPTION_INVALID`.
 */
export function postgres(url: string, options: PostgresOptions = {}): Store {
  const all = allOptions(url, options);
  return { kind: "postgres", open: (host) => new PostgresStore(url, { ...all, ...leaseOf(options, host) }, host) };
}

/** How long closing waits for a database that does not answer, ms. */
const closeMs = 3_000;

class PostgresStore implements OpenStore {
  readonly kind = "postgres";
  readonly name: string;
  readonly owners = "many";
  readonly writers: number;
  readonly schedules: ScheduleStore;
  commits = 0;
  readonly #url: string;
  readonly #options: AllOptions;
  readonly #host: StoreHost;
  readonly #clock: StoreClock;
  readonly #patience: Patience;
  readonly #sql: Statements;
  readonly #reads: Reads;
  readonly #blocks = new Blocks();
  readonly #queue: Queue;
  readonly #prunes: Prunes;
  readonly #numbers: RunNumbers;
  readonly #news: News;
  readonly #ownership: Ownership;
  readonly #pools: Promise<{ readonly many: Pool; readonly writers: Pool }>;
  #closing: Promise<void> | undefined;

  constructor(url: string, options: AllOptions, host: StoreHost) {
    this.name = nameOf(url);
    this.writers = options.writers;
    this.#url = url;
    this.#options = options;
    this.#host = host;
    this.#clock = new StoreClock(host.now(), monotonicMs);
    this.#patience = new Patience(this.name, host);
    this.#sql = new Statements(options.schema);
    this.#reads = new Reads(this.#sql);
    this.#queue = new Queue(this.#sql, this.#blocks);
    this.#prunes = new Prunes(this.#sql);
    this.#numbers = new RunNumbers(() =>
      this.#use(async (line) => (await this.#sql.run(line, "SELECT nextval('@.run_numbers') AS no"))[0]?.no as number),
    );
    this.#pools = this.#connect();
    this.#pools.catch(() => {}); // told to the first verb
    this.#news = new News({
      schema: options.schema,
      name: this.name,
      host,
      patience: this.#patience,
      pool: { use: (work: Work<unknown>) => this.#use(work) } as Pool,
      link: () => this.#link(options.listenUrl),
      leaseNo: () => this.#ownership.lease?.leaseNo,
    });
    this.#ownership = new Ownership({
      statements: this.#sql,
      name: this.name,
      channel: this.#news.work,
      config: configOf(options.listenUrl, options.connectTimeoutMs),
      schema: options.schema,
      leaseMs: options.leaseMs,
      renewMs: options.renewMs,
      stallMs: options.stallMs,
      use: (work) => this.#use(work),
      write: (work) => this.#write(work),
      learn: (told, sent, got) => this.#clock.learn(told, sent, got),
      trouble: (message) => this.#patience.trouble(message),
    });
    const table = new ScheduleTable(this.#sql);
    this.schedules = {
      get: (id) => this.#use((line) => table.get(line, id)),
      list: () => this.#use((line) => table.list(line)),
      due: (now) => this.#use((line) => table.due(line, now)),
      next: (after) => this.#use((line) => table.next(line, after)),
      save: (row, after) => this.#write((line) => table.save(line, row, after)),
      remove: (id) => this.#write((line) => table.remove(line, id)),
    };
  }

  now(): number {
    return this.#clock.now();
  }

  async #link(url: string): Promise<Link> {
    return { driver: await loadDriver(), config: configOf(url, this.#options.connectTimeoutMs), greeting };
  }

  async #connect(): Promise<{ readonly many: Pool; readonly writers: Pool }> {
    const link = await this.#link(this.#url);
    await connect(link, { name: this.name, host: this.#host, clock: this.#clock, ...this.#options });
    const pool = (size: number): Pool => new Pool(this.#patience, link, size);
    return { many: pool(this.#options.connections), writers: pool(this.#options.writers) };
  }

  async #use<T>(work: Work<T>): Promise<T> {
    return (await this.#pools).many.use(work);
  }

  async #write<T>(work: Work<T>): Promise<T> {
    const answer = await this.#use(work);
    this.commits++;
    this.#news.tell();
    return answer;
  }

  // ── ownership ──

  acquire(leaseId: string, lost?: (why: string) => void): Promise<{ readonly leaseNo: number }> {
    return this.#ownership.acquire(leaseId, lost);
  }

  release(): Promise<void> {
    return this.#ownership.release();
  }

  owner(): Promise<Owner | undefined> {
    return this.#ownership.owner();
  }

  trusted(): boolean {
    return this.#ownership.lease?.trusted === true;
  }

  // ── written by the owner ──

  async append(batch: readonly TurnWrite[]): Promise<readonly Appended[]> {
    const lease = this.#ownership.mine();
    const { writers } = await this.#pools;
    try {
      return await append(
        {
          pool: writers,
          statements: this.#sql,
          numbers: this.#numbers,
          committed: () => {
            this.commits++;
            this.#news.tell();
          },
          mailed: (leases) => this.#news.mailed(leases),
        },
        batch,
        lease.leaseNo,
      );
    } catch (error) {
      if (error instanceof OnexError && error.code === "OWNERSHIP_LOST") lease.lose("others have ended it");
      throw error;
    }
  }

  async block(runNo: number, code: string): Promise<void> {
    this.#ownership.mine();
    const rows = await this.#write((line) =>
      this.#sql.run(
        line,
        `UPDATE @.runs SET blocked = $2, put_by = NULL, claim_until = NULL
         WHERE run_no = $1 AND lease_no IS NULL AND ended_at IS NULL RETURNING workflow || '@' || version AS name`,
        runNo,
        code,
      ),
    );
    for (const { name } of rows) this.#blocks.add(runNo, name as string, code);
  }

  async unblock(held: readonly string[]): Promise<number> {
    this.#ownership.mine();
    this.#blocks.remove(held);
    const rows = await this.#write((line) =>
      this.#sql.run(
        line,
        `UPDATE @.runs SET blocked = NULL, wake_at = CASE WHEN queued_at IS NULL THEN 0 ELSE wake_at END
         WHERE blocked IS NOT NULL AND workflow || '@' || version = ANY($1::text[]) RETURNING 1 AS one`,
        texts(held),
      ),
    );
    return rows.length;
  }

  // ── written by anyone ──

  async start(run: NewRun, first: FirstTurn): Promise<{ readonly created: boolean; readonly row: RunRow }> {
    const [runNo] = (await this.#numbers.take(1)) as [number];
    const row = await this.#write((line) => startRun(line, this.#sql, { runNo, run, first }, this.#news.work, this.#news.sender));
    // An earlier try of ours may have made it.
    return { created: row.runNo === runNo, row };
  }

  post(message: Message): Promise<Posted> {
    return this.#write((line) => post(line, this.#sql, message, this.#news.work, this.#news.sender));
  }

  define(hash: string, text: string): Promise<void> {
    return this.#write((line) => this.#reads.define(line, hash, text));
  }

  // ── reads ──

  run(id: string): Promise<RunRow | undefined> {
    return this.#use((line) => this.#reads.run(line, id));
  }

  byNo(runNo: number): Promise<RunRow | undefined> {
    return this.#use((line) => this.#reads.byNo(line, runNo));
  }

  list(filter: Parameters<OpenStore["list"]>[0]): Promise<readonly RunRow[]> {
    return this.#use((line) => this.#reads.list(line, filter));
  }

  turns(runNo: number, from?: number, limit?: number): Promise<readonly TurnRow[]> {
    return this.#use((line) => this.#reads.turns(line, runNo, from, limit));
  }

  tail(runNo: number): Promise<TurnRow | undefined> {
    return this.#use((line) => this.#reads.tail(line, runNo));
  }

  blob(runNo: number, hash: string): Promise<string | undefined> {
    return this.#use((line) => this.#reads.blob(line, runNo, hash));
  }

  inbox(runNo: number, after: number): Promise<readonly MailRow[]> {
    return this.#use((line) => this.#reads.inbox(line, runNo, after));
  }

  async mailed(): Promise<readonly number[]> {
    const lease = this.#ownership.lease;
    return lease === undefined ? [] : this.#use((line) => this.#reads.mailed(line, lease.leaseNo));
  }

  state(reducer: string, key: string): Promise<string | undefined> {
    return this.#use((line) => this.#reads.state(line, reducer, key));
  }

  definition(hash: string): Promise<string | undefined> {
    return this.#use((line) => this.#reads.definition(line, hash));
  }

  due(now: number, limit: number, slotless = false): Promise<readonly RunRow[]> {
    return this.#use((line) => this.#queue.due(line, now, limit, slotless, this.#ownership.lease?.leaseNo));
  }

  sleepers(from: number, to: number, limit: number): Promise<readonly { readonly runNo: number; readonly wakeAt: number }[]> {
    return this.#use((line) => this.#queue.sleepers(line, from, to, limit));
  }

  nextWake(after: number): Promise<number | undefined> {
    return this.#use((line) => this.#queue.nextWake(line, after));
  }

  // ── the queue ──

  queued(now: number, limit: number, except: readonly string[]): Promise<readonly RunRow[]> {
    return this.#use((line) => this.#queue.queued(line, now, limit, except));
  }

  queuedCount(now: number): Promise<number> {
    return this.#use((line) => this.#queue.queuedCount(line, now));
  }

  nextQueued(after: number): Promise<number | undefined> {
    return this.#use((line) => this.#queue.nextQueued(line, after));
  }

  underWay(): Promise<readonly { readonly concurrency: string; readonly count: number }[]> {
    return this.#use((line) => this.#queue.underWay(line));
  }

  admissions(after: number): Promise<readonly { readonly rate: string; readonly at: number }[]> {
    return this.#use((line) => this.#queue.admissions(line, after));
  }

  async admit(runNo: number, limits: AdmitLimits): Promise<Admitted> {
    const { leaseNo } = this.#ownership.mine();
    return this.#write((line) => this.#queue.admit(line, runNo, limits, leaseNo, this.now()));
  }

  async take(runNos: readonly number[], held: readonly string[]): Promise<Taking> {
    const { leaseNo } = this.#ownership.mine();
    return this.#use((line) => this.#queue.take(line, runNos, held, leaseNo, this.now()));
  }

  // ── retention ──

  prune(before: number, limit: number, options: PruneOptions = {}): Promise<Pruned> {
    return this.#write((line) => this.#prunes.prune(line, before, limit, options, this.now()));
  }

  prunable(before: number, options: PruneOptions = {}): Promise<readonly PruneGroup[]> {
    return this.#use((line) => this.#prunes.groups(line, before, options));
  }

  pruned(id: string): Promise<RunRow | undefined> {
    return this.#use((line) => this.#prunes.pruned(line, id));
  }

  // ── news ──

  watch(role: "owner" | "client", listener: (told?: Told) => void): () => void {
    return this.#news.watch(role, listener);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#news.close();
    // Others take over when the lease has lapsed.
    await this.#within(
      closeMs,
      this.release().catch(() => {}),
    );
    this.#patience.close();
    const pools = await this.#pools.catch(() => undefined);
    if (pools) await this.#within(1000, Promise.all([pools.many.end(), pools.writers.end()]));
  }

  /** No timer is left: one would keep the process alive. */
  async #within(ms: number, work: Promise<unknown>): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const cancel = this.#host.setTimer(ms, resolve);
      work.finally(cancel).then(() => resolve(), reject);
    });
  }
}
