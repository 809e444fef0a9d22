/**
 * A proxy before a PostgreSQL server that breaks what passes: between the client and the server nothing is lost, late, or
 * heard twice but by its word.
 *
 * P1 It passes whole requests to the server and whole messages back, in order, unless told otherwise.
 * P2 A request whose answer is lost was done: the connection is cut when the server has said that it is ready for the next.
 * P3 A request that is lost was not done: the server never gets it.
 * P4 A transaction that is doubled was answered first. Then all its statements are done once more on another connection, as
 *    by a client that asks again after an unknown commit. What the server says to that is counted, and told to nobody.
 * P5 TLS is declined: what passes is read.
 */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import pg from "pg";
import { Answers, type Request, Requests, type Statement } from "./messages.ts";

/** What is to happen to the next requests that match, in the order of the calls. */
interface Trap {
  readonly pattern: RegExp;
  readonly fate: "answer lost" | "request lost" | "doubled";
  left: number;
  readonly sprung: () => void;
}

export interface Counts {
  connections: number;
  cut: number;
  answersLost: number;
  requestsLost: number;
  /** Transactions that were done once more. */
  doubled: number;
  /** Of these, those that the server refused the second time. */
  refused: number;
}

export class FaultProxy {
  readonly counts: Counts = { connections: 0, cut: 0, answersLost: 0, requestsLost: 0, doubled: 0, refused: 0 };
  #target: URL;
  readonly #server: Server;
  readonly #links = new Set<Link>();
  readonly #traps: Trap[] = [];
  readonly #second = new Set<Promise<void>>();
  /** How what passes now is treated; read by the connections. */
  readonly weather = { delayMs: 0, sliceBytes: Number.POSITIVE_INFINITY, dark: false };

  private constructor(target: string) {
    this.#target = new URL(target);
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#accept(client));
  }

  /** A proxy on a free port of 127.0.0.1 before the server of this URL. */
  static async before(url: string): Promise<FaultProxy> {
    const proxy = new FaultProxy(url);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  /** The URL that was given, by way of the proxy. */
  get url(): string {
    const url = new URL(this.#target);
    url.hostname = "127.0.0.1";
    url.port = String((this.#server.address() as AddressInfo).port);
    return url.href;
  }

  /** Resets all connections, on both sides. Answers how many. */
  cut(): number {
    const links = [...this.#links];
    for (const link of links) link.cut();
    return links.length;
  }
  /** From now on the server of this URL is behind it; whoever was connected to another is cut off. */
  moveTo(url: string): void {
    this.#target = new URL(url);
    this.cut();
  }
  /** From now on each piece arrives `ms` later, either way; 0 ends it. */
  delay(ms: number): void {
    this.weather.delayMs = ms;
  }
  /** From now on what passes arrives in pieces of so many bytes; no argument ends it. */
  slice(bytes = Number.POSITIVE_INFINITY): void {
    this.weather.sliceBytes = bytes;
  }
  /** From now on nothing passes, and nobody is told; new connections are made and get no answer. */
  blackhole(): void {
    this.weather.dark = true;
  }
  /** What was held back goes on its way; no delay, no slices, and nothing waits for a request any more. */
  heal(): void {
    this.#traps.length = 0;
    Object.assign(this.weather, { delayMs: 0, sliceBytes: Number.POSITIVE_INFINITY, dark: false });
    for (const link of this.#links) link.flow();
  }

  /** The next `times` requests with a statement that matches are done, and their connections cut before the answer. Resolves when the last was caught. */
  dropAnswerOf(pattern: RegExp, times = 1): Promise<void> {
    return this.#trap(pattern, "answer lost", times);
  }
  /** The next `times` requests that match never arrive, and their connections are cut. */
  dropRequestOf(pattern: RegExp, times = 1): Promise<void> {
    return this.#trap(pattern, "request lost", times);
  }
  /** The next `times` transactions with a statement that matches are done once more, after they were committed and before their client hears of it. */
  duplicate(pattern: RegExp, times = 1): Promise<void> {
    return this.#trap(pattern, "doubled", times);
  }

  #trap(pattern: RegExp, fate: Trap["fate"], left: number): Promise<void> {
    return new Promise((sprung) => void this.#traps.push({ pattern, fate, left, sprung }));
  }

  /** The fate of a request, by the oldest trap that it matches. */
  fateOf(statements: readonly Statement[], fates: readonly Trap["fate"][]): Trap["fate"] | undefined {
    const trap = this.#traps.find((one) => fates.includes(one.fate) && statements.some(({ text }) => one.pattern.test(text)));
    if (trap === undefined) return undefined;
    if (--trap.left === 0) {
      this.#traps.splice(this.#traps.indexOf(trap), 1);
      trap.sprung();
    }
    return trap.fate;
  }

  /** P4. */
  async again(statements: readonly Statement[], login: Readonly<Record<string, string>>): Promise<void> {
    const url = new URL(this.#target);
    if (login.database !== undefined) url.pathname = `/${login.database}`;
    const client = new pg.Client({ connectionString: url.href });
    client.on("error", () => {});
    this.counts.doubled++;
    const work = (async () => {
      try {
        await client.connect();
        for (const { text, values } of statements) await client.query({ text, ...(values && { values: [...values] }) });
      } catch {
        this.counts.refused++;
      } finally {
        await client.end().catch(() => {});
      }
    })();
    this.#second.add(work);
    await work;
    this.#second.delete(work);
  }

  #accept(client: Socket): void {
    this.counts.connections++;
    const server = connect(Number(this.#target.port || 5432), this.#target.hostname);
    const link = new Link(this, client, server, () => this.#links.delete(link));
    this.#links.add(link);
  }

  async close(): Promise<void> {
    this.cut();
    this.#server.close();
    await Promise.all([once(this.#server, "close"), ...this.#second]);
  }
}

/** One connection: what comes from either side is read whole, and then goes its way. */
class Link {
  readonly #proxy: FaultProxy;
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #requests: Requests;
  readonly #answers = new Answers();
  readonly #up: Lane;
  readonly #down: Lane;
  /** Requests that the server has not answered, the oldest first; a login is none. */
  readonly #open: { readonly fate: Trap["fate"] | undefined }[] = [];
  /** The statements of the transaction that is under way. */
  #transaction: Statement[] = [];
  #heard: Promise<void> = Promise.resolve();
  #loggedIn = false;

  constructor(proxy: FaultProxy, client: Socket, server: Socket, gone: () => void) {
    this.#proxy = proxy;
    this.#client = client;
    this.#server = server;
    this.#up = new Lane(proxy, server);
    this.#down = new Lane(proxy, client);
    this.#requests = new Requests(() => this.#down.send(Buffer.from("N")));
    for (const socket of [client, server]) socket.setNoDelay(true);
    client.on("data", (bytes) => {
      for (const request of this.#requests.take(bytes)) this.#ask(request);
    });
    server.on("data", (bytes) => {
      // One after the other, also while a transaction is done once more.
      this.#heard = this.#heard.then(() => this.#hear(bytes));
    });
    client.on("end", () => this.#up.end());
    server.on("end", () => void this.#heard.then(() => this.#down.end()));
    let open = 2;
    for (const [one, other] of [[client, server] as const, [server, client] as const]) {
      one.on("error", () => other.resetAndDestroy());
      // What is held back for one side goes its way also when the other has gone.
      one.on("close", () => --open === 0 && gone());
    }
  }

  flow(): void {
    this.#up.flow();
    this.#down.flow();
  }

  cut(): void {
    this.#proxy.counts.cut++;
    this.#client.resetAndDestroy();
    this.#server.resetAndDestroy();
  }

  #ask({ bytes, statements, awaited }: Request): void {
    const fate = this.#proxy.fateOf(statements, ["answer lost", "request lost"]);
    if (fate === "request lost") {
      this.#proxy.counts.requestsLost++;
      this.cut();
      return;
    }
    if (awaited) this.#open.push({ fate });
    this.#transaction.push(...statements);
    this.#up.send(bytes);
  }

  async #hear(bytes: Buffer): Promise<void> {
    for (const message of this.#answers.take(bytes)) {
      const asked = this.#open[0];
      if (message.ready === undefined) {
        if (asked?.fate !== "answer lost") this.#down.send(message.bytes);
        continue;
      }
      if (this.#loggedIn) this.#open.shift();
      this.#loggedIn = true;
      if (asked?.fate === "answer lost") {
        // P2.
        this.#proxy.counts.answersLost++;
        this.cut();
        return;
      }
      if (message.ready === "I") {
        const done = this.#transaction;
        this.#transaction = [];
        if (this.#proxy.fateOf(done, ["doubled"]) !== undefined) await this.#proxy.again(done, this.#requests.login);
      }
      this.#down.send(message.bytes);
    }
  }
}

/** One direction of a connection: keeps the order of what it sends, however late and in however many pieces. */
class Lane {
  readonly #proxy: FaultProxy;
  readonly #socket: Socket;
  readonly #waiting: (Buffer | "end")[] = [];
  #busy = false;

  constructor(proxy: FaultProxy, socket: Socket) {
    this.#proxy = proxy;
    this.#socket = socket;
  }

  send(bytes: Buffer): void {
    this.#waiting.push(bytes);
    this.flow();
  }
  end(): void {
    this.#waiting.push("end");
    this.flow();
  }

  flow(): void {
    if (!this.#busy) void this.#run();
  }

  async #run(): Promise<void> {
    this.#busy = true;
    const { weather } = this.#proxy;
    while (this.#waiting.length > 0 && !weather.dark && !this.#socket.destroyed) {
      if (weather.delayMs > 0) {
        await new Promise((resolve) => setTimeout(resolve, weather.delayMs));
        // It may have gone dark meanwhile.
        if (weather.dark) break;
      }
      const next = this.#waiting.shift() as Buffer | "end";
      if (next === "end") this.#socket.end();
      else await this.#pieces(next);
    }
    this.#busy = false;
  }

  async #pieces(bytes: Buffer): Promise<void> {
    const { weather } = this.#proxy;
    for (let at = 0; at < bytes.length && !this.#socket.destroyed; ) {
      const size = Math.min(weather.sliceBytes, bytes.length - at);
      this.#socket.write(bytes.subarray(at, at + size));
      at += size;
      // A turn of the event loop between pieces, or the kernel would put them together.
      if (at < bytes.length) await new Promise((resolve) => setImmediate(resolve));
    }
  }
}
