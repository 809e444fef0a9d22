/** `onex check FILE`: what is wrong with a YAML workflow or a module, as `file:line:column`. */
import { readFileSync } from "node:fs";
import { OnexError } from "../../core/failure.ts";
import type { AnyNode } from "../../node/contract.ts";
import type { Finding } from "../../plan/finding.ts";
import { type ExitCode, exit, exitOf } from "../exit.ts";
import { checkThere, isYaml, load, loadModule, nodesOf, splitName } from "../load.ts";
import { clean, cleanLines, json, print, styleOf, Terminal } from "../output.ts";

export interface CheckOptions {
  readonly nodes?: readonly string[];
  readonly json?: boolean;
  readonly verbose?: boolean;
}

export async function check(target: string, options: CheckOptions): Promise<ExitCode> {
  const terminal = new Terminal();
  terminal.adoptConsole();
  const { file } = splitName(target);
  const findings = isYaml(file) ? await checkPlan(file, options.nodes) : await checkModule(file, options.nodes ?? []);
  if (options.json) print(json(findings));
  else for (const finding of findings) print(line(finding));
  const errors = findings.filter((finding) => finding.level === "error").length;
  const count = (n: number, word: string) => `${n} ${word}${n === 1 ? "" : "s"}`;
  const { green, red, yellow } = terminal.style;
  if (findings.length === 0) terminal.say(`${green("✓")} ${clean(file)}: nothing to say`);
  else
    terminal.say(
      `${errors > 0 ? red("✗") : yellow("!")} ${clean(file)}: ${count(errors, "error")}, ${count(findings.length - errors, "warning")}`,
    );
  return errors > 0 ? exit.contract : exit.done;
}

async function checkPlan(file: string, nodeModules: readonly string[] | undefined): Promise<readonly Finding[]> {
  // A file that is not there is a mistake of typing, not a finding.
  checkThere(file);
  const { checkFile } = await import("../../plan/load.ts");
  return checkFile(file, await nodesOf(file, nodeModules));
}

async function checkModule(file: string, nodeModules: readonly string[]): Promise<readonly Finding[]> {
  let nodes: readonly AnyNode[];
  try {
    nodes = (await loadModule(file)).nodes;
    await load([], nodeModules);
  } catch (error) {
    if (error instanceof OnexError && exitOf(error) === exit.contract) return [thrownFinding(error, file)];
    throw error;
  }
  const source = readFileSync(file, "utf8");
  const findings: Finding[] = [];
  const add = (level: Finding["level"], code: string, node: AnyNode, message: string) =>
    findings.push({
      level,
      code,
      file,
      ...whereNamed(source, node.contract.name),
      message: `${node.contract.kind} ${node.contract.name} ${message}`,
    });
  if (nodes.length === 0)
    findings.push({
      level: "warning",
      code: "MODULE_EMPTY",
      file,
      line: 0,
      column: 0,
      message: "exports no node: `export const NAME = effect(…)`",
    });
  for (const node of nodes) {
    const { contract } = node;
    if (contract.kind !== "effect") continue;
    const repeatable = contract.idempotent === true || contract.readonly === true;
    if (contract.retry && (contract.retry.maxAttempts ?? 3) > 1 && !repeatable)
      add(
        "error",
        "RETRY_NOT_IDEMPOTENT",
        node,
        "is retried, and does not say that it may be: `idempotent: true` when the same idempotency key never acts twice, else `retry: false`",
      );
    if (contract.inDoubt === "retry" && !repeatable)
      add(
        "error",
        "RETRY_NOT_IDEMPOTENT",
        node,
        'is sent again after a crash (`inDoubt: "retry"`), and does not say that it may be: `idempotent: true`, else `inDoubt: "pause"`',
      );
    if (contract.undo === undefined && contract.irreversible === undefined && contract.readonly !== true)
      add("warning", "UNDO_UNSAID", node, 'does not say how it is taken back: `undo`, `irreversible: "why"`, or `readonly: true`');
  }
  const twins = new Map<string, AnyNode>();
  for (const node of nodes) {
    const name = `${node.contract.name}@${node.contract.version}`;
    const twin = twins.get(name);
    if (twin) add("error", "NODE_DUPLICATE", node, `and ${twin.contract.kind} ${name} have one name and version: give one another`);
    else twins.set(name, node);
  }
  return findings.sort((a, b) => a.line - b.line || a.column - b.column);
}

/** An error that kept the module from loading; its place is at the head of its message. */
function thrownFinding(error: OnexError, file: string): Finding {
  const bare = error.message.startsWith(`${file}: `) ? error.message.slice(file.length + 2) : error.message;
  const [, at = file, row, column, message = bare] = /^(.+?):(\d+):(?:(\d+):)? ([\s\S]*)$/.exec(error.message) ?? [];
  return {
    level: "error",
    code: error.code,
    file: at,
    line: Number(row ?? 0),
    column: Number(column ?? (row === undefined ? 0 : 1)),
    message,
  };
}

/** Where the name of a node stands in the source; nothing when it was defined elsewhere. */
function whereNamed(source: string, name: string): { readonly line: number; readonly column: number } {
  const at = source.search(new RegExp(`name:\\s*["'\`]${name}["'\`]`));
  if (at < 0) return { line: 0, column: 0 };
  const before = source.slice(0, at);
  return { line: before.split("\n").length, column: at - before.lastIndexOf("\n") };
}

function line({ level, code, message, file, line: row, column }: Finding): string {
  const style = styleOf(process.stdout);
  const place = row === 0 ? file : `${file}:${row}:${column}`;
  return `${style.bold(clean(place))}: ${level === "error" ? style.red("error") : style.yellow("warning")} ${clean(code)}: ${cleanLines(message)}`;
}
