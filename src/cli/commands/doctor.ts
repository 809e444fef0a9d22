/** `onex doctor`: what is wrong with the installation, the configuration and the store, and how to mend it. */
import { diagnose } from "../doctor/doctor.ts";
import type { Check } from "../doctor/report.ts";
import { thisSystem } from "../doctor/system.ts";
import { type ExitCode, exit } from "../exit.ts";
import { clean, cleanLines, print, printJson, type Style, styleOf, Terminal } from "../output.ts";

export interface DoctorOptions {
  readonly store?: string;
  readonly deep?: boolean;
  readonly json?: boolean;
}

export async function doctor(options: DoctorOptions): Promise<ExitCode> {
  const terminal = new Terminal();
  // What modules of the user print while they are loaded is not part of the report.
  terminal.adoptConsole();
  const checks = await diagnose({ store: options.store, folder: ".", deep: options.deep === true }, await thisSystem());
  if (options.json) printJson(checks);
  else for (const line of lines(checks, styleOf(process.stdout))) print(line);
  const wrong = checks.filter(({ level }) => level === "wrong").length;
  const warnings = checks.filter(({ level }) => level === "warning").length;
  const count = (n: number, word: string) => `${n} ${word}${n === 1 ? "" : "s"}`;
  terminal.say(
    wrong + warnings === 0
      ? "nothing is wrong"
      : [wrong > 0 ? `${wrong} wrong` : "", warnings > 0 ? count(warnings, "warning") : ""].filter(Boolean).join(", "),
  );
  return exitCodeOf(checks);
}

/** 0 when nothing is wrong, 70 when the store is, else 1. */
export function exitCodeOf(checks: readonly Check[]): ExitCode {
  const wrong = checks.filter(({ level }) => level === "wrong");
  if (wrong.length === 0) return exit.done;
  return wrong.some(({ area }) => area === "store") ? exit.store : exit.failed;
}

/** One line for each check, under the name of its area; what to do under what is wrong. */
export function lines(checks: readonly Check[], style: Style): string[] {
  const mark = { fine: style.green("✓"), warning: style.yellow("!"), wrong: style.red("✗") };
  const width = Math.max(...checks.map(({ what }) => clean(what).length));
  return checks.flatMap(({ area, level, what, found, mend }, i) => {
    const head = checks[i - 1]?.area === area ? [] : [style.bold(area)];
    const line = `  ${mark[level]} ${clean(what).padEnd(width)}  ${cleanLines(found, " ".repeat(width + 6))}`;
    return [...head, line, ...(mend === undefined ? [] : [`    ${" ".repeat(width)}  ${style.dim("→")} ${clean(mend)}`])];
  });
}
