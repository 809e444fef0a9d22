/** `onex schema [contract|manifest|subcontract]`: the JSON Schema of a YAML document, for editors. */
import { OnexError } from "../../core/failure.ts";
import { didYouMean, oneOf } from "../../plan/suggest.ts";
import { type ExitCode, exit } from "../exit.ts";
import { documents, schemaText } from "../schema/documents.ts";

export interface SchemaOptions {
  readonly write?: boolean;
}

/** Throws OnexError `USAGE` for a document that there is not, and for one that cannot be written. */
export async function schema(what: string, options: SchemaOptions): Promise<ExitCode> {
  const names = Object.keys(documents);
  if (options.write && names.includes(what))
    throw new OnexError("USAGE", `the schema of a ${what} is printed, not written: --write takes the folder of a generated node`);
  if (!Object.hasOwn(documents, what))
    throw new OnexError("USAGE", `there is no schema of "${what}": name ${oneOf(names)}.${didYouMean(what, names)}`);
  process.stdout.write(schemaText(what as keyof typeof documents));
  return exit.done;
}
