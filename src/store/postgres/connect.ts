/** The first connection: is the server there, is it new enough, does it keep what it says, and are the tables ours. */
import { OnexError } from "../../core/failure.ts";
import type { StoreHost } from "../store.ts";
import { adviceOn, advised, isLasting, wordsOf } from "./advice.ts";
import { monotonicMs, type StoreClock } from "./clock.ts";
import { DatabaseError } from "./errors.ts";
import { Line, type Link } from "./line.ts";
import { migrate } from "./migrations.ts";

/** PostgreSQL 13. */
const leastVersion = 130_000;
const retryMs = 250;

export interface ConnectTask {
  readonly name: string;
  readonly host: StoreHost;
  readonly clock: StoreClock;
  readonly schema: string;
  readonly connectTimeoutMs: number;
}

/** Throws OnexError `STORE_FAILED`, `STORE_FOREIGN`. */
export async function connect(link: Link, task: ConnectTask): Promise<void> {
  const line = new Line(link);
  const until = monotonicMs() + task.connectTimeoutMs;
  try {
    for (;;) {
      try {
        await checkServer(line, task);
        await migrate(line, task.schema, task.name);
        return;
      } catch (error) {
        if (!(error instanceof DatabaseError)) throw error;
        if (!error.isTransient || isLasting(error)) throw advised(task.name, error);
        if (monotonicMs() + retryMs > until) throw unreachable(task, error);
      }
      await new Promise<void>((resolve) => void task.host.setTimer(retryMs, resolve));
    }
  } finally {
    await line.end();
  }
}

async function checkServer(line: Line, { name, host, clock }: ConnectTask): Promise<void> {
  await line.query("SELECT 1");
  const sent = monotonicMs();
  const [row] = await line.query(
    `SELECT extract(epoch FROM clock_timestamp()) * 1000 AS now, current_setting('server_version_num')::int AS version,
       current_setting('server_version') AS named, current_setting('fsync') AS fsync,
       current_setting('synchronous_commit') AS synchronous_commit, current_setting('full_page_writes') AS full_page_writes`,
  );
  clock.learn(Number(row?.now), sent, monotonicMs());
  if (Number(row?.version) < leastVersion)
    throw new OnexError("STORE_FAILED", `${name} is PostgreSQL ${row?.named}; onex needs 13 or later: update the server`);
  for (const setting of ["fsync", "synchronous_commit", "full_page_writes"] as const)
    if (row?.[setting] === "off")
      host.warn(
        "STORE_UNSAFE",
        `${name} runs with ${setting} = off: what was acknowledged may be lost in a power cut; turn it on in postgresql.conf`,
      );
}

function unreachable({ name, connectTimeoutMs }: ConnectTask, error: DatabaseError): OnexError {
  const advice = adviceOn(error) ?? "start the server, or correct host, port and database in the URL";
  const message = `${name} does not answer within ${connectTimeoutMs} ms: ${wordsOf(error)}; ${advice}`;
  return new OnexError("STORE_FAILED", message, { cause: error });
}
