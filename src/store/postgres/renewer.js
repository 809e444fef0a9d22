/**
 * The thread that keeps a lease alive. It is plain JavaScript, since Node 20 starts no thread from TypeScript.
 *
 * R1 It renews only while the main loop beats: a process that hangs for longer than `stallMs` lets its lease lapse.
 * R2 `validUntil` is counted from before the renewal was sent, so it ends before the lease does.
 * R3 It calls another's lease lapsed only after it has itself renewed without a gap for one whole lease: after an outage of
 *    the database, nobody takes from those who could not renew either.
 * R4 A renewal that changes nothing means that the lease has ended. It never comes back; the thread ends with it.
 * R5 No error here ends the process.
 */
import { parentPort, workerData } from "node:worker_threads";
import pg from "pg";

/**
 * @typedef {{ config: import("pg").ClientConfig, schema: string, channel: string, leaseNo: number, leaseMs: number, renewMs?: number, stallMs: number,
 *   marginMs: number, shared: SharedArrayBuffer }} Task
 */
const { config, schema, channel, leaseNo, leaseMs, renewMs = leaseMs / 5, stallMs, marginMs, shared } = /** @type {Task} */ (workerData);
const [beat, validUntil] = [0, 1];
const cells = new BigInt64Array(shared);
const everyMs = leaseMs / 5;
/** Runs that are freed at a time, so that nobody waits long for their rows. */
const chunk = 1000;
/** A statement of a dead owner may be under way for this long, ms. */
const stragglersMs = 60_000;

let stopped = false;
/** @type {(() => void) | undefined} */
let wake;
/** @type {pg.Client | undefined} */
let client;
/** Since when it was renewed without a gap. */
let steadySince = Number.NaN;

parentPort?.on("message", () => {
  stopped = true;
  wake?.();
});

function monotonicMs() {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** @param {string} text @param {unknown[]} values */
async function query(text, ...values) {
  if (client === undefined) {
    const made = new pg.Client(config);
    made.on("error", () => {
      if (client === made) client = undefined;
    });
    await made.connect();
    await made.query("SET enable_seqscan = off; SET synchronous_commit = on; SET jit = off");
    client = made;
  }
  return (await client.query(text.replaceAll("@.", `"${schema}".`), values)).rows;
}

/** Answers whether the lease lives. */
async function renew() {
  const sent = monotonicMs();
  const [row] = await query(
    `UPDATE @.leases SET expires_at = clock_timestamp() + $2 * interval '1 millisecond' WHERE lease_no = $1 AND state = 'live'
     RETURNING extract(epoch FROM clock_timestamp()) * 1000 AS now`,
    leaseNo,
    leaseMs,
  );
  if (row === undefined) return false;
  const got = monotonicMs();
  const wasValid = Number(Atomics.load(cells, validUntil)) > got;
  if (!wasValid || Number.isNaN(steadySince)) steadySince = sent;
  Atomics.store(cells, validUntil, BigInt(Math.floor(sent + leaseMs - marginMs))); // R2
  parentPort?.postMessage({ told: Number(row.now), sent, got });
  return true;
}

/** Ends leases that have run out (R3), and frees the runs of all that have ended. Answers when to look again, ms from now. */
async function bury() {
  let soon = everyMs;
  const steadyMs = monotonicMs() - steadySince;
  if (steadyMs >= leaseMs) {
    await query(
      `UPDATE @.leases SET state = 'lapsed', ended_at = clock_timestamp()
       WHERE state = 'live' AND lease_no <> $1 AND expires_at < clock_timestamp()`,
      leaseNo,
    );
    const [next] = await query(
      `SELECT extract(epoch FROM min(expires_at) - clock_timestamp()) * 1000 AS ms FROM @.leases WHERE state = 'live' AND lease_no <> $1`,
      leaseNo,
    );
    if (next?.ms != null) soon = Math.max(20, Number(next.ms) + 20);
  } else soon = leaseMs - steadyMs + 20;
  const dead = await query(
    `SELECT lease_no, ended_at < clock_timestamp() - $1 * interval '1 millisecond' AS quiet FROM @.leases WHERE state <> 'live' AND NOT freed`,
    stragglersMs,
  );
  let freed = 0;
  for (const { lease_no, quiet } of dead) {
    let count = chunk;
    while (count === chunk) {
      const rows = await query(
        `UPDATE @.runs SET lease_no = NULL, wake_at = 0, put_by = NULL, claim_until = NULL WHERE run_no IN (
           SELECT run_no FROM @.runs WHERE lease_no = $1 AND lease_no IS NOT NULL LIMIT ${chunk} FOR NO KEY UPDATE SKIP LOCKED)
         AND lease_no = $1 RETURNING 1 AS one`,
        lease_no,
      );
      count = rows.length;
      freed += count;
    }
    if (quiet === true && count === 0) await query("UPDATE @.leases SET freed = true WHERE lease_no = $1", lease_no);
  }
  if (freed > 0) await query("SELECT pg_notify($1, ':freed')", channel);
  return Math.min(soon, everyMs);
}

/** @param {string} why */
function lost(why) {
  Atomics.store(cells, validUntil, 0n);
  parentPort?.postMessage({ lost: why });
  stopped = true;
}

async function live() {
  let renewAt = 0;
  while (!stopped) {
    let next = everyMs;
    try {
      if (monotonicMs() - Number(Atomics.load(cells, beat)) > stallMs) {
        lost(`the main loop of this process stood still for more than ${stallMs} ms`); // R1
        break;
      }
      if (monotonicMs() >= renewAt) {
        if (!(await renew())) {
          lost("it was not renewed in time, and others have ended it"); // R4
          break;
        }
        renewAt = monotonicMs() + renewMs;
      }
      next = Math.min(await bury(), renewAt - monotonicMs());
    } catch (error) {
      const broken = client;
      client = undefined;
      broken?.end().catch(() => {});
      parentPort?.postMessage({ trouble: error instanceof Error ? error.message : String(error) });
      renewAt = 0;
      next = Math.min(500, everyMs / 4) * (0.5 + Math.random() / 2);
    }
    if (stopped) break;
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.max(5, next));
      wake = () => {
        clearTimeout(timer);
        resolve(undefined);
      };
    });
  }
  await client?.end().catch(() => {});
  parentPort?.close();
}

void live();
