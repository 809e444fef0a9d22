/** `onex schema [contract|manifest|subcontract]`: the JSON Schema of a YAML document, for editors; `--write`: of a node's models. */
import { OnexError } from "../../core/failure.ts";
import { didYouMean, oneOf } from "../../plan/suggest.ts";
import { type ExitCode, exit } from "../exit.ts";
import { isFolder, shown } from "../load.ts";
import { clean, print } from "../output.ts";
import { documents, schemaText } from "../schema/documents.ts";

export interface SchemaOptions {
  readonly write?: boolean;
}

/** Throws OnexError `USAGE` for a document that there is not, and for one that cannot be written; `FILE_MISSING`, `MANIFEST_INVALID`. */
export async function schema(what: string, options: SchemaOptions): Promise<ExitCode> {
  const names = Object.keys(documents);
  if (options.write && names.includes(what))
    throw new OnexError("USAGE", `the schema of a ${what} is printed, not written: --write takes the folder of a generated node`);
  if (options.write) return write(what);
  if (!Object.hasOwn(documents, what))
    throw new OnexError("USAGE", `there is no schema of "${what}": name ${oneOf(names)}.${didYouMean(what, names)}`);
  process.stdout.write(schemaText(what as keyof typeof documents));
  return exit.done;
}

/** Writes the subcontracts of the generated nodes in a folder anew, from their models. */
async function write(folder: string): Promise<ExitCode> {
  if (!isFolder(folder)) throw new OnexError("USAGE", `--write takes the folder of a generated node, and ${folder} is none`);
  const { writeSubcontracts } = await import("../check/drift.ts");
  const written = await writeSubcontracts(folder);
  for (const file of written) print(clean(shown(file)));
  process.stderr.write(written.length === 0 ? "every subcontract is what its model says\n" : `written anew: ${written.length}\n`);
  return exit.done;
}
