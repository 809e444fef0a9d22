/** `onex schema [contract|manifest|subcontract]`: the JSON Schema of a YAML document, for editors. */
import { OnexError } from "../../core/failure.ts";
import { didYouMean, oneOf } from "../../plan/suggest.ts";
import { type ExitCode, exit } from "../exit.ts";
import { documents, schemaText } from "../schema/documents.ts";

/** Throws OnexError `USAGE` for a document that there is not. */
export function schema(what: string): ExitCode {
  const names = Object.keys(documents);
  if (!Object.hasOwn(documents, what))
    throw new OnexError("USAGE", `there is no schema of "${what}": name ${oneOf(names)}.${didYouMean(what, names)}`);
  process.stdout.write(schemaText(what as keyof typeof documents));
  return exit.done;
}
