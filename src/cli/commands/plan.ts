/** `onex plan FILE`: what a YAML workflow will do: its order, its times, and what is taken back when a step fails. */
import { contractInvalid } from "../../plan/finding.ts";
import { outlookJson, outlookOf } from "../../plan/outlook/outlook.ts";
import { unseenLines } from "../check/unseen.ts";
import { type Contract, contractsOf } from "../contracts.ts";
import { type ExitCode, exit } from "../exit.ts";
import { clean, print, printJson, styleOf, Terminal } from "../output.ts";
import { outlookLines } from "../plan/text.ts";
import { quote } from "../store.ts";

export interface PlanCommandOptions {
  readonly nodes?: readonly string[];
  readonly json?: boolean;
  /** Nothing is left out of long lists. */
  readonly all?: boolean;
}

export async function plan(target: string, options: PlanCommandOptions): Promise<ExitCode> {
  const terminal = new Terminal();
  terminal.adoptConsole();
  const contracts = await contractsOf(target, options.nodes);
  const outlooks = contracts.map((contract) => ({ contract, outlook: outlookOf(flowOf(contract), contract.nodes) }));
  if (options.json) {
    const values = outlooks.map(({ contract, outlook }) => ({
      file: contract.file,
      findings: contract.opened.findings.length,
      ...elsewhere(contract),
      ...outlookJson(outlook),
    }));
    printJson(values.length === 1 ? values[0] : values);
  } else {
    const page = { style: styleOf(process.stdout), width: process.stdout.columns || 100, all: options.all === true };
    for (const [i, { outlook }] of outlooks.entries()) print([...(i === 0 ? [] : [""]), ...outlookLines(outlook, page)].join("\n"));
  }
  for (const { contract } of outlooks) sayFindings(terminal, contract, options.nodes ?? []);
  const unseen = new Map(outlooks.flatMap(({ contract }) => [...(contract.nodes?.unseen() ?? [])]));
  for (const line of unseenLines(unseen)) terminal.say(line);
  return exit.done;
}

/** Nodes of which only an export `endpoints` tells, by their names. */
function elsewhere({ nodes }: Contract): { readonly elsewhere?: Readonly<Record<string, string>> } {
  const unseen = [...(nodes?.unseen() ?? [])];
  return unseen.length === 0 ? {} : { elsewhere: Object.fromEntries(unseen.map(([name, { href }]) => [name, href])) };
}

/** Throws OnexError `CONTRACT_INVALID`. */
export function flowOf({ file, opened }: Contract) {
  if (opened.read) return opened.read.flow;
  throw contractInvalid(file, opened.findings);
}

export function sayFindings(terminal: Terminal, { file, opened }: Contract, nodes: readonly string[]): void {
  const count = opened.findings.length;
  if (count === 0) return;
  const command = `onex check ${quote(file)}${nodes.map((each) => ` --nodes ${quote(each)}`).join("")}`;
  terminal.say(`${terminal.style.yellow("!")} ${count === 1 ? "1 finding" : `${count} findings`}: ${clean(command)}`);
}
