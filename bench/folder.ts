/** A folder for the files of one measurement, on the disk that the project lies on; removed afterwards. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";

export async function inFolder<T>(work: (file: string) => Promise<T>): Promise<T> {
  const parent = join(process.cwd(), ".tmp");
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, "bench-"));
  try {
    return await work(join(folder, "bench.db"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
