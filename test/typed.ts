/**
 * What is typed, carried out in this process as main.ts does it: what it says is caught. For commands that look, send, or refuse;
 * where the process is the point (signals, a kill, what it holds, the modules of a user) one is started instead.
 */
import { Readable } from "node:stream";
import { answer } from "../src/cli/command-line.ts";

export interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const signals = ["SIGINT", "SIGTERM"] as const;

/** Standard streams, console, folder and environment belong to the whole process: one command after the other. */
let last: Promise<unknown> = Promise.resolve();

/** @param input what stands on standard input. */
export function typed(folder: string, args: readonly string[], input = ""): Promise<Said> {
  const next = last.then(() => carriedOut(folder, args, input));
  last = next.catch(() => {});
  return next;
}

async function carriedOut(folder: string, args: readonly string[], input: string): Promise<Said> {
  const before = { cwd: process.cwd(), env: { ...process.env }, console: globalThis.console };
  const listening = signals.map((signal) => new Set(process.listeners(signal)));
  const stdin = Object.getOwnPropertyDescriptor(process, "stdin") as PropertyDescriptor;
  const [stdout, stderr] = [caught(process.stdout), caught(process.stderr)];
  for (const name of ["ONEX_STORE", "FORCE_COLOR"]) delete process.env[name];
  Object.defineProperty(process, "stdin", { ...stdin, get: () => Readable.from([Buffer.from(input)]) });
  process.chdir(folder);
  try {
    const code = await answer(args, "0.0.0");
    return { code, stdout: stdout.text, stderr: stderr.text };
  } finally {
    process.chdir(before.cwd);
    Object.defineProperty(process, "stdin", stdin);
    Object.assign(process.env, before.env);
    globalThis.console = before.console;
    for (const [i, signal] of signals.entries())
      for (const listener of process.listeners(signal)) if (!listening[i]?.has(listener)) process.off(signal, listener);
    stdout.end();
    stderr.end();
  }
}

/** Keeps what is written, until `end`. */
function caught(stream: NodeJS.WriteStream): { readonly text: string; end(): void } {
  const write = stream.write;
  let text = "";
  stream.write = (chunk: string | Uint8Array) => {
    text += Buffer.from(chunk).toString("utf8");
    return true;
  };
  return {
    get text() {
      return text;
    },
    end: () => {
      stream.write = write;
    },
  };
}
