/** A program that does not end says where it stood: what its store holds when its time is over. */
import { existsSync } from "node:fs";
import { snapshot } from "./snapshot.ts";

/** Far more than any program takes on a loaded machine, far less than a test may take. */
const deadlineMs = 90_000;

/** What was awaited of a program that uses the store in `file`. Throws with the state of every run that has not ended, and its last facts, when it takes too long. */
export async function inTime<T>(awaited: Promise<T>, file: string, where: string): Promise<T> {
  let cancel = (): void => {};
  const late = new Promise<"late">((resolve) => {
    const timer = setTimeout(() => resolve("late"), deadlineMs);
    cancel = () => clearTimeout(timer);
  });
  const first = await Promise.race([awaited, late]).finally(() => cancel());
  if (first !== "late") return first as T;
  // Its program is killed by the test's own end.
  awaited.catch(() => {});
  throw new Error(`${where}: nothing for ${deadlineMs} ms\n${await stateOf(file)}`);
}

async function stateOf(file: string): Promise<string> {
  if (!existsSync(file)) return "there is no file";
  const { rows, facts } = await snapshot(file);
  return [
    `${rows.length} runs; now ${Date.now()}`,
    ...rows
      .filter(({ endedAt }) => endedAt === undefined)
      .flatMap((row) => [JSON.stringify(row), ...(facts.get(row.id) ?? []).slice(-5).map((fact) => `  ${JSON.stringify(fact)}`)]),
  ].join("\n");
}
