/** `onex nodes`: serves computes, effects and streams to orchestrators elsewhere, until it is stopped. */
import { hostname as machineName } from "node:os";
import { OnexError } from "../../core/failure.ts";
import { createNodeHost } from "../../engine/host/host.ts";
import type { AnyNode } from "../../node/contract.ts";
import { type ExitCode, exit } from "../exit.ts";
import { load } from "../load.ts";
import { listen } from "../nodes/listen.ts";
import { type NodesOptions, servingOf } from "../nodes/options.ts";
import { clean, Terminal } from "../output.ts";
import { logTo } from "../session.ts";

export async function nodes(files: readonly string[], options: NodesOptions): Promise<ExitCode> {
  const terminal = new Terminal();
  terminal.adoptConsole();
  const { secrets, graceMs, maxCalls, record, ...at } = servingOf(options, process.env);
  const loaded = await load(files, []);
  const served = servable(loaded.nodes, files);
  const host = createNodeHost({
    nodes: served,
    provide: loaded.provide,
    maxCalls,
    log: logTo(terminal, options.verbose === true, () => {}),
    ...(secrets.length === 0 ? {} : { secret: secrets }),
    ...(record === undefined ? {} : { record }),
  });
  const stop = stopped(terminal);
  const listening = await listen(host, at);
  const url = urlOf(at.hostname, listening.port);
  terminal.say(
    `serving on ${url}, ${secrets.length > 0 ? "signed calls only" : "unsigned calls from this machine"}${record === undefined ? "" : `, answers recorded in ${clean(record)}`}`,
    ...served.map(({ contract: { kind, name, version } }) => `  ${kind} ${name}@${version}`),
    "an orchestrator names it with the option endpoints; for onex work, serve and run a module exports it:",
    "  export const endpoints = {",
    ...[...new Set(served.map(({ contract }) => contract.name))].map((name) => `    ${JSON.stringify(name)}: ${JSON.stringify(url)},`),
    "  };",
  );
  const left = loaded.nodes.length - served.length;
  if (left > 0) terminal.say(terminal.style.dim(`${left} of the nodes are workflows or reducers, which stay with their orchestrator`));
  await stop;
  terminal.say(`draining: new work is refused, what is under way has ${options.grace ?? "10s"} to end; once more to end at once`);
  await listening.close({ graceMs });
  terminal.say("stopped");
  return exit.done;
}

/** Throws OnexError `NODE_UNKNOWN` when there is nothing that could be served. */
function servable(nodes: readonly AnyNode[], files: readonly string[]): readonly AnyNode[] {
  const served = nodes.filter(({ contract: { kind } }) => kind === "compute" || kind === "effect");
  if (served.length > 0) return served;
  throw new OnexError(
    "NODE_UNKNOWN",
    `${files.join(", ")} ${files.length === 1 ? "exports" : "export"} no compute, effect or stream, and workflows and reducers stay with their orchestrator: name the module that exports the nodes`,
  );
}

/** How others reach it, as far as this process can know. */
function urlOf(bound: string, port: number): string {
  const everywhere = bound === "0.0.0.0" || bound === "::";
  const host = everywhere ? machineName() : bound.includes(":") ? `[${bound}]` : bound;
  return `http://${host}:${port}/nodes`;
}

/** Resolves at the first SIGINT or SIGTERM; the second ends the process at once. */
function stopped(terminal: Terminal): Promise<void> {
  return new Promise((resolve) => {
    let first = true;
    for (const [signal, code] of [
      ["SIGINT", exit.interrupted],
      ["SIGTERM", exit.terminated],
    ] as const)
      process.on(signal, () => {
        if (!first) {
          terminal.say(`${signal} again: ended at once; calls under way are in doubt`);
          process.exit(code);
        }
        first = false;
        resolve();
      });
  });
}
