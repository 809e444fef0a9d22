/** What `onex nodes` was given, checked. */
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { OnexError } from "../../core/failure.ts";
import { durationAt } from "../../core/fields.ts";
import { checkSecret } from "../../engine/signature.ts";

export interface NodesOptions {
  readonly port?: string;
  readonly host?: string;
  readonly secretFile?: readonly string[];
  readonly maxCalls?: string;
  readonly grace?: string;
  readonly record?: string;
  readonly verbose?: boolean;
}

export interface Serving {
  readonly port: number;
  readonly hostname: string;
  /** Empty: nobody has to sign. */
  readonly secrets: readonly string[];
  readonly maxCalls: number;
  readonly graceMs: number;
  readonly record: string | undefined;
}

/** Throws OnexError `USAGE`, `FILE_MISSING`, `OPTION_INVALID`, `INVALID_DURATION`, `NODES_UNSAFE`. */
export function servingOf(options: NodesOptions, env: NodeJS.ProcessEnv): Serving {
  const { host: hostname = "127.0.0.1", secretFile = [], record } = options;
  const named = secretFile.map(secretIn);
  const secrets =
    named.length > 0 ? named : env.ONEX_NODE_SECRET ? [checkSecret("the secret in ONEX_NODE_SECRET", env.ONEX_NODE_SECRET)] : [];
  if (secrets.length === 0 && !isLoopback(hostname))
    throw new OnexError(
      "NODES_UNSAFE",
      `--host ${hostname} can be reached from other machines, and without a secret anybody there could ask for anything: give both sides one (--secret-file FILE here, or ONEX_NODE_SECRET on both sides), or leave --host out`,
    );
  return {
    port: wholeIn("--port", options.port ?? "3400", 0, 65_535),
    hostname,
    secrets,
    maxCalls: wholeIn("--max-calls", options.maxCalls ?? "256", 1, 1_000_000),
    graceMs: durationAt("--grace", options.grace ?? "10s"),
    record,
  };
}

function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "::1" || (isIP(hostname) === 4 && hostname.startsWith("127."));
}

/** The secret in a file, without the line end that editors leave. */
function secretIn(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new OnexError(
      "FILE_MISSING",
      `--secret-file ${file} cannot be read (${(error as NodeJS.ErrnoException).code}): openssl rand -hex 32 > ${file}`,
    );
  }
  return checkSecret(`the secret in ${file}`, text.trim());
}

function wholeIn(option: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw new OnexError("USAGE", `${option} ${text}: give a whole number from ${least} to ${most}`);
}
