/** What was typed after `onex serve`, checked before anything is opened. */
import { OnexError } from "../../core/failure.ts";
import { durationAt } from "../../core/fields.ts";
import { isLoopback } from "../../server/guard.ts";
import { tokenOf } from "./token.ts";

export interface ServeOptions {
  readonly nodes?: readonly string[];
  readonly store?: string;
  readonly listen?: string;
  readonly port?: string;
  readonly host?: string;
  readonly tokenFile?: string;
  readonly allowHost?: readonly string[];
  readonly allowOrigin?: readonly string[];
  readonly lease?: string;
  readonly grace?: string;
  readonly verbose?: boolean;
}

export interface ServeSettings {
  readonly host: string;
  readonly port: number;
  readonly token: string | undefined;
  readonly allowHosts: readonly string[];
  readonly allowOrigins: readonly string[];
  readonly graceMs: number;
}

/** Throws OnexError `USAGE`, `INVALID_DURATION`, `SERVE_UNSAFE`, `FILE_MISSING`. */
export function settingsOf(options: ServeOptions, env: NodeJS.ProcessEnv, warn: (message: string) => void): ServeSettings {
  const { host = "127.0.0.1", allowHost: allowHosts = [], allowOrigin: allowOrigins = [] } = options;
  const port = portOf(options.port ?? "3300");
  const graceMs = durationAt("--grace", options.grace ?? "10s");
  for (const name of allowHosts) checkHost(name);
  for (const origin of allowOrigins) checkOrigin(origin);
  const token = tokenOf(options.tokenFile, env.ONEX_TOKEN, warn);
  if (!isLoopback(host) && token === undefined)
    throw new OnexError(
      "SERVE_UNSAFE",
      `--host ${host} can be reached from other machines, and whoever reaches it could steer all runs: give a token with --token-file FILE or ONEX_TOKEN`,
    );
  return { host, port, token, allowHosts, allowOrigins, graceMs };
}

function portOf(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535)
    throw new OnexError("USAGE", `--port ${text}: write a number from 0 (any free one) to 65535`);
  return port;
}

function checkHost(text: string): void {
  if (!/^(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?$/i.test(text))
    throw new OnexError("USAGE", `--allow-host ${text}: write a name alone, such as orders.example`);
}

/** Browsers send origins in one form. */
function checkOrigin(text: string): void {
  const origin = URL.canParse(text) ? new URL(text).origin : "null";
  if (origin === text && origin !== "null") return;
  throw new OnexError("USAGE", `--allow-origin ${text}: write ${origin === "null" ? "an origin, such as https://shop.example" : origin}`);
}
