/**
 * A PostgreSQL server of one's own, that comes and goes with the process that started it.
 *
 * K1 It is durable as in production (`fsync` is on): what it acknowledged outlives `kill()`.
 * K2 It listens on a socket in a folder that nobody else can enter, and on 127.0.0.1 with a password that nobody else knows.
 * K3 A process of its own (`watchdog.mjs`) ends it and removes its folder when this process is gone, however it went. `stop()`
 *    is the same: it closes the pipe to that process.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import pg from "pg";
import { type Account, type Binaries, findAccount, findBinaries, program } from "./binaries.ts";
import { initialize } from "./template.ts";

const run = promisify(execFile);
export interface ServerOptions {
  /** Settings of `postgresql.conf`, such as `{ max_connections: 20 }`. */
  readonly settings?: Readonly<Record<string, string | number>>;
  /** Default: what `findBinaries` answers. */
  readonly binaries?: Binaries;
  /** It is a standby of this one: a copy that goes on with what that one writes, until `promote()`. Needs `pg_basebackup`. */
  readonly standbyOf?: TestServer;
}

export interface TestServer {
  readonly name: string;
  /** The port on 127.0.0.1. */
  readonly port: number;
  /** `postgres://…` of a database, default "postgres"; over TCP, or the socket in the folder. */
  url(database?: string, over?: "tcp" | "socket"): string;
  /** Makes a database that is empty, or a copy of `template`; answers its name. */
  createDatabase(template?: string): Promise<string>;
  /** One statement on a connection of its own; answers its rows. */
  query(text: string, database?: string): Promise<readonly Readonly<Record<string, unknown>>[]>;
  /** "fast": it breaks off what is under way and ends in order. "immediate": it just ends, and recovers as after a crash. */
  restart(how: "immediate" | "fast"): Promise<void>;
  /** `kill -9`. Its children end by themselves. */
  kill(): Promise<void>;
  /** Begins again after `kill()`. */
  start(): Promise<void>;
  /** Stops the postmaster: whoever is connected stays so, nobody else gets in. */
  pause(): void;
  resume(): void;
  /** A standby becomes a server of its own. */
  promote(): Promise<void>;
  /** Ends it, and removes all that it had. */
  stop(): Promise<void>;
}

/** Starts a server, or uses the one that `ONEX_TEST_POSTGRES` names, which can be neither restarted nor stopped. Throws Error with what it logged. */
export async function startPostgres(options: ServerOptions = {}): Promise<TestServer> {
  const given = process.env.ONEX_TEST_POSTGRES;
  if (given !== undefined) return new ForeignServer(given);
  const { standbyOf } = options;
  if (standbyOf !== undefined && !(standbyOf instanceof OwnServer)) refuse();
  const server = new OwnServer(options.binaries ?? (await findBinaries()), findAccount(), options.settings ?? {}, standbyOf);
  try {
    await server.make();
    return server;
  } catch (error) {
    await server.stop();
    throw error;
  }
}

abstract class Databases {
  readonly #made: string[] = [];
  abstract url(database?: string): string;

  async query(text: string, database?: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
    const client = new pg.Client({ connectionString: this.url(database) });
    // A server that goes while it is asked makes the query fail; the connection itself is thrown away.
    client.on("error", () => {});
    try {
      await client.connect();
      return (await client.query(text)).rows;
    } finally {
      await client.end();
    }
  }

  async createDatabase(template = "template0"): Promise<string> {
    const name = `onex_test_${randomBytes(6).toString("hex")}`;
    await this.query(`CREATE DATABASE ${name} TEMPLATE ${template}`);
    this.#made.push(name);
    return name;
  }

  protected async drop(): Promise<void> {
    for (const name of this.#made.splice(0)) await this.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  }
}

class ForeignServer extends Databases implements TestServer {
  readonly name = "the server that ONEX_TEST_POSTGRES names";
  readonly #url: string;

  constructor(url: string) {
    super();
    this.#url = url;
  }
  get port(): number {
    return Number(new URL(this.#url).port || 5432);
  }
  url(database?: string): string {
    const url = new URL(this.#url);
    if (database !== undefined) url.pathname = `/${database}`;
    return url.href;
  }
  async restart(): Promise<void> {
    refuse();
  }
  async kill(): Promise<void> {
    refuse();
  }
  async start(): Promise<void> {
    refuse();
  }
  pause(): void {
    refuse();
  }
  resume(): void {
    refuse();
  }
  async promote(): Promise<void> {
    refuse();
  }
  async stop(): Promise<void> {
    await this.drop();
  }
}

function refuse(): never {
  throw new Error("ONEX_TEST_POSTGRES names a server that is not ours: guard the test with skipOnForeignServer");
}

class OwnServer extends Databases implements TestServer {
  readonly name: string;
  readonly #binaries: Binaries;
  readonly #account: Account | undefined;
  readonly #settings: Readonly<Record<string, string | number>>;
  readonly #primary: OwnServer | undefined;
  #password: string;
  readonly #folder: string;
  readonly #data: string;
  readonly #log: string;
  readonly #watchdog: ChildProcess;
  #server: ChildProcess | undefined;
  #port = 0;

  constructor(binaries: Binaries, account: Account | undefined, settings: Readonly<Record<string, string | number>>, primary?: OwnServer) {
    super();
    this.#primary = primary;
    this.#password = primary ? primary.#password : "";
    this.name = binaries.name;
    this.#binaries = binaries;
    this.#account = account;
    this.#settings = settings;
    this.#folder = mkdtempSync(join(tmpdir(), "onex-pg-"));
    this.#data = join(this.#folder, "data");
    this.#log = join(this.#folder, "log");
    const path = watchdog();
    // A group of its own: what a terminal sends to the tests is not for it.
    this.#watchdog = spawn(process.execPath, [path, this.#data, this.#folder], { stdio: ["pipe", "ignore", "inherit"], detached: true });
    this.#watchdog.unref();
    (this.#watchdog.stdin as unknown as { unref(): void }).unref();
  }

  get port(): number {
    return this.#port;
  }

  url(database = "postgres", over: "tcp" | "socket" = "tcp"): string {
    if (over === "socket") return `postgres://postgres@localhost:${this.#port}/${database}?host=${encodeURIComponent(this.#folder)}`;
    return `postgres://postgres:${this.#password}@127.0.0.1:${this.#port}/${database}`;
  }

  async make(): Promise<void> {
    mkdirSync(this.#data, { mode: 0o700 });
    if (this.#account) for (const path of [this.#folder, this.#data]) chownSync(path, this.#account.uid, this.#account.gid);
    chmodSync(this.#folder, 0o700);
    if (this.#primary) {
      const from = ["-h", this.#primary.#folder, "-p", `${this.#primary.#port}`, "-U", "postgres"];
      const how = ["--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--no-sync"];
      await run(program(this.#binaries, "pg_basebackup"), ["-D", this.#data, ...from, ...how], { ...this.#account, cwd: this.#folder });
      return this.start();
    }
    this.#password = await initialize(this.#data, this.#binaries, this.#account);
    await this.start();
  }

  async start(): Promise<void> {
    // A port that was free is somebody else's at times, and what a server that was killed left is freed by the last of its children.
    for (;;) {
      const from = existsSync(this.#log) ? statSync(this.#log).size : 0;
      if (await this.#tryToStart()) return;
      const said = readFileSync(this.#log, "utf8").slice(from);
      if (!/still in use|could not bind|could not create any TCP/.test(said)) throw new Error(`${this.name} does not start: ${said}`);
      await pause(50);
    }
  }

  /** Whether it takes connections now; it does not when it ended at once. */
  async #tryToStart(): Promise<boolean> {
    const again = this.#port !== 0;
    if (!again) this.#port = await freePort();
    const settings = {
      port: this.#port,
      listen_addresses: "127.0.0.1",
      unix_socket_directories: process.platform === "win32" ? "" : this.#folder,
      shared_buffers: "16MB",
      max_connections: 100,
      ...this.#settings,
    };
    const args = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
    const log = openSync(this.#log, "a");
    const server = spawn(program(this.#binaries, "postgres"), ["-D", this.#data, ...args], {
      ...this.#account,
      cwd: this.#folder,
      stdio: ["ignore", log, log],
      detached: true,
    });
    this.#server = server;
    server.unref();
    const gone = once(server, "exit").then(() => "gone");
    for (;;) {
      try {
        await this.query("SELECT 1");
        return true;
      } catch {
        if ((await Promise.race([gone, pause(20)])) === "gone") break;
      }
    }
    if (!again) this.#port = 0;
    return false;
  }

  async restart(how: "immediate" | "fast"): Promise<void> {
    await this.#end(how === "fast" ? "SIGINT" : "SIGQUIT");
    await this.start();
  }
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }
  pause(): void {
    this.#server?.kill("SIGSTOP");
  }
  resume(): void {
    this.#server?.kill("SIGCONT");
  }
  async promote(): Promise<void> {
    await this.query("SELECT pg_promote()");
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const server = this.#server;
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
    const gone = once(server, "exit");
    server.kill(signal);
    await gone;
  }

  async stop(): Promise<void> {
    if (this.#watchdog.exitCode !== null) return;
    const gone = once(this.#watchdog, "exit");
    this.#watchdog.ref();
    this.#watchdog.stdin?.end();
    const [code] = await gone;
    if (code !== 0) throw new Error(`${this.name} was not ended in order; its watchdog says why on stderr`);
  }
}

/** It lies in the sources, also when this file was compiled to another place. */
function watchdog(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json"))) folder = dirname(folder);
  return join(folder, "test", "postgres", "watchdog.mjs");
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { readonly port: number };
  server.close();
  await once(server, "close");
  return port;
}
