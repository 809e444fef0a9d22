/** Rows of the tables as the store gives them: SQLite keeps every text as it is. */
import { rowReaders } from "../rows.ts";

export { runColumns, turnColumns, turnRow } from "../rows.ts";

export const { runRow, prunedRow, mailRow } = rowReaders((stored) => stored);
