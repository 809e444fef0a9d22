/** What was typed after `onex promote`. */
import { OnexError } from "../../core/failure.ts";
import { checkSchema, checkUrl } from "../../store/postgres/url.ts";

export interface PromoteFlags {
  readonly schema?: string;
  readonly abort?: boolean;
  readonly force?: boolean;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
}

const example = "write onex promote sqlite:FILE postgres://USER@HOST/DATABASE";

/** The schema may stand in the URL, as `?schema=NAME`. Throws OnexError `USAGE`, `STORE_URL_INVALID`. */
export function typedOf(
  from: string,
  to: string,
  flags: PromoteFlags,
): { readonly file: string; readonly url: string; readonly schema: string } {
  const file = /^sqlite:(?:\/\/)?(.+)$/s.exec(from)?.[1];
  if (file === undefined || file === ":memory:")
    throw new OnexError(
      "USAGE",
      `promote: what is moved is a file, and ${/^postgres/i.test(from) ? "a database" : JSON.stringify(from)} is none; ${example}`,
    );
  const url = checkUrl(to);
  const named = url.searchParams.get("schema");
  if (named !== null && flags.schema !== undefined && named !== flags.schema)
    throw new OnexError("USAGE", `promote: the URL names the schema ${named}, and --schema ${flags.schema}: give one of them`);
  url.searchParams.delete("schema");
  const schema = flags.schema ?? named ?? "onex";
  try {
    checkSchema(schema);
  } catch {
    throw new OnexError("USAGE", `promote: ${JSON.stringify(schema)} is no name of a schema; use up to 40 small letters, digits and _`);
  }
  if (flags.force && !flags.abort) throw new OnexError("USAGE", "promote: --force goes with --abort alone");
  if (flags.abort && flags.dryRun) throw new OnexError("USAGE", "promote: --abort and --dry-run do not go together");
  return { file, url: url.href, schema };
}
