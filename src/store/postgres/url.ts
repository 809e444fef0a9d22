/** What a URL of a database says, and how it is named to people: never with its password. */
import { OnexError } from "../../core/failure.ts";

/** Throws OnexError `STORE_URL_INVALID`. */
export function checkUrl(url: string): URL {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || (parsed.protocol !== "postgres:" && parsed.protocol !== "postgresql:"))
    // The text itself may hold a password.
    throw new OnexError("STORE_URL_INVALID", "this is no URL of a PostgreSQL database; write postgres://USER@HOST:PORT/DATABASE");
  return parsed;
}

/** "postgres://host:port/database". */
export function nameOf(url: string): string {
  const { host, hostname, pathname, searchParams } = checkUrl(url);
  const at = hostname === "" ? (searchParams.get("host") ?? "localhost") : host;
  return `postgres://${at}${pathname === "/" ? "" : pathname}`;
}

/** With its schema, as `--store` takes it; "onex" is left out. */
export function placeOf(url: string, schema: string): string {
  return `${nameOf(url)}${schema === "onex" ? "" : `?schema=${schema}`}`;
}

export function checkSchema(schema: string): string {
  if (/^[a-z_][a-z0-9_]{0,39}$/.test(schema)) return schema;
  throw new OnexError(
    "OPTION_INVALID",
    `postgres(): schema ${JSON.stringify(schema)} is no name of a schema; use up to 40 small letters, digits and _`,
  );
}
