/** Programs of this folder as processes of their own, which talk in lines of JSON. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { programsOf } from "./programs.ts";

export type Line = Readonly<Record<string, unknown>>;

/** A folder that is gone when the test is over. */
export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "onex-faults-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A process that does not outlive the test that started it. */
export class Program {
  readonly lines: Line[] = [];
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  readonly #process: ChildProcess;
  readonly #name: string;
  readonly #heard = new Set<() => void>();
  #stderr = "";
  #over = false;

  /** Runs `<name>.mjs` of the programs of `test/faults` or of another folder, with `given` as its argument. */
  constructor(name: string, given: object, folder = programsOf("faults")) {
    this.#name = name;
    // First: where no test runs, none begins.
    onTestFinished(async () => {
      this.kill("SIGKILL");
      await this.ended;
    });
    const path = fileURLToPath(new URL(`./${name}.mjs`, folder));
    this.#process = spawn(process.execPath, [path, JSON.stringify(given)], { env: { ...process.env, NODE_ENV: "production" } });
    const { stdout, stderr } = this.#process;
    if (!stdout || !stderr) throw new Error(`${name} has no output`);
    createInterface({ input: stdout }).on("line", (line) => {
      this.lines.push(JSON.parse(line));
      this.#tell();
    });
    stderr.on("data", (text) => {
      this.#stderr += text;
    });
    this.ended = new Promise((resolve) =>
      this.#process.on("close", (code, signal) => {
        this.#over = true;
        this.#tell();
        resolve({ code, signal });
      }),
    );
  }

  get pid(): number {
    return this.#process.pid as number;
  }
  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** The first line with this member, or the first for which `wanted` holds; throws when the program ends without. */
  async says(wanted: string | ((line: Line) => boolean)): Promise<Line> {
    const matches = typeof wanted === "string" ? (line: Line) => wanted in line : wanted;
    for (let at = 0; ; ) {
      for (; at < this.lines.length; at++) if (matches(this.lines[at] as Line)) return this.lines[at] as Line;
      if (this.#over)
        throw new Error(`${this.#name} ended without the line ${wanted}: ${JSON.stringify(this.lines.slice(-5))}\n${this.#stderr}`);
      await new Promise<void>((resolve) => {
        const heard = (): void => {
          this.#heard.delete(heard);
          resolve();
        };
        this.#heard.add(heard);
      });
    }
  }

  /** Waits for its end, which must be the given one. */
  async end(how: number | NodeJS.Signals = 0): Promise<void> {
    const { code, signal } = await this.ended;
    if ((signal ?? code) !== how)
      throw new Error(
        `${this.#name} ended with ${signal ?? code} and not ${how}: ${JSON.stringify(this.lines.slice(-5))}\n${this.#stderr}`,
      );
  }

  #tell(): void {
    for (const heard of [...this.#heard]) heard();
  }
}

/** The lines of a log that programs appended to. */
export function linesOf<T>(path: string): T[] {
  return readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as T);
}
