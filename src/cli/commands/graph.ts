/** `onex graph FILE|RUN`: the graph of a workflow, or of a run with how far each step is. */
import { writeFileSync } from "node:fs";
import { extname } from "node:path";
import { OnexError } from "../../core/failure.ts";
import type { RunView } from "../../core/view.ts";
import { withClient } from "../client.ts";
import { contractsOf } from "../contracts.ts";
import { type ExitCode, exit } from "../exit.ts";
import { draw, type Format } from "../graph/formats.ts";
import type { Picture } from "../graph/picture.ts";
import { isFolder, splitName } from "../load.ts";
import { clean, styleOf, Terminal } from "../output.ts";
import { quote, type StoreUrl, storeOfRun } from "../store.ts";
import { flowOf, sayFindings } from "./plan.ts";

export interface GraphOptions {
  readonly nodes?: readonly string[];
  readonly store?: string;
  readonly run?: boolean;
  readonly format?: Format;
  readonly output?: string;
}

export async function graph(target: string, options: GraphOptions): Promise<ExitCode> {
  const terminal = new Terminal();
  terminal.adoptConsole();
  const pictures = isFile(target, options) ? await ofFile(target, options, terminal) : [await ofRun(target, options)];
  const { format = formatOf(options.output), output } = options;
  if (pictures.length > 1 && format !== "text")
    throw new OnexError(
      "WORKFLOW_AMBIGUOUS",
      `${target} has ${pictures.length} contracts, and one ${format} holds one: name the file, or ${target}#NAME`,
    );
  const page =
    output === undefined
      ? { style: styleOf(process.stdout), width: process.stdout.isTTY ? process.stdout.columns : Number.POSITIVE_INFINITY }
      : { style: styleOf({}, {}), width: Number.POSITIVE_INFINITY };
  const drawn: string[] = [];
  for (const picture of pictures) drawn.push(await draw(picture, format, page));
  if (output === undefined) process.stdout.write(drawn.join("\n"));
  else {
    write(output, drawn.join("\n"));
    terminal.say(`${format} written to ${clean(output)}`);
  }
  return exit.done;
}

/** What is named like a file is meant to be one, and so is a folder that is there; all else is the id of a run. */
function isFile(target: string, { run }: GraphOptions): boolean {
  if (run === true) return false;
  const { file } = splitName(target);
  return isFolder(file) || [".yaml", ".yml", ".ts", ".mts", ".js", ".mjs", ".cjs"].includes(extname(file).toLowerCase());
}

async function ofFile(target: string, options: GraphOptions, terminal: Terminal): Promise<Picture[]> {
  const { flowPicture } = await import("../graph/from-flow.ts");
  const contracts = await contractsOf(target, options.nodes);
  const pictures = contracts.map((contract) => flowPicture(flowOf(contract)));
  for (const contract of contracts) sayFindings(terminal, contract, options.nodes ?? []);
  // It could be the id of a run as well.
  if (!/[./\\]/.test(target))
    terminal.say(`${clean(target)} is a folder, so that is what is shown; the run of that id: onex graph --run ${quote(clean(target))}`);
  return pictures;
}

async function ofRun(runId: string, { store, run }: GraphOptions): Promise<Picture> {
  const at = storeOfRun(runId, store);
  return withClient(at, async (client) => {
    const handle = client.orchestrator.run(runId);
    const view = await known(handle.status(), runId, at, run === true);
    const { pictureOfRun } = await import("../graph/of-run.ts");
    return pictureOfRun(view, await handle.facts(), (hash) => client.definition(hash));
  });
}

/** Says that a file was looked for too. */
async function known(status: Promise<RunView>, runId: string, at: StoreUrl, only: boolean): Promise<RunView> {
  try {
    return await status;
  } catch (error) {
    if (!(error instanceof OnexError) || error.code !== "RUN_UNKNOWN" || only) throw error;
    throw new OnexError("RUN_UNKNOWN", `there is neither a file ${runId} nor a run of that id in ${at.url}`);
  }
}

/** By the ending of the file that is written; text else. */
function formatOf(output: string | undefined): Format {
  const byEnding: Readonly<Record<string, Format>> = {
    ".svg": "svg",
    ".mmd": "mermaid",
    ".mermaid": "mermaid",
    ".dot": "dot",
    ".gv": "dot",
  };
  return byEnding[extname(output ?? "").toLowerCase()] ?? "text";
}

/** Throws OnexError `FILE_MISSING`. */
function write(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (error) {
    throw new OnexError("FILE_MISSING", `${file} cannot be written: ${error instanceof Error ? error.message : String(error)}`);
  }
}
