/** How this process becomes an owner, and lets go. */
import { hostname } from "node:os";
import type { ClientConfig } from "pg";
import type { Owner } from "../store.ts";
import { monotonicMs } from "./clock.ts";
import { ownershipLost } from "./errors.ts";
import { Lease, type LeaseEvents } from "./lease.ts";
import type { Line } from "./line.ts";
import type { Work } from "./pool.ts";
import type { Statements } from "./sql.ts";
import { decodeText, encodeText } from "./text.ts";

/** Runs that are freed by one statement. */
const chunk = 5_000;

export interface OwnershipTools extends Pick<LeaseEvents, "learn" | "trouble"> {
  readonly statements: Statements;
  /** Where owners hear of work. */
  readonly channel: string;
  /** Of the connection that renews. */
  readonly config: ClientConfig;
  readonly schema: string;
  readonly leaseMs: number;
  readonly renewMs: number | undefined;
  readonly stallMs: number;
  use<T>(work: Work<T>): Promise<T>;
  /** As `use`, for what others should hear of. */
  write<T>(work: Work<T>): Promise<T>;
}

export class Ownership {
  lease: Lease | undefined;
  readonly #tools: OwnershipTools;

  constructor(tools: OwnershipTools) {
    this.#tools = tools;
  }

  /** The live lease. Throws OnexError `OWNERSHIP_LOST`. */
  mine(): Lease {
    if (this.lease === undefined || this.lease.isOver) throw ownershipLost("this process holds no lease on the store");
    return this.lease;
  }

  async acquire(leaseId: string, lost: (why: string) => void = () => {}): Promise<{ readonly leaseNo: number }> {
    await this.release();
    const { statements, channel, config, schema, leaseMs, renewMs, stallMs, use, write, learn, trouble } = this.#tools;
    const leaseNo = await use(async (line) => (await statements.run(line, "SELECT nextval('@.lease_numbers') AS no"))[0]?.no as number);
    const since = monotonicMs();
    await write((line) =>
      statements.run(
        line,
        `INSERT INTO @.leases (lease_no, lease_id, pid, host, state, expires_at)
         VALUES ($1, $2, $3, $4, 'live', clock_timestamp() + $5 * interval '1 millisecond') ON CONFLICT DO NOTHING`,
        ...[leaseNo, encodeText(leaseId), process.pid, hostname(), leaseMs],
      ),
    );
    this.lease = new Lease({ config, schema, channel, leaseNo, leaseMs, renewMs, stallMs, since }, { lost, learn, trouble });
    return { leaseNo };
  }

  /** Its runs are free at once, and others hear of it with the commit. */
  async release(): Promise<void> {
    const { lease } = this;
    this.lease = undefined;
    if (lease === undefined) return;
    await lease.stop();
    const { statements, channel, write } = this.#tools;
    const free = async (line: Line): Promise<number> => {
      const rows = await statements.run(
        line,
        `UPDATE @.runs SET lease_no = NULL, wake_at = 0, put_by = NULL, claim_until = NULL WHERE run_no IN (
           SELECT run_no FROM @.runs WHERE lease_no = $1 AND lease_no IS NOT NULL ORDER BY run_no LIMIT ${chunk} FOR NO KEY UPDATE)
         RETURNING 1 AS one`,
        lease.leaseNo,
      );
      await statements.run(line, "SELECT pg_notify($1, ':freed')", channel);
      return rows.length;
    };
    let freed = await write((line) =>
      line.transact(async () => {
        // Of a lease that has lapsed, the others free the runs.
        const ended = await statements.run(
          line,
          "UPDATE @.leases SET state = 'released', ended_at = clock_timestamp() WHERE lease_no = $1 AND state = 'live' RETURNING 1 AS one",
          lease.leaseNo,
        );
        return ended.length === 0 ? 0 : free(line);
      }),
    );
    while (freed === chunk) freed = await write(free);
  }

  /** One of the live; this process's own, if it is one. */
  async owner(): Promise<Owner | undefined> {
    const { statements, use } = this.#tools;
    const [row] = await use((line) =>
      statements.run(
        line,
        `SELECT lease_id, pid, host FROM @.leases WHERE state = 'live' AND expires_at > clock_timestamp()
         ORDER BY lease_no = $1 DESC, lease_no DESC LIMIT 1`,
        this.lease?.leaseNo ?? 0,
      ),
    );
    return row && { leaseId: decodeText(row.lease_id as string), pid: row.pid as number, host: row.host as string };
  }
}
