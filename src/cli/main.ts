#!/usr/bin/env node
/** The command line. What can be typed stands in usage/; each command is loaded when it is asked for; exit codes stand in exit.ts. */
import { readFileSync } from "node:fs";
import type { ExitCode } from "./exit.ts";

// Answered before anything else is loaded: scripts and editors ask often.
if (process.argv.length === 3 && process.argv[2] === "--version")
  await new Promise(() => process.stdout.write(`${version()}\n`, () => process.exit()));
const [{ answer, complain }, { exit, exitOf }] = await Promise.all([import("./command-line.ts"), import("./exit.ts")]);

const typed = process.argv.slice(2);
let code: ExitCode = exit.done;

function version(): string {
  return (JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { version: string }).version;
}

/** Ends the process with everything written. */
function end(): void {
  process.stdout.write("", () => process.exit(code));
}

/** Nobody awaited what threw. */
async function fail(error: unknown): Promise<void> {
  await complain(error, typed);
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
  void fail(error).then(end);
});

code = await answer(typed, version());
await (await import("./flush.ts")).flush();
end();
