/** `onex/postgres`: the store for more than one machine. */
export type { PostgresOptions } from "./options.ts";
export { postgres } from "./postgres.ts";
