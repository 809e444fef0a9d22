import { expect, test } from "vitest";
import type { LeaseView } from "../../store/postgres/contents.ts";
import type { PostgresInspection } from "../../store/postgres/inspect.ts";
import { storeUrl } from "../store.ts";
import { judged } from "./postgres.ts";

const at = storeUrl("postgres://u:s3cret@h/d", "");
const lease = (pid: number, runs: number): LeaseView => ({ host: "one", pid, leaseId: "l", since: 0, runs });
const well: PostgresInspection = {
  ...{
    name: "postgres://h/d",
    server: "16.4",
    serverNumber: 160_004,
    roundTripMs: 0.42,
    clockAheadMs: 3,
    connections: 10,
    isStandby: false,
  },
  settings: {
    ...{ fsync: "on", synchronous_commit: "on", full_page_writes: "on", max_connections: "100", superuser_reserved_connections: "3" },
    ...{ statement_timeout: "0", idle_session_timeout: "0", synchronous_standby_names: "", autovacuum: "on" },
  },
  ...{ standbys: [], schema: { found: 2, known: 2, minReader: 2 }, missingRights: [], listens: true },
  ...{ owners: [lease(7, 4)], lapsed: [], counts: { running: 4 }, blocked: [], oldestPending: undefined, overdue: undefined, paused: [] },
  ...{ bytes: 2 ** 24, tables: [], hasSealed: false },
};
const amiss = (found: Partial<PostgresInspection>, env: NodeJS.ProcessEnv = {}): string[] =>
  judged({ ...well, ...found }, at, { now: () => 60_000, env })
    .filter(({ level }) => level !== "fine")
    .map(({ level, what, found, mend }) => `${level} ${what}: ${found} → ${mend}`);
const settings = (more: Partial<PostgresInspection["settings"]>) => ({ settings: { ...well.settings, ...more } });

test("one that is well", () => {
  expect(amiss({})).toEqual([]);
});

test.each<[string, Partial<PostgresInspection>, RegExp]>([
  ["an old server", { server: "12.9", serverNumber: 120_009 }, /^wrong server: PostgreSQL 12.9 is too old → update it/],
  ["a standby", { isStandby: true, listens: undefined }, /^wrong server: it is a standby.*→ name the primary/],
  ["a long way", { roundTripMs: 80.3 }, /^warning way: 80 ms there and back/],
  ["clocks apart", { clockAheadMs: -4_000 }, /^warning clock: the database is 4.0 s behind this machine/],
  ["fsync off", settings({ fsync: "off" }), /^wrong durability: fsync off: .* → turn it on/],
  ["a standby that no commit reaches", settings({ synchronous_standby_names: "b" }), /^wrong replication: .*no commit returns/],
  ["full of others", { connections: 95 }, /^warning connections: 95 of 97 .*no room for another one → raise max_connections/],
  ["full, once all have theirs", { owners: Array.from({ length: 12 }, (_, i) => lease(i, 1)) }, /^warning connections: 10 of 97 /],
  ["a pooler", { listens: false }, /^warning notices: LISTEN hears nothing: a pooler/],
  ["rest that is short", settings({ idle_session_timeout: "5000" }), /^warning timeouts: idle_session_timeout is 5.0 s/],
  ["a newer schema", { schema: { found: 9, known: 2, minReader: 9 } }, /^wrong schema: onex is of a newer onex \(9; .*→ update onex here/],
  ["rights", { missingRights: ["u may not read and write runs"] }, /^wrong rights: u may not read and write runs → .*grants SELECT/],
  ["nobody left", { owners: [], lapsed: [lease(8, 2)] }, /^warning orchestrator: one process 8 is gone and had 2 runs: nobody takes them/],
  [
    "overdue",
    { overdue: { count: 3, id: "a", since: 30_000 } },
    /^warning overdue: 3 runs are due, and nobody has taken them, a for 30.0 s: /,
  ],
  ["no key", { hasSealed: true }, /^wrong key: secrets are sealed in it.*→ set ONEX_SECRET_KEY/],
  ["no vacuum", settings({ autovacuum: "off" }), /^warning vacuum: autovacuum is off/],
  ["dead rows", { tables: [{ name: "runs", rows: 10, dead: 30_000 }] }, /^warning vacuum: runs has 30000 dead rows and 10 live ones/],
])("%s", (_what, found, said) => {
  const lines = amiss(found);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(said);
  expect(lines[0]).not.toContain("s3cret");
});

test("what is not amiss: a lease that others follow, a newer schema that can be read, a key that is set", () => {
  expect(amiss({ lapsed: [lease(8, 2)] })).toEqual([]);
  expect(amiss({ schema: { found: 3, known: 2, minReader: 2 } })).toEqual([]);
  expect(amiss({ hasSealed: true }, { ONEX_SECRET_KEY: "k" })).toEqual([]);
});
