/** `onex serve`: drives what is in the store, and answers the HTTP API. */
import { OnexError } from "../../core/failure.ts";
import { durationAt } from "../../core/fields.ts";
import { type ExitCode, exit } from "../exit.ts";
import { load } from "../load.ts";
import { onexVersion } from "../new/project.ts";
import { clean, Terminal } from "../output.ts";
import { tokenOf } from "../serve/token.ts";
import { interrupted, openSession } from "../session.ts";
import { existing, storeUrl } from "../store.ts";

export interface ServeOptions {
  readonly nodes?: readonly string[];
  readonly store?: string;
  readonly port?: string;
  readonly host?: string;
  readonly tokenFile?: string;
  readonly allowOrigin?: readonly string[];
  readonly allowHost?: readonly string[];
  readonly grace?: string;
  readonly verbose?: boolean;
}

export async function serve(files: readonly string[], options: ServeOptions): Promise<ExitCode> {
  const terminal = new Terminal();
  terminal.adoptConsole();
  const at = storeUrl(options.store);
  const { host = "127.0.0.1", allowHost: allowHosts = [], allowOrigin: allowOrigins = [] } = options;
  const port = portOf(options.port ?? "3300");
  const graceMs = durationAt("--grace", options.grace ?? "10s");
  for (const origin of allowOrigins) checkOrigin(origin);
  const token = tokenOf(options.tokenFile, process.env.ONEX_TOKEN, (warning) =>
    terminal.say(`${terminal.style.yellow("warning")} ${warning}`),
  );
  const { isLoopback } = await import("../../server/guard.ts");
  if (!isLoopback(host) && token === undefined)
    throw new OnexError(
      "SERVE_UNSAFE",
      `--host ${clean(host)} can be reached from other machines, and whoever reaches it could steer all runs: give a token with --token-file FILE or ONEX_TOKEN`,
    );
  const nodes = options.nodes ?? [];
  // Without code it can only look and leave messages: it makes no store for that.
  if (files.length === 0 && nodes.length === 0) await existing(at);
  const loaded = await load(files, nodes);
  const [{ createApp }, { listen }] = await Promise.all([import("../../server/app.ts"), import("../../server/listen.ts")]);
  const session = await openSession(at, loaded, terminal, options.verbose === true);
  const { orchestrator } = session;
  try {
    const app = createApp(orchestrator, {
      ...{ host, allowHosts, allowOrigins, version: onexVersion() },
      ...(token === undefined ? {} : { token }),
      log: { error: (message) => terminal.say(`${terminal.style.red("error")} ${clean(message)}`) },
    });
    const stop = interrupted(terminal);
    const server = await listen(app, { host, port });
    const held = orchestrator.registry.list().map(({ type, version }) => `${type}@${version}`);
    terminal.say(
      `serving ${server.url}/api/v1 on ${at.url}: ${held.length === 0 ? "no workflows, so it starts nothing and drives no runs" : clean(held.join(", "))}`,
    );
    if (held.length > 0 && orchestrator.role === "client")
      terminal.say(`another process drives the runs of ${at.url}; this one takes over when it ends`);
    try {
      await Promise.race([stop, session.broken]);
    } finally {
      const began = performance.now();
      await server.close(graceMs);
      await session.close(Math.max(0, graceMs - (performance.now() - began)));
    }
    return exit.done;
  } catch (error) {
    await session.close(0).catch(() => {});
    throw error;
  }
}

function portOf(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535)
    throw new OnexError("USAGE", `--port ${text}: write a number from 0 (any free one) to 65535`);
  return port;
}

/** Throws OnexError `USAGE` for what no browser sends. */
function checkOrigin(text: string): void {
  const origin = URL.canParse(text) ? new URL(text).origin : "null";
  if (origin === text && origin !== "null") return;
  throw new OnexError("USAGE", `--allow-origin ${text}: write ${origin === "null" ? "an origin, such as https://shop.example" : origin}`);
}
