/** `onex serve`: drives what is in the store, and answers the HTTP API. */
import { type ExitCode, exit } from "../exit.ts";
import { load } from "../load.ts";
import { onexVersion } from "../new/project.ts";
import { clean, cleanLines, Terminal } from "../output.ts";
import { type ServeOptions, settingsOf } from "../serve/options.ts";
import { interrupted, openSession } from "../session.ts";
import { existing, memoryNote, storeUrl, withLease, withListen } from "../store.ts";

export async function serve(files: readonly string[], options: ServeOptions): Promise<ExitCode> {
  const terminal = new Terminal();
  terminal.adoptConsole();
  const { red, yellow } = terminal.style;
  const at = withLease(withListen(storeUrl(options.store), options.listen), options.lease);
  const settings = settingsOf(options, process.env, (warning) => terminal.say(`${yellow("warning")} ${clean(warning)}`));
  const { host, port, token, allowHosts, allowOrigins, graceMs } = settings;
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
      log: { error: (message) => terminal.say(`${red("error")} ${cleanLines(message)}`) },
    });
    const stop = interrupted(terminal);
    const server = await listen(app, { host, port });
    const held = orchestrator.registry.list().map(({ type, version }) => `${type}@${version}`);
    terminal.say(
      `serving ${server.url}/api/v1 on ${at.url}: ${held.length === 0 ? "no workflows, so it starts nothing and drives no runs" : clean(held.join(", "))}`,
    );
    if (at.kind === "memory") terminal.say(memoryNote);
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
