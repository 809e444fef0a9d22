/**
 * The facts of a run as server-sent events, as they are accepted.
 *
 * E1 Nothing piles up: facts are read from the store, a few turns at once, when the reader has taken those before. One who
 *    reads nothing costs these and what the socket holds; the socket is closed when nothing moved for a while (`listen.ts`).
 * E2 `id` is the position behind the fact: who comes back with `Last-Event-ID` misses nothing and gets nothing twice.
 * E3 Whoever goes away, and a server that drains, ends the iteration: no listener stays.
 */
import { type Fact, isFinal } from "../core/fact.ts";
import type { Run } from "../engine/api.ts";
import type { Clock } from "../engine/world.ts";
import { positionText, startsRound } from "./position.ts";

/** How often a line is sent that says nothing, so that proxies keep the connection. */
export const keepAliveMs = 15_000;

export interface Following {
  readonly round: number;
  /** Facts of the present log that the reader has. */
  readonly after: number;
  readonly clock: Pick<Clock, "setTimer">;
  /** Ends the stream. */
  readonly closing: AbortSignal;
  /** Counts the streams that are read. */
  readonly traffic: { streams: number };
}

export function eventStream(run: Run, { round, after, clock, closing, traffic }: Following): ReadableStream<Uint8Array> {
  const gone = new AbortController();
  const facts = run.events({ after, signal: gone.signal })[Symbol.asyncIterator]();
  const encoder = new TextEncoder();
  const at = { round, count: after };
  let begun = false;
  let asked = false;
  /** What came, and was not sent yet. */
  let answer: { readonly result: IteratorResult<Fact> } | "failed" | undefined;
  let wake = () => {};
  const closed = () => wake();
  const ask = (): void => {
    if (asked) return;
    asked = true;
    facts.next().then(
      (result) => {
        answer = { result };
        wake();
      },
      () => {
        answer = "failed";
        wake();
      },
    );
  };
  const end = (): void => {
    if (begun && !gone.signal.aborted) traffic.streams--;
    closing.removeEventListener("abort", closed);
    gone.abort();
  };
  /** Resolves when there is something to send: true, when that is a fact or the end. */
  const news = (): Promise<boolean> =>
    new Promise((resolve) => {
      const quiet = clock.setTimer(keepAliveMs, () => {
        wake = () => {};
        resolve(false);
      });
      wake = () => {
        quiet();
        wake = () => {};
        resolve(true);
      };
      if (answer !== undefined || closing.aborted) wake();
    });

  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const send = (text: string) => controller.enqueue(encoder.encode(text));
        const finish = (): void => {
          end();
          controller.close();
        };
        if (!begun) {
          begun = true;
          traffic.streams++;
          closing.addEventListener("abort", closed);
          return send("retry: 1000\n\n");
        }
        ask();
        if (!(await news())) return send(": still here\n\n");
        if (answer === undefined) {
          if (gone.signal.aborted) return;
          send(": the server is closing\n\n");
          return finish();
        }
        if (answer === "failed") {
          // The engine has stopped, and says so elsewhere: who comes back is told why.
          send(": the stream was broken off\n\n");
          return finish();
        }
        const { result } = answer;
        answer = undefined;
        asked = false;
        if (result.done) return finish();
        const fact = result.value;
        const next = startsRound(fact);
        if (next !== undefined && at.count > 0 && next !== at.round) Object.assign(at, { round: next, count: 0 });
        at.count++;
        send(`id: ${positionText(at)}\nevent: ${fact.type}\ndata: ${JSON.stringify(fact)}\n\n`);
        if (isFinal(fact) && fact.type !== "run.restarted") finish();
      },
      cancel() {
        end();
        wake();
      },
    },
    { highWaterMark: 0 },
  );
}
