/** What kept a file from being read, as findings. */
import type { OnexError } from "../../core/failure.ts";
import type { Finding } from "../../plan/finding.ts";

/** The findings that an error carries; else itself, at the place that stands at the head of its message, or in `file`. */
export function thrownFindings(error: OnexError, file: string): readonly Finding[] {
  const { details } = error as { readonly details?: unknown };
  if (Array.isArray(details) && details.length > 0 && details.every(isFinding)) return details;
  const bare = error.message.startsWith(`${file}: `) ? error.message.slice(file.length + 2) : error.message;
  const [, at = file, row, column, message = bare] = /^(.+?):(\d+):(?:(\d+):)? ([\s\S]*)$/.exec(error.message) ?? [];
  return [
    {
      level: "error",
      code: error.code,
      file: at,
      line: Number(row ?? 0),
      column: Number(column ?? (row === undefined ? 0 : 1)),
      // The lines of the text that follow are shown with every finding.
      message: row === undefined ? message : (message.split("\n", 1)[0] ?? message),
    },
  ];
}

function isFinding(value: unknown): value is Finding {
  return typeof value === "object" && value !== null && "level" in value && "code" in value && "file" in value && "line" in value;
}
