/**
 * The first schema. Payloads are JSON text. `turns` is a rowid table: its rows are only ever appended, while a key made of
 * (run, turn) would scatter the writes of runs that go on side by side over the whole file.
 */
export const sql = `
CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE leases (
  lease_no INTEGER PRIMARY KEY AUTOINCREMENT,
  lease_id TEXT NOT NULL,
  pid      INTEGER NOT NULL,
  state    TEXT NOT NULL CHECK (state IN ('live', 'lapsed', 'released'))
) STRICT;
CREATE UNIQUE INDEX leases_one_live ON leases (state) WHERE state = 'live';

CREATE TABLE runs (
  run_no     INTEGER PRIMARY KEY AUTOINCREMENT,
  id         TEXT NOT NULL UNIQUE,
  workflow   TEXT NOT NULL,
  version    TEXT NOT NULL,
  digest     TEXT NOT NULL,
  status     TEXT NOT NULL,
  blocked    TEXT,
  priority   INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  ended_at   INTEGER,
  lease_no   INTEGER,
  wake_at    INTEGER,
  mail_put   INTEGER NOT NULL DEFAULT 0,
  mail_got   INTEGER NOT NULL DEFAULT 0,
  parent     TEXT
) STRICT;
CREATE INDEX runs_open ON runs (lease_no, wake_at, priority) WHERE ended_at IS NULL AND blocked IS NULL;
CREATE INDEX runs_blocked ON runs (workflow, version) WHERE blocked IS NOT NULL;
CREATE INDEX runs_mailed ON runs (lease_no) WHERE mail_put > mail_got;
CREATE INDEX runs_by_status ON runs (status) WHERE status <> 'completed';
CREATE INDEX runs_by_workflow ON runs (workflow);

CREATE TABLE turns (
  id     INTEGER PRIMARY KEY,
  run_no INTEGER NOT NULL,
  turn   INTEGER NOT NULL,
  epoch  INTEGER NOT NULL,
  pos    INTEGER NOT NULL,
  next   INTEGER NOT NULL,
  at     INTEGER NOT NULL,
  final  INTEGER NOT NULL,
  facts  TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX turns_by_run ON turns (run_no, turn);

CREATE TABLE inbox (
  run_no     INTEGER NOT NULL,
  seq        INTEGER NOT NULL,
  message_id TEXT NOT NULL,
  kind       TEXT NOT NULL,
  body       TEXT NOT NULL,
  PRIMARY KEY (run_no, seq)
) STRICT;
CREATE UNIQUE INDEX inbox_once ON inbox (run_no, message_id);

CREATE TABLE blobs (
  run_no INTEGER NOT NULL,
  hash   TEXT NOT NULL,
  text   TEXT NOT NULL,
  PRIMARY KEY (run_no, hash)
) STRICT;

CREATE TABLE states (
  reducer TEXT NOT NULL,
  key     TEXT NOT NULL,
  state   TEXT NOT NULL,
  PRIMARY KEY (reducer, key)
) STRICT;

CREATE TABLE definitions (
  hash TEXT PRIMARY KEY,
  text TEXT NOT NULL
) STRICT;
`;
