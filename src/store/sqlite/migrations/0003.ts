/**
 * Retention: ended runs in the order of their ends, the ids of those that were removed, and which run a fork shares its past
 * with. Two of the indexes hold nothing but forks and removed runs.
 */
export const sql = `
ALTER TABLE runs ADD COLUMN origin TEXT;
CREATE INDEX runs_ended ON runs (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX runs_origin ON runs (origin) WHERE origin IS NOT NULL;

CREATE TABLE pruned (
  id         TEXT PRIMARY KEY,
  run_no     INTEGER NOT NULL,
  workflow   TEXT NOT NULL,
  version    TEXT NOT NULL,
  digest     TEXT NOT NULL,
  status     TEXT NOT NULL,
  priority   INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  ended_at   INTEGER NOT NULL,
  parent     TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX pruned_by_end ON pruned (ended_at);
`;
