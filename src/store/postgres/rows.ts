/** Rows of the tables as the store gives them, and what statements are given of new ones. */
import { rowReaders } from "../rows.ts";
import type { NewRun } from "../store.ts";
import { bigints, texts } from "./arrays.ts";
import { decodeText, encodeText } from "./text.ts";

export { runColumns, turnColumns, turnRow } from "../rows.ts";

export const { runRow, prunedRow, mailRow } = rowReaders(decodeText);

/** What every statement that makes runs is given of them, a column a parameter: number, id, workflow … concurrency, rate. */
export function runValues(runs: readonly (NewRun & { readonly runNo: number })[]): readonly Buffer[] {
  const all = (of: (run: NewRun) => string): Buffer => texts(runs.map((run) => encodeText(of(run))));
  const some = (of: (run: NewRun) => string | undefined): Buffer =>
    texts(
      runs.map((run) => {
        const value = of(run);
        return value === undefined ? null : encodeText(value);
      }),
    );
  return [
    bigints(runs.map((run) => run.runNo)),
    all((run) => run.id),
    all((run) => run.workflow),
    all((run) => run.version),
    all((run) => run.digest),
    bigints(runs.map((run) => run.priority)),
    bigints(runs.map((run) => run.at)),
    some((run) => run.parent),
    some((run) => run.concurrency),
    some((run) => run.rate),
  ];
}
