/**
 * The first schema. `@` stands for the schema that the user chose. Payloads are JSON text, times are ms since 1970.
 *
 * `put_by` is the lease that put a run down, or that it is set apart for until `claim_until`; NULL: anyone's. Run numbers
 * come in blocks, so that a process knows them before it writes. A turn names the lease under which it was written: so its
 * writer knows it again, when the answer was lost and another may have written the same.
 */
export const sql = `
CREATE SEQUENCE @.lease_numbers AS integer;
CREATE SEQUENCE @.run_numbers INCREMENT 1000;

CREATE TABLE @.leases (
  lease_no   integer PRIMARY KEY,
  lease_id   text NOT NULL,
  pid        integer NOT NULL,
  host       text NOT NULL,
  state      text NOT NULL CHECK (state IN ('live', 'lapsed', 'released')),
  started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  expires_at timestamptz NOT NULL,
  ended_at   timestamptz,
  freed      boolean NOT NULL DEFAULT false
) WITH (fillfactor = 50);
CREATE INDEX leases_live ON @.leases (lease_no) WHERE state = 'live';
CREATE INDEX leases_dead ON @.leases (lease_no) WHERE state <> 'live' AND NOT freed;

CREATE TABLE @.runs (
  run_no      bigint PRIMARY KEY,
  id          text COLLATE "C" NOT NULL,
  workflow    text COLLATE "C" NOT NULL,
  version     text COLLATE "C" NOT NULL,
  digest      text NOT NULL,
  status      text COLLATE "C" NOT NULL,
  blocked     text,
  priority    bigint NOT NULL,
  created_at  bigint NOT NULL,
  ended_at    bigint,
  lease_no    integer,
  put_by      integer,
  claim_until bigint,
  wake_at     bigint,
  mail_put    integer NOT NULL DEFAULT 0,
  mail_got    integer NOT NULL DEFAULT 0,
  parent      text COLLATE "C",
  queued_at   bigint,
  concurrency text COLLATE "C",
  rate        text COLLATE "C",
  admitted_at bigint
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX runs_by_id ON @.runs (id);
CREATE INDEX runs_due ON @.runs (wake_at, priority, run_no) WHERE lease_no IS NULL AND ended_at IS NULL AND wake_at IS NOT NULL;
CREATE INDEX runs_due_slotless ON @.runs (wake_at, priority, run_no)
  WHERE lease_no IS NULL AND ended_at IS NULL AND wake_at IS NOT NULL AND (parent IS NOT NULL OR queued_at IS NOT NULL);
CREATE INDEX runs_owned ON @.runs (lease_no) WHERE lease_no IS NOT NULL;
CREATE INDEX runs_mailed ON @.runs (lease_no, run_no) WHERE lease_no IS NOT NULL AND mail_put > mail_got;
CREATE INDEX runs_blocked ON @.runs (workflow, version) WHERE blocked IS NOT NULL;
CREATE INDEX runs_newest ON @.runs (created_at, run_no);
CREATE INDEX runs_by_status ON @.runs (status, created_at, run_no) WHERE status <> 'completed';
CREATE INDEX runs_by_workflow ON @.runs (workflow, created_at, run_no);
CREATE INDEX runs_queue ON @.runs (priority, queued_at, run_no) WHERE queued_at IS NOT NULL;
CREATE INDEX runs_queue_times ON @.runs (queued_at) WHERE queued_at IS NOT NULL;
CREATE INDEX runs_under_way ON @.runs (concurrency) WHERE concurrency IS NOT NULL AND ended_at IS NULL AND queued_at IS NULL;
CREATE INDEX runs_admitted ON @.runs (admitted_at) WHERE rate IS NOT NULL AND admitted_at IS NOT NULL;
CREATE INDEX runs_admitted_of ON @.runs (rate, admitted_at) WHERE rate IS NOT NULL AND admitted_at IS NOT NULL;

CREATE TABLE @.turns (
  run_no   bigint NOT NULL,
  turn     integer NOT NULL,
  epoch    bigint NOT NULL,
  pos      integer NOT NULL,
  next     integer NOT NULL,
  at       bigint NOT NULL,
  final    boolean NOT NULL,
  lease_no integer,
  facts    text NOT NULL,
  PRIMARY KEY (run_no, turn)
);

CREATE TABLE @.inbox (
  run_no     bigint NOT NULL,
  seq        integer NOT NULL,
  message_id text COLLATE "C" NOT NULL,
  kind       text NOT NULL,
  body       text NOT NULL,
  PRIMARY KEY (run_no, seq)
);
CREATE UNIQUE INDEX inbox_once ON @.inbox (run_no, message_id);

CREATE TABLE @.blobs (
  run_no bigint NOT NULL,
  hash   text COLLATE "C" NOT NULL,
  text   text NOT NULL,
  PRIMARY KEY (run_no, hash)
);

CREATE TABLE @.states (
  reducer text COLLATE "C" NOT NULL,
  key     text COLLATE "C" NOT NULL,
  state   text,
  PRIMARY KEY (reducer, key)
) WITH (fillfactor = 70);

CREATE TABLE @.definitions (
  hash text COLLATE "C" PRIMARY KEY,
  text text NOT NULL
);

CREATE TABLE @.schedules (
  id       text COLLATE "C" PRIMARY KEY,
  revision text NOT NULL,
  next_at  bigint,
  spec     text NOT NULL,
  state    text NOT NULL
);
CREATE INDEX schedules_next ON @.schedules (next_at, id) WHERE next_at IS NOT NULL;
`;
