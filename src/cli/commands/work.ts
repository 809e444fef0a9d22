/** `onex work`: drives what is in the store, until it is stopped or has nothing to do. */
import { OnexError } from "../../core/failure.ts";
import { type ExitCode, exit } from "../exit.ts";
import { load } from "../load.ts";
import { goingOn, oneOf } from "../orchestrators.ts";
import { clean, Terminal } from "../output.ts";
import { atMost, interrupted, lookMs, openSession, workCommand } from "../session.ts";
import { storeUrl, withLease, withListen } from "../store.ts";

export interface WorkOptions {
  readonly nodes?: readonly string[];
  readonly store?: string;
  readonly listen?: string;
  readonly lease?: string;
  readonly untilIdle?: boolean;
  readonly verbose?: boolean;
}

export async function work(files: readonly string[], options: WorkOptions): Promise<ExitCode> {
  const terminal = new Terminal();
  terminal.adoptConsole();
  const at = withLease(withListen(storeUrl(options.store), options.listen), options.lease);
  if (at.kind === "memory")
    throw new OnexError(
      "USAGE",
      "work: a memory: store is empty when a process starts, so there is nothing to drive; name one with --store sqlite:FILE",
    );
  const nodes = options.nodes ?? [];
  if (files.length === 0 && nodes.length === 0)
    terminal.say(
      "no code was named: only runs of YAML workflows that need no nodes can go on (onex work MODULE…, or `onex work .` for the nodes in this folder)",
    );
  const loaded = await load(files, nodes);
  const session = await openSession(at, loaded, terminal, options.verbose === true);
  const { orchestrator } = session;
  const stop = interrupted(terminal);
  const known = loaded.workflows.map(({ contract }) => `${contract.name}@${contract.version}`);
  terminal.say(`working on ${at.url}${known.length === 0 ? "" : `: ${known.join(", ")}`}`);
  const shared = await oneOf(at);
  if (shared !== undefined && orchestrator.role === "owner") terminal.say(shared);
  if (orchestrator.role === "client" && shared === undefined)
    terminal.say(
      `another process drives the runs of ${at.url}; ${options.untilIdle ? "nothing is left to this one" : "this one takes over when it ends"}`,
    );
  // Without `--until-idle` only a signal ends it: this keeps the process alive meanwhile.
  const alive = setInterval(() => {}, 2 ** 30);
  try {
    const code = await Promise.race([stop, session.broken, ...(options.untilIdle ? [orchestrator.idle().then(() => undefined)] : [])]);
    await atMost(lookMs, namePaused());
    await session.close();
    const { steps, takenOver, redelivered } = orchestrator.stats();
    terminal.say(terminal.style.dim(`steps done: ${steps}, runs taken up: ${takenOver}, calls sent again: ${redelivered}`));
    const others = await atMost(lookMs, goingOn(at));
    if (code !== undefined && others !== undefined) terminal.say(`stopped; ${others}`);
    else if (code !== undefined) terminal.say("stopped; to go on:", `  ${workCommand(files, nodes, at)}`);
    return code ?? exit.done;
  } catch (error) {
    await session.close().catch(() => {});
    throw error;
  } finally {
    clearInterval(alive);
  }

  async function namePaused(): Promise<void> {
    for (const row of await orchestrator.list({ status: "paused", limit: 10 }))
      terminal.say(`paused: run ${clean(row.id)} (${clean(row.workflow)}); onex show ${clean(row.id)}${at.flag} says why`);
  }
}
