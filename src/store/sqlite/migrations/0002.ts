/**
 * The queue and schedules. A run with `queued_at` waits for somebody to take it, and its `wake_at` says only that it was
 * cancelled; each index holds nothing of the runs that are under way without limits.
 */
export const sql = `
ALTER TABLE runs ADD COLUMN queued_at INTEGER;
ALTER TABLE runs ADD COLUMN concurrency TEXT;
ALTER TABLE runs ADD COLUMN rate TEXT;
ALTER TABLE runs ADD COLUMN admitted_at INTEGER;
CREATE INDEX runs_queue ON runs (priority, queued_at, run_no, concurrency, rate) WHERE queued_at IS NOT NULL AND blocked IS NULL;
CREATE INDEX runs_queue_times ON runs (queued_at) WHERE queued_at IS NOT NULL AND blocked IS NULL;
CREATE INDEX runs_slotless ON runs (lease_no, wake_at, priority)
  WHERE ended_at IS NULL AND blocked IS NULL AND (parent IS NOT NULL OR queued_at IS NOT NULL);
CREATE INDEX runs_under_way ON runs (concurrency) WHERE concurrency IS NOT NULL AND ended_at IS NULL;
CREATE INDEX runs_admitted ON runs (admitted_at) WHERE rate IS NOT NULL;

CREATE TABLE schedules (
  id       TEXT PRIMARY KEY,
  revision TEXT NOT NULL,
  next_at  INTEGER,
  spec     TEXT NOT NULL,
  state    TEXT NOT NULL
) STRICT;
CREATE INDEX schedules_next ON schedules (next_at) WHERE next_at IS NOT NULL;
`;
