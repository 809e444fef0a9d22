/** Asks a person before something that cannot be taken back. */
import { OnexError } from "../core/failure.ts";
import { Prompt, Stopped } from "./new/ask.ts";
import type { Terminals } from "./new/choose.ts";

/** Of a terminal that can answer, its two ends. */
export function here(): Terminals | undefined {
  return process.stdin.isTTY === true && process.stderr.isTTY === true ? { input: process.stdin, output: process.stderr } : undefined;
}

type Consent = "yes" | "no" | "stopped";

/** `refusal` is what is said where nobody can be asked. Throws OnexError `USAGE`. */
export async function consent(terminals: Terminals | undefined, question: string, refusal: string): Promise<Consent> {
  if (!terminals) throw new OnexError("USAGE", `${refusal} and there is no terminal to ask at: say --yes, or look with --dry-run`);
  const prompt = new Prompt(terminals.input, terminals.output);
  try {
    const take = (typed: string): Consent => {
      const answer = typed.toLowerCase();
      if (["yes", "y", "no", "n"].includes(answer)) return answer.startsWith("y") ? "yes" : "no";
      throw new OnexError("USAGE", "write yes or no");
    };
    return (await prompt.ask({ text: question, fallback: "no", take })) === "yes" ? "yes" : "no";
  } catch (error) {
    if (!(error instanceof Stopped)) throw error;
    return "stopped";
  } finally {
    prompt.close();
  }
}
