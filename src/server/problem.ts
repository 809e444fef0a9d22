/** Errors as people and programs read them over HTTP: `application/problem+json` (RFC 9457), one status for each code. */
import { OnexError } from "../core/failure.ts";

/** The HTTP status of an error, by its code; a code that is not here is the server's own fault: 500. */
export const statusOf: Readonly<Record<string, number>> = {
  INPUT_NOT_JSON: 400,
  OPTION_INVALID: 400,
  INVALID_DURATION: 400,
  OUTPUT_NOT_JSON: 400,
  TOKEN_REFUSED: 401,
  ORIGIN_REFUSED: 403,
  ROUTE_UNKNOWN: 404,
  RUN_UNKNOWN: 404,
  WORKFLOW_UNKNOWN: 404,
  METHOD_REFUSED: 405,
  RUN_ID_CONFLICT: 409,
  RUN_ENDED: 409,
  RUN_NOT_ENDED: 409,
  STEP_IN_DOUBT: 409,
  STEP_NOT_PAUSED: 409,
  FORK_IMPOSSIBLE: 409,
  FORK_STEP_OPEN: 409,
  FORK_UNDONE: 409,
  VALUE_TOO_LARGE: 413,
  MEDIA_TYPE_REFUSED: 415,
  HOST_REFUSED: 421,
  INPUT_INVALID: 422,
  SIGNAL_INVALID: 422,
  HEADERS_TOO_LARGE: 431,
  ENGINE_FAILED: 500,
  SCHEMA_ASYNC: 500,
  SECRET_KEY_MISSING: 500,
  ADMISSION_REFUSED: 503,
  ORCHESTRATOR_CLOSED: 503,
  OWNERSHIP_LOST: 503,
  SERVER_CLOSING: 503,
  SERVER_NOT_READY: 503,
  START_TIMEOUT: 503,
  STORE_BUSY: 503,
  STORE_FAILED: 503,
  FENCED: 503,
};

const titles: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  409: "Conflict",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  421: "Misdirected Request",
  422: "Unprocessable Content",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  503: "Service Unavailable",
};

/** A problem as it is sent. `type` names the code's place in the documentation. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  readonly instance?: string;
}

/** What an error tells the caller: of those that nobody planned, and of a failing store, the log knows more. */
export function problemOf(thrown: unknown, instance?: string): Problem {
  const known = thrown instanceof OnexError ? statusOf[thrown.code] : undefined;
  const code = thrown instanceof OnexError && known !== undefined ? thrown.code : "ENGINE_FAILED";
  const status = known ?? 500;
  const told = thrown instanceof OnexError && known !== undefined && !isInner(thrown);
  return {
    type: `/docs/errors.md#${code.toLowerCase()}`,
    title: titles[status] ?? "Error",
    status,
    detail: told ? thrown.message : "the server could not do this; its log says why",
    code,
    ...(instance === undefined ? {} : { instance }),
  };
}

/** Whether the cause is the server's: then its words are for the log, not for the caller. */
export function isInner(thrown: unknown): boolean {
  if (!(thrown instanceof OnexError)) return true;
  const status = statusOf[thrown.code] ?? 500;
  return status === 500 || thrown.code === "STORE_FAILED";
}

/** The answer that says so; more headers by name. */
export function problemResponse(thrown: unknown, instance?: string, headers: Readonly<Record<string, string>> = {}): Response {
  const problem = problemOf(thrown, instance);
  return new Response(`${JSON.stringify(problem)}\n`, {
    status: problem.status,
    headers: { ...headersOf(problem), ...headers, "content-type": "application/problem+json" },
  });
}

function headersOf({ status, code }: Problem): Record<string, string> {
  if (code === "TOKEN_REFUSED") return { "www-authenticate": 'Bearer realm="onex"' };
  return status === 503 ? { "retry-after": "1" } : {};
}
