/** `onex/postgres`: the store for more than one machine. */
export { type PostgresOptions, postgres } from "./postgres.ts";
