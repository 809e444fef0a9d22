/** Questions on a terminal, one line each, with what is taken when the line is empty. */
import { createInterface, type Interface } from "node:readline/promises";
import { OnexError } from "../../core/failure.ts";
import { cleanLines } from "../output.ts";

/** Ctrl-C or Ctrl-D at a question. */
export class Stopped extends Error {}

export interface Question {
  readonly text: string;
  readonly fallback?: string | undefined;
  /** The answer, checked. Throws OnexError: the message is shown, and the question comes again. */
  readonly take: (answer: string) => string;
  /** A better answer to the same question, offered when `take` refused one. */
  readonly instead?: (answer: string) => string | undefined;
}

export class Prompt {
  readonly #lines: Interface;
  readonly #output: NodeJS.WritableStream;
  readonly #closed: Promise<never>;

  constructor(input: NodeJS.ReadableStream, output: NodeJS.WritableStream) {
    this.#output = output;
    this.#lines = createInterface({ input, output, terminal: true, historySize: 0 });
    // Without this readline leaves a question unanswered for ever when the terminal closes.
    this.#closed = new Promise((_, reject) => this.#lines.once("close", () => reject(new Stopped("stopped"))));
    this.#closed.catch(() => {});
  }

  /** Throws `Stopped`. */
  async ask({ text, fallback, take, instead }: Question): Promise<string> {
    for (let offered = fallback; ; ) {
      const hint = offered === undefined ? "" : ` (${offered})`;
      const typed = (await Promise.race([this.#closed, this.#lines.question(`${text}${hint}: `)])).trim();
      const answer = typed === "" && offered !== undefined ? offered : typed;
      try {
        return take(answer);
      } catch (error) {
        if (!(error instanceof OnexError)) throw error;
        this.#output.write(`${cleanLines(error.message)}\n`);
        offered = instead?.(answer) ?? fallback;
      }
    }
  }

  close(): void {
    this.#lines.close();
  }
}
