/**
 * Retention: ended runs in the order of their ends, the ids of those that were removed, and which run a fork shares its past
 * with.
 *
 * The trigger is for a start that meets the removal of its own id: it waits for the row to go, and could not see in the
 * snapshot of its statement that the id is kept. The trigger looks again; the start is then tried again, and sees it.
 */
export const sql = `
ALTER TABLE @.runs ADD COLUMN origin text COLLATE "C";
CREATE INDEX runs_ended ON @.runs (ended_at, run_no) WHERE ended_at IS NOT NULL;
CREATE INDEX runs_origin ON @.runs (origin) WHERE origin IS NOT NULL;

CREATE TABLE @.pruned (
  id         text COLLATE "C" PRIMARY KEY,
  run_no     bigint NOT NULL,
  workflow   text COLLATE "C" NOT NULL,
  version    text COLLATE "C" NOT NULL,
  digest     text NOT NULL,
  status     text COLLATE "C" NOT NULL,
  priority   bigint NOT NULL,
  created_at bigint NOT NULL,
  ended_at   bigint NOT NULL,
  parent     text COLLATE "C"
);
CREATE INDEX pruned_by_end ON @.pruned (ended_at);

CREATE FUNCTION @.refuse_pruned() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
  PERFORM 1 FROM made m WHERE (SELECT p.id FROM @.pruned p WHERE p.id = m.id) IS NOT NULL;
  IF FOUND THEN
    RAISE unique_violation USING MESSAGE = 'the id of a run that was removed is kept';
  END IF;
  RETURN NULL;
END $body$;
CREATE TRIGGER runs_refuse_pruned AFTER INSERT ON @.runs REFERENCING NEW TABLE AS made
  FOR EACH STATEMENT EXECUTE FUNCTION @.refuse_pruned();
`;
