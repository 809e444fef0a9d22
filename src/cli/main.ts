#!/usr/bin/env node
/** The command line. What can be typed stands in usage/; each command is loaded when it is asked for; exit codes stand in exit.ts. */
import { readFileSync } from "node:fs";
import type { ExitCode } from "./exit.ts";

// Answered before anything else is loaded: scripts and editors ask often.
if (process.argv.length === 3 && process.argv[2] === "--version")
  await new Promise(() => process.stdout.write(`${version()}\n`, () => process.exit()));
const [{ CommanderError }, { exit, exitOf }, { programOf }] = await Promise.all([
  import("commander"),
  import("./exit.ts"),
  import("./usage/program.ts"),
]);

let code: ExitCode = exit.done;

function version(): string {
  return (JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { version: string }).version;
}

/** Ends the process with everything written. */
function end(): void {
  process.stdout.write("", () => process.exit(code));
}

async function fail(error: unknown, uncaught = false): Promise<void> {
  const { complaint, styleOf } = await import("./output.ts");
  const { placeOf } = await import("./load.ts");
  const verbose = process.argv.includes("--verbose");
  process.stderr.write(`${complaint(error, error instanceof Error ? placeOf(error) : undefined, styleOf(process.stderr), verbose)}\n`);
  if (uncaught)
    process.stderr.write("  nothing caught it (a promise without `await`?), so the process ends; what was begun is in the store\n");
  code = exitOf(error);
}

// A reader that has seen enough (`onex ls | head`) is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
});
// Node's own warnings that something it has is new (its SQLite, its TypeScript) are nobody's business here.
process.removeAllListeners("warning");
process.on("warning", (warning) => {
  if (warning.name !== "ExperimentalWarning") process.stderr.write(`warning ${warning.name}: ${warning.message}\n`);
});
process.on("uncaughtException", (error) => {
  void fail(error, true).then(end);
});

try {
  await programOf(version(), (ended) => {
    code = ended;
  }).parseAsync();
} catch (error) {
  // Commander has said it already.
  if (error instanceof CommanderError) code = error.exitCode === 0 ? exit.done : exit.usage;
  else await fail(error);
}
await (await import("./flush.ts")).flush();
end();
