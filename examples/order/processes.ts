/** Child processes that talk in lines of JSON, and go when their parent goes. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export interface Child {
  readonly process: ChildProcess;
  /** Its exit code, or the signal that killed it. */
  readonly gone: Promise<number | string>;
}

/** Starts a program that lies beside this one; `hear` gets every line it says. */
export function start(program: string, args: readonly string[], hear: (message: unknown) => void): Child {
  const path = fileURLToPath(new URL(`./${program}.js`, import.meta.url));
  const child = spawn(process.execPath, [path, ...args], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout });
  lines.on("line", (line) => hear(JSON.parse(line)));
  const gone = new Promise<number | string>((resolve) => child.once("close", (code, signal) => resolve(signal ?? code ?? 1)));
  return { process: child, gone };
}

/** In a child: one line to the parent. */
export function say(message: object): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

/** In a child: `leave` when the parent closes our input, or dies. */
export function exitWithParent(leave: () => void = () => process.exit(0)): void {
  process.stdin.on("end", leave).on("error", leave).resume();
}
