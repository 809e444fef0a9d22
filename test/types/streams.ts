/** What a stream is, what consumes it, and what is refused. */
import { z } from "zod";
import { compute, each, effect, type Operation, type Stream, type StreamEffect, service, stream, workflow } from "../../src/index.ts";
import { stub } from "../../src/testing/index.ts";
import { is, same } from "./kit.ts";

interface Table {
  read(n: number): Promise<string>;
}
const table = service<Table>("table");
const score = compute({ name: "score", input: z.object({ total: z.number() }), output: z.object({ high: z.boolean() }) }, ({ total }) => ({
  high: total > 9,
}));

/** The function yields what the schema takes; consumers get what it gives. */
export const rows = stream(
  {
    name: "rows",
    input: z.object({ file: z.string(), from: z.number().default(0) }),
    item: z.object({ n: z.number(), at: z.string().default("here") }),
    uses: { table },
    retry: { maxAttempts: 5 },
    timeout: "5s",
    heartbeat: "1s",
    inDoubt: "pause",
  },
  async function* ({ file, from }, { taken, table, signal, progress, resume }) {
    is<string>()(file);
    is<number>()(from);
    is<number>()(taken);
    is<Table>()(table);
    is<AbortSignal>()(signal);
    progress({ resume: resume ?? null });
    for (let n = from + taken; n < 3; n++) yield { n };
  },
);
type Row = { n: number; at: string };
same<typeof rows, StreamEffect<{ file: string; from?: number | undefined }, Row>>();
same<ReturnType<typeof rows>, Stream<Row>>();
/** Any async iterable will do. */
export const lines = stream({ name: "lines", input: z.string(), item: z.string() }, (): AsyncIterable<string> => {
  throw new Error("not here");
});

export const ingest = workflow({ name: "ingest", input: z.object({ file: z.string() }) }, function* ({ file }) {
  const risks = yield* each(rows({ file }), (row, index) => score({ total: row.n + index }), { concurrency: 2, key: ({ at }) => at });
  is<{ high: boolean }[]>()(risks);
  const sums = yield* each(
    rows({ file }, { step: "again", timeout: "1m", retry: false }),
    function* (batch) {
      is<readonly Row[]>()(batch);
      return (yield* score({ total: batch.length })).high;
    },
    { batchSize: 2 },
  );
  is<boolean[]>()(sums);
  const list = yield* rows({ file });
  is<readonly Row[]>()(list);
  is<number[]>()(
    yield* each([1, 2], function* (n) {
      yield* score({ total: n });
      return n;
    }),
  );
  return { count: list.length };
});

stub(rows, ({ from }, { taken }) => {
  is<number | undefined>()(from);
  is<number>()(taken);
  return [{ n: 1, at: "there" }];
});
stub(rows, async function* () {
  yield { n: 1, at: "there" };
});
// @ts-expect-error: not what it yields
stub(rows, () => ["x"]);

// @ts-expect-error: not an item
export const badItem = stream({ name: "bad", input: z.string(), item: z.number() }, async function* () {
  yield "x";
});
// @ts-expect-error: a stream yields
export const badAnswer = stream({ name: "bad", input: z.string(), item: z.number() }, async () => [1]);
export const badUndo = stream(
  // @ts-expect-error: a stream only reads
  { name: "bad", input: z.string(), item: z.number(), undo: () => score({ total: 1 }) },
  async function* () {
    yield 1;
  },
);
const list = effect({ name: "list", input: z.string(), output: z.array(z.number()), readonly: true }, async () => [1]);
same<ReturnType<typeof list>, Operation<number[]>>();
export const badEach = workflow({ name: "bad", input: z.string() }, function* (text) {
  // @ts-expect-error: an effect that answers once is no stream
  return yield* each(list(text), (n: number) => score({ total: n }));
});
export const badInput = workflow({ name: "bad", input: z.string() }, function* () {
  // @ts-expect-error: its input
  return yield* rows({ path: "x" });
});
