/** The `pg` package, loaded when a store is opened: who does not use PostgreSQL need not have it. */
import type { Client, ClientConfig } from "pg";
import { OnexError } from "../../core/failure.ts";

/** Makes a client that is not connected yet. */
export type Driver = (config: ClientConfig) => Client;

export async function loadDriver(load: () => Promise<typeof import("pg")> = () => import("pg")): Promise<Driver> {
  try {
    const { default: pg } = await load();
    return (config) => {
      try {
        return new pg.Client(config);
      } catch (error) {
        // It reads the files of certificates that the URL names.
        throw new OnexError(
          "STORE_URL_INVALID",
          `the URL of the database cannot be used: ${error instanceof Error ? error.message : error}; correct sslrootcert, sslcert or sslkey in it`,
          { cause: error },
        );
      }
    };
  } catch (error) {
    throw new OnexError("STORE_DRIVER_MISSING", "the PostgreSQL store needs the package pg: npm install pg", { cause: error });
  }
}
