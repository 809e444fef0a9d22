/** What a URL of a database says, and how it is named to people: never with its password. */
import { OnexError } from "../../core/failure.ts";

/** What PostgreSQL's own programs take after the `?`, and what is of `pg` and of onex. One that is misspelt, such as `ssl-mode`, would do nothing. */
const parameters = new Set(
  `application_name binary channel_binding client_encoding connect_timeout database encoding fallback_application_name gssencmode
  gsslib hostaddr host idle_in_transaction_session_timeout keepalives keepalives_count keepalives_idle keepalives_interval
  krbsrvname load_balance_hosts lock_timeout options passfile password port query_timeout replication require_auth schema service ssl
  ssl_max_protocol_version ssl_min_protocol_version sslcert sslcertmode sslcompression sslcrl sslcrldir sslkey sslmode sslnegotiation
  sslpassword sslrootcert sslsni statement_timeout target_session_attrs tcp_user_timeout uselibpqcompat user`.split(/\s+/),
);

/** Throws OnexError `STORE_URL_INVALID`. */
export function checkUrl(url: string): URL {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || (parsed.protocol !== "postgres:" && parsed.protocol !== "postgresql:"))
    // The text itself may hold a password.
    throw new OnexError("STORE_URL_INVALID", "this is no URL of a PostgreSQL database; write postgres://USER@HOST:PORT/DATABASE");
  const unknown = [...parsed.searchParams.keys()].find((key) => !parameters.has(key));
  if (unknown !== undefined) {
    // A ? in a password makes a parameter of what follows.
    const isPassword = !/^[\w-]+$/.test(unknown) || /[@#]/.test(parsed.search + parsed.hash);
    const which = isPassword
      ? "what stands after its ? is no parameter (a ? in a password is written %3F)"
      : `there is no parameter ${unknown}`;
    throw new OnexError(
      "STORE_URL_INVALID",
      `URL of a PostgreSQL database: ${which}; there are schema, sslmode, sslrootcert, host and others of PostgreSQL: write postgres://USER@HOST:PORT/DATABASE?NAME=VALUE`,
    );
  }
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
