/** What is typed becomes an exit code; data goes to stdout, everything else to stderr. main.ts makes a process of it. */
import { CommanderError } from "commander";
import { type ExitCode, exit, exitOf } from "./exit.ts";
import { programOf } from "./usage/program.ts";

/** Carries out a command. Never throws: what it throws is said. */
export async function answer(args: readonly string[], version: string): Promise<ExitCode> {
  let code: ExitCode = exit.done;
  try {
    await programOf(version, (ended) => {
      code = ended;
    }).parseAsync(args, { from: "user" });
  } catch (error) {
    // Commander has said it already.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exit.done : exit.usage;
    await complain(error, args);
    return exitOf(error);
  }
  return code;
}

/** Says what was thrown; with `--verbose` also where. */
export async function complain(error: unknown, args: readonly string[]): Promise<void> {
  const { complaint, styleOf } = await import("./output.ts");
  const { placeOf } = await import("./load.ts");
  const place = error instanceof Error ? placeOf(error) : undefined;
  process.stderr.write(`${complaint(error, place, styleOf(process.stderr), args.includes("--verbose"))}\n`);
}
