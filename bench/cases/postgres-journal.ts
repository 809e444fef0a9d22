/**
 * A journal on PostgreSQL that decides nothing: workflows that note their start, each of their steps with its result, and their
 * end, and wait until it is on disk. What is pending goes in one statement, by `unnest`, over whichever connection is free.
 */
import type { Client } from "pg";

const workflows = 2_000;
const atOnce = 100;
const steps = 10;

interface Entry {
  readonly workflow: number;
  readonly position: number;
  readonly text: string;
  done(): void;
}

const table =
  "DROP TABLE IF EXISTS journal; CREATE TABLE journal(workflow bigint NOT NULL, position int NOT NULL, at bigint NOT NULL, text text NOT NULL, PRIMARY KEY (workflow, position))";
const insert = {
  name: "journal",
  text: "INSERT INTO journal SELECT * FROM unnest($1::bigint[], $2::int[], $3::bigint[], $4::text[])",
};

class Journal {
  readonly #free: Client[];
  #pending: Entry[] = [];
  #scheduled = false;

  constructor(lines: readonly Client[]) {
    this.#free = [...lines];
  }

  note(workflow: number, position: number, value: object): Promise<void> {
    return new Promise((done) => {
      this.#pending.push({ workflow, position, text: JSON.stringify(value), done });
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      void this.#flush();
    });
  }

  async #flush(): Promise<void> {
    const line = this.#pending.length > 0 ? this.#free.pop() : undefined;
    if (!line) return;
    const batch = this.#pending;
    this.#pending = [];
    const at = Date.now();
    await line.query({
      ...insert,
      values: [batch.map((one) => one.workflow), batch.map((one) => one.position), batch.map(() => at), batch.map((one) => one.text)],
    });
    this.#free.push(line);
    for (const { done } of batch) done();
    this.#schedule();
  }
}

/** Steps a second, 100 workflows at once. */
export async function journal(lines: readonly Client[]): Promise<number> {
  await lines[0]?.query(table);
  const notes = new Journal(lines);
  const play = async (first: number, count: number): Promise<number> => {
    let next = first;
    const worker = async (): Promise<void> => {
      while (next < first + count) {
        const workflow = next++;
        await notes.note(workflow, 0, { type: "started", input: { n: 0 } });
        for (let n = 1; n <= steps; n++) await notes.note(workflow, n, { type: "completed", step: `noop#${n}`, output: { n } });
        await notes.note(workflow, steps + 1, { type: "ended", output: { n: steps } });
      }
    };
    const from = performance.now();
    await Promise.all(Array.from({ length: atOnce }, worker));
    return performance.now() - from;
  };
  await play(0, atOnce);
  return ((workflows * steps) / (await play(atOnce, workflows))) * 1000;
}
