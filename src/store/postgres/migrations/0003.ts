/**
 * Files that were or are moved into this database. Of one that is under way, the rows that would be seen (runs, states, …) stand
 * in tables of its own, `promotion_<no>_…`, until it is done.
 */
export const sql = `
CREATE TABLE @.promotions (
  no       integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  store    text COLLATE "C" NOT NULL UNIQUE,
  file     text NOT NULL,
  state    text NOT NULL CHECK (state IN ('copying', 'done', 'aborted')),
  session  integer NOT NULL DEFAULT 1,
  progress text NOT NULL DEFAULT '{}',
  began_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  ended_at timestamptz
);
`;
