import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { skipWithoutPostgres } from "../../../test/postgres/binaries.ts";
import { startPostgres, type TestServer } from "../../../test/postgres/server.ts";
import { type Subject, storeSuite } from "../suite.ts";
import { postgres } from "./postgres.ts";

const runner = { describe, test, expect, skip: (name: string) => test.skip(name, () => {}) };

describe.skipIf(skipWithoutPostgres("the PostgreSQL store against the suite of all stores"))("one server", () => {
  let server: TestServer;
  let schemas = 0;
  beforeAll(async () => {
    // What a power cut leaves is not the point here, and a new schema for each scenario is much to write.
    server = await startPostgres({ settings: { fsync: "off" } });
  });
  afterAll(() => server.stop());

  /** A schema of its own for each scenario. */
  function make(): Subject {
    const schema = `s${++schemas}`;
    return {
      store: postgres(server.url(), { schema }),
      // As another owner does when a lease has run out.
      loseOwner: async () => {
        await server.query(`UPDATE ${schema}.leases SET state = 'lapsed', ended_at = clock_timestamp() WHERE state = 'live';
          UPDATE ${schema}.runs SET lease_no = NULL, wake_at = 0, put_by = NULL WHERE lease_no IS NOT NULL`);
      },
    };
  }

  storeSuite(runner, "postgres", { make, owners: "many" });
});
