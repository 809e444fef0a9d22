/** What to do about an error of PostgreSQL, or of the way to it. */
import { OnexError } from "../../core/failure.ts";
import type { DatabaseError } from "./errors.ts";

/** How a user gets in; the password may stand outside the URL. */
const password = "the password stands in the URL, in PGPASSWORD or in ~/.pgpass";

const byState: Readonly<Record<string, string>> = {
  "28P01": `correct user and password: ${password}`,
  "28000": "correct the user in the URL, or let it in with a line in pg_hba.conf (it may want TLS: add ?sslmode=verify-full)",
  "3D000": "make the database with createdb, or correct its name in the URL",
  "42501":
    "its administrator gives the right: GRANT CREATE ON DATABASE … TO the user, or CREATE SCHEMA … AUTHORIZATION the user; for tables that are there, be their owner",
  "53300": "the server takes no more connections: raise max_connections, or run fewer processes (each orchestrator needs up to 8)",
  "25006": "it takes no writes: name the primary server, not a standby",
};

const byCode: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there: start the server, or correct host and port in the URL",
  ENOTFOUND: "there is no machine of that name: correct the host in the URL",
  EAI_AGAIN: "the name of the host cannot be looked up now: correct it in the URL, or mend the network",
  ENOENT: "there is no socket of a server: start it, or correct ?host= and port in the URL",
  EACCES: "this user may not open the socket: correct ?host= in the URL, or the rights of its folder",
  EHOSTUNREACH: "there is no way to that machine: correct the host in the URL, or mend the network",
  ETIMEDOUT: "nothing answers there: correct host and port in the URL, or let a firewall pass it",
};

/** Of the way to the server: these do not pass by themselves. */
const lasting: readonly (readonly [RegExp, string])[] = [
  [/password must be a string|no password|client password/i, `it wants a password, and none was given: ${password}`],
  [/does not support SSL/i, "it speaks no TLS: take sslmode out of the URL, or turn ssl on in postgresql.conf"],
  [/certificate|self.signed/i, "its certificate is not trusted: name that of its authority with ?sslrootcert=FILE"],
];
const byText: readonly (readonly [RegExp, string])[] = [
  ...lasting,
  [/timeout/i, "nothing answers there: correct host and port in the URL, or let a firewall pass it"],
];

/** Undefined where there is nothing to say that the message does not. */
export function adviceOn(error: DatabaseError): string | undefined {
  const code = causesOf(error)
    .map((cause) => (cause as { readonly code?: unknown }).code)
    .find((found): found is string => typeof found === "string" && found in byCode);
  return byState[error.state] ?? byText.find(([text]) => text.test(error.message))?.[1] ?? (code === undefined ? undefined : byCode[code]);
}

/** A connection that fails so is not worth another try, though the server has refused nothing. */
export function isLasting(error: DatabaseError): boolean {
  return error.state === "" && lasting.some(([text]) => text.test(error.message));
}

/** What happened, in words: Node gives several failures of one name no message. */
export function wordsOf(error: DatabaseError): string {
  const words = [...new Set(causesOf(error).map(({ message }) => message))].filter((message) => message !== "").join("; ");
  return error.state === "" ? words || error.message : `${error.message} (SQLSTATE ${error.state})`;
}

/** An error with what to do: "<name> cannot be used: <what>; <what to do>". */
export function advised(name: string, error: DatabaseError): OnexError {
  const advice = adviceOn(error) ?? "mend the cause, then try again";
  return new OnexError("STORE_FAILED", `${name} cannot be used: ${wordsOf(error)}; ${advice}`, { cause: error });
}

function causesOf({ cause }: DatabaseError): readonly Error[] {
  if (cause instanceof AggregateError) return cause.errors.filter((one): one is Error => one instanceof Error);
  return cause instanceof Error ? [cause] : [];
}
