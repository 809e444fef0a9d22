/**
 * News between processes, by LISTEN on a connection of its own, with a slow look as the net.
 *
 * Two channels for a schema. SCHEMA_work: something for an owner, as "LEASE:SENDER" ("" for any owner), and ":RUN" if it is one
 * thing that is found by its number (see `Told`). SCHEMA_news: an
 * owner wrote. A notification costs every commit that carries one, so owners send news apart from their turns, many turns in one,
 * and only while somebody watches: who does says so on the first channel, again every 10 s.
 */
import type { StoreHost, Told } from "../store.ts";
import { Line, type Link } from "./line.ts";
import type { Patience, Pool } from "./pool.ts";

const slowMs = 1000;
const quickMs = 100;
/** How long the own notification may take, ms. */
const testMs = 1000;
const remindMs = 10_000;
const rememberMs = 30_000;

type Role = "owner" | "client";

export interface NewsTools {
  readonly schema: string;
  readonly name: string;
  readonly host: StoreHost;
  readonly patience: Patience;
  readonly pool: Pool;
  readonly link: () => Promise<Link>;
  /** The number of the lease of this process. */
  leaseNo(): number | undefined;
}

export class News {
  readonly work: string;
  /** Names this connection among senders. */
  readonly sender = crypto.randomUUID().slice(0, 8);
  readonly #news: string;
  readonly #tools: NewsTools;
  readonly #listeners = new Map<(told?: Told) => void, Role>();
  #line: Line | undefined;
  #isListening = false;
  #lost: () => void = () => {};
  #heardSelf: (() => void) | undefined;
  #isDeaf = false;
  #cancelLook: (() => void) | undefined;
  #remindedAt = Number.NEGATIVE_INFINITY;
  /** Somebody watches until then, monotonic. */
  #watchedUntil = 0;
  #telling = false;
  #tellAgain = false;
  #closed = false;

  constructor(tools: NewsTools) {
    this.#tools = tools;
    this.work = `${tools.schema}_work`;
    this.#news = `${tools.schema}_news`;
  }

  watch(role: Role, listener: (told?: Told) => void): () => void {
    const call = (told?: Told): void => listener(told);
    this.#listeners.set(call, role);
    void this.#listen();
    if (role === "client" && this.#line !== undefined) {
      this.#remindedAt = Number.NEGATIVE_INFINITY;
      this.#remind();
    }
    this.#cancelLook ??= this.#lookLater();
    return () => {
      this.#listeners.delete(call);
      if (this.#listeners.size > 0) return;
      this.#cancelLook?.();
      this.#cancelLook = undefined;
    };
  }

  /** This process has written: whoever watches is told, apart from the write. */
  tell(): void {
    if (this.#watchedUntil < performance.now() || this.#closed) return;
    if (this.#telling) {
      this.#tellAgain = true;
      return;
    }
    this.#telling = true;
    this.#notify(this.#news, this.sender).finally(() => {
      this.#telling = false;
      if (!this.#tellAgain) return;
      this.#tellAgain = false;
      this.tell();
    });
  }

  /** Runs of these owners have mail; null is nobody's run. */
  mailed(leases: readonly (number | null)[]): void {
    const mine = this.#tools.leaseNo();
    for (const lease of new Set(leases)) if (lease !== mine) void this.#notify(this.work, `${lease ?? ""}:${this.sender}`);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#listeners.clear();
    this.#cancelLook?.();
    this.#line?.drop();
    this.#lost();
  }

  async #listen(): Promise<void> {
    if (this.#isListening) return;
    this.#isListening = true;
    try {
      const made = await this.#tools.link();
      const line = new Line(
        made,
        (payload) => this.#hear(payload),
        () => this.#lost(),
      );
      this.#line = line;
      while (!this.#closed) {
        const lost = new Promise<void>((resolve) => (this.#lost = resolve));
        await this.#subscribe(line);
        // What was said while nobody listened.
        this.#call("owner");
        this.#call("client");
        await lost;
      }
    } catch {
      // Closed meanwhile, or never opened: the verbs say why.
    }
  }

  async #subscribe(line: Line): Promise<void> {
    const { patience, host, name } = this.#tools;
    await patience.insist(line, () => line.query(`LISTEN "${this.work}"; LISTEN "${this.#news}"`));
    if (this.#closed) return line.drop();
    const heard = new Promise<boolean>((resolve) => {
      const cancel = host.setTimer(testMs, () => resolve(false));
      this.#heardSelf = () => {
        cancel();
        resolve(true);
      };
    });
    this.#remindedAt = Number.NEGATIVE_INFINITY;
    this.#remind();
    await this.#notify(this.work, `test:${this.sender}`);
    const isDeaf = !(await heard) && !this.#closed;
    if (isDeaf && !this.#isDeaf)
      host.warn(
        "STORE_NOT_WATCHED",
        `${name} does not pass notifications on (a pooler, perhaps): it is looked at every ${quickMs} ms; give a direct URL as listenUrl, --listen or ONEX_LISTEN`,
      );
    this.#isDeaf = isDeaf;
  }

  #hear(payload: string): void {
    const [target = "", sender, runNo] = payload.split(":");
    if (target === "test") {
      if (sender === this.sender) this.#heardSelf?.();
      return;
    }
    if (sender === this.sender || target === this.sender) return;
    if (sender === undefined) this.#call("client");
    else if (target === "watch") this.#watchedUntil = performance.now() + rememberMs;
    else if (target === "" || Number(target) === this.#tools.leaseNo())
      this.#call("owner", runNo === undefined ? undefined : { what: target === "" ? "queued" : "mail", runNo: Number(runNo) });
  }

  #call(role: Role, told?: Told): void {
    for (const [listener, its] of [...this.#listeners]) if (its === role) listener(told);
  }

  #lookLater(): () => void {
    return this.#tools.host.setTimer(this.#isDeaf ? quickMs : slowMs, () => {
      this.#cancelLook = this.#lookLater();
      this.#remind();
      this.#call("owner");
      this.#call("client");
    });
  }

  #remind(): void {
    if (performance.now() - this.#remindedAt < remindMs) return;
    if (![...this.#listeners.values()].includes("client")) return;
    this.#remindedAt = performance.now();
    void this.#notify(this.work, `watch:${this.sender}`);
  }

  /** Lost ones are made up for by the slow look. */
  async #notify(channel: string, payload: string): Promise<void> {
    try {
      await this.#tools.pool.use((line) => line.query({ text: "SELECT pg_notify($1, $2)", values: [channel, payload] }));
    } catch {
      // Closed.
    }
  }
}
