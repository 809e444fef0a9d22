/** An input that fits, for who types one for the first time: the first example of a generated node's input subcontract. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { OnexError } from "../core/failure.ts";
import { parseSubcontract } from "../plan/subcontract.ts";
import { isFolder, splitName } from "./load.ts";
import { manifestIn, manifestOf } from "./manifest.ts";
import { quote } from "./store.ts";

/** Where the templates put it, below the folder of the node. */
export const inputSubcontract = "contracts/input.subcontract.yaml";

/** `--input JSON` with the first example of a subcontract; undefined when it has none, or cannot be read. */
export function inputOption(text: string): string | undefined {
  try {
    const [example] = parseSubcontract(text, inputSubcontract).examples;
    return example && `--input ${quote(JSON.stringify(example.data))}`;
  } catch {
    // `onex check` says what is wrong with it; here it would only have been a hint.
    return undefined;
  }
}

/** An `INPUT_INVALID` of a run of a generated node also says what would fit; all else is given back as it is. */
export function withExample(error: unknown, target: string): unknown {
  if (!(error instanceof OnexError) || error.code !== "INPUT_INVALID") return error;
  const { file } = splitName(target);
  const manifest = isFolder(file) ? manifestIn(file) : manifestOf(file);
  const subcontract = join(manifest?.folder ?? "", inputSubcontract);
  const option = manifest && existsSync(subcontract) ? inputOption(readFileSync(subcontract, "utf8")) : undefined;
  return option === undefined ? error : new OnexError(error.code, `${error.message}\n  such as ${option}`, { cause: error });
}
