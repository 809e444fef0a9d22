/** `onex check FILE|DIR…`: what is wrong with YAML workflows, modules and generated nodes, as `file:line:column`. */
import { OnexError } from "../../core/failure.ts";
import { forGitHub, forPeople, forPrograms, withExcerpts } from "../check/print.ts";
import { findAll, type Source, sourcesOf } from "../check/source.ts";
import { unseenLines } from "../check/unseen.ts";
import { type ExitCode, exit } from "../exit.ts";
import { isFolder, shown, splitName } from "../load.ts";
import { clean, json, print, styleOf, Terminal } from "../output.ts";

export interface CheckOptions {
  readonly nodes?: readonly string[];
  readonly format?: "text" | "json" | "github";
  /** The same as `format: "json"`. */
  readonly json?: boolean;
  /** Warnings alone end with exit code 1. */
  readonly strict?: boolean;
  /** A code whose page is printed instead. */
  readonly explain?: string;
  readonly verbose?: boolean;
}

/** Throws OnexError `USAGE`, `FILE_MISSING`, and what loading the modules of `nodes` throws. */
export async function check(targets: readonly string[], options: CheckOptions): Promise<ExitCode> {
  if (options.explain !== undefined) return explainCode(options.explain, targets);
  const format = options.format ?? (options.json ? "json" : "text");
  if (options.json && format !== "json") throw new OnexError("USAGE", `--json and --format ${format} contradict each other: leave one out`);
  if (targets.length === 0)
    throw new OnexError("USAGE", "say what to check: a YAML workflow, a module, or a folder of them, as in `onex check .`");
  const terminal = new Terminal();
  const sources: Source[] = [];
  for (const target of targets) {
    const found = await sourcesOf(target, options.nodes);
    sources.push(...found);
    const { file } = splitName(target);
    if (isFolder(file)) terminal.say(terminal.style.dim(`${clean(file)}: ${lookedAt(found)}`));
  }
  // From here on modules of the user run.
  terminal.adoptConsole();
  const findings = withExcerpts(await findAll(sources));
  if (format === "json") print(json(forPrograms(findings), process.stdout.isTTY ? 2 : undefined));
  else if (format === "github") for (const line of forGitHub(findings)) print(line);
  else for (const line of forPeople(findings, styleOf(process.stdout), process.stdout.columns ?? 100)) print(line);

  const errors = findings.filter(({ level }) => level === "error").length;
  const warnings = findings.length - errors;
  const files = new Set(sources.filter(({ kind }) => kind !== "project").map(({ file }) => file)).size;
  const what = files === 1 ? shown(sources[0]?.file ?? "") : count(files, "file");
  const { green, red, yellow, dim } = terminal.style;
  if (findings.length === 0) terminal.say(`${green("✓")} ${clean(what)}: nothing to say`);
  else {
    const mark = errors > 0 ? red("✗") : yellow("!");
    terminal.say(`${mark} ${clean(what)}: ${count(errors, "error")}, ${count(warnings, "warning")}`);
  }
  if (sources.some(({ alone }) => alone)) terminal.say(dim(`  no nodes are given, so what is called was not looked at: --nodes MODULE`));
  const unseen = new Map(sources.flatMap((source) => [...(source.unseen ?? [])]));
  for (const line of unseenLines(unseen)) terminal.say(dim(`  ${line}`));
  if (errors > 0) return exit.contract;
  return warnings > 0 && options.strict ? exit.failed : exit.done;
}

async function explainCode(code: string, targets: readonly string[]): Promise<ExitCode> {
  if (targets.length > 0) throw new OnexError("USAGE", "--explain takes a code and no file: run the check without it");
  const { explain } = await import("../check/pages.ts");
  const { title, text } = explain(code);
  print(`${styleOf(process.stdout).bold(title)}\n\n${text}`);
  return exit.done;
}

function lookedAt(sources: readonly Source[]): string {
  const of = (kind: Source["kind"]) => sources.filter((source) => source.kind === kind).length;
  const parts = [count(of("module"), "module"), count(of("contract"), "contract"), count(of("manifest"), "manifest")];
  return `looked at ${parts.filter((part) => !part.startsWith("0 ")).join(", ")}`;
}

function count(n: number, word: string): string {
  return `${n} ${word}${n === 1 ? "" : "s"}`;
}
