/**
 * A node behind a URL.
 *
 * T1 The action is sent once; whoever wants it sent again says so, with the next `delivery`.
 * T2 Aborted, it tells the far side and waits `graceMs` for its answer; let go of (`let-go.ts`), it tells nobody, so that
 *    the next owner finds the work under way. Of a compute there is nothing to tell.
 * T3 An answer is read strictly, and is never larger than the largest value.
 */
import { type Failure, failureOf, OnexError } from "../../core/failure.ts";
import type { Json } from "../../core/json.ts";
import type { Action } from "../action.ts";
import { isLetGo } from "../let-go.ts";
import { type Abort, decodeAnswer, type Ended, encodeAbort, encodeAction, parseJson } from "../wire.ts";
import type { Clock } from "../world.ts";
import { CallFailed, thrownOf } from "./failed.ts";
import { NodeHealth } from "./health.ts";
import type { Answered, Asked, Http } from "./http.ts";

/** An answer is its value and the few words around it. */
const envelopeBytes = 65_536;
/** So many times of silence that a host promises to break, and it did not. */
const silentBeats = 3;
/** Until who was not let in asks again: twice as long each time, so that a log does not fill up with it. */
const shutOutMs = { first: 30_000, most: 300_000 } as const;
/** Longest wait for the answer to an abort. */
const abortMs = 5_000;

export type Sign = (method: "POST", url: URL, body: string, about: Pick<Action, "actionId" | "epoch">) => Readonly<Record<string, string>>;

export interface Remoteness {
  readonly http: Http;
  readonly clock: Clock;
  readonly graceMs: number;
  readonly maxValueBytes: number;
  /** The headers that show who sends this body; none where no secret is shared. */
  readonly sign?: Sign | undefined;
}

/** What a node gave: its output, or an item. */
type Given = Exclude<Ended, { readonly status: "failed" }>;

export class RemoteNode {
  readonly url: URL;
  readonly health = new NodeHealth();
  readonly #by: Remoteness;

  constructor(url: URL, by: Remoteness) {
    this.url = url;
    this.#by = by;
  }

  /**
   * Sends the action and waits for its output; `progress` gets the notes on the way.
   * Throws Fatal for what the node refuses for good; CallFailed for any other failure of the node, and `NODE_UNREACHABLE`,
   * `NODE_ANSWER_INVALID`, `NODE_BUSY`, `ANSWER_TOO_LARGE`; what `signal` was aborted with when no answer came in time.
   */
  async call(action: Action, signal: AbortSignal, progress: (note: Json) => void): Promise<Json> {
    const answer = await this.#ask(action, signal, progress);
    if (answer.status === "completed") return answer.output;
    throw this.#senseless("gave an item of a stream, and nobody asked it for one");
  }

  /**
   * A stream from `taken` on: it is asked for one item each time that one is wanted (W5, W6 of the protocol). Who leaves it
   * before its end has that told to the far side, except one that is let go of: the next owner finds the stream open.
   * @param action of the item that is asked for, with the time that it has.
   */
  async *items(
    action: (taken: number) => Action,
    taken: number,
    signal: AbortSignal,
    progress: (note: Json) => void,
  ): AsyncGenerator<Json, void, undefined> {
    for (let index = taken; ; index++) {
      const asked = action(index);
      const answer = await this.#ask(asked, signal, progress);
      if (answer.status === "completed") {
        const { items } = Object(answer.output) as { readonly items?: Json };
        if (items !== index) throw this.#senseless(`ended the stream with ${JSON.stringify(items)} items and not ${index}`);
        return;
      }
      if (answer.index !== index) throw this.#senseless(`gave item ${answer.index} of the stream and not ${index}`);
      let left = true;
      try {
        yield answer.item;
        left = false;
      } finally {
        const why = signal.aborted ? failureOf(signal.reason, "CANCELLED") : { code: "CANCELLED", message: "nobody takes the rest" };
        if (left && !isLetGo(why)) this.#tell(asked, why);
      }
    }
  }

  #senseless(what: string): CallFailed {
    return new CallFailed({ code: "NODE_ANSWER_INVALID", message: `${this.url.href} ${what}` }, { outcome: "unknown" });
  }

  async #ask(action: Action, signal: AbortSignal, progress: (note: Json) => void): Promise<Given> {
    const { clock, graceMs } = this.#by;
    const cut = new AbortController();
    const stops: (() => void)[] = [];
    const aborted = (): void => {
      const why = failureOf(signal.reason, "CANCELLED");
      if (isLetGo(why) || action.kind === "compute") return cut.abort(signal.reason);
      this.#tell(action, why);
      stops.push(clock.setTimer(graceMs, () => cut.abort(signal.reason)));
    };
    if (signal.aborted) throw signal.reason;
    signal.addEventListener("abort", aborted);
    stops.push(() => signal.removeEventListener("abort", aborted));
    try {
      const answer = await this.#exchange(action, cut, progress);
      if (answer.status === "failed") throw thrownOf(answer);
      return answer;
    } catch (error) {
      // Nobody reads its answer any more: it should not go on for nothing, nor begin late.
      if (
        !signal.aborted &&
        action.kind === "effect" &&
        error instanceof CallFailed &&
        lostOnTheWay.has(error.code) &&
        error.outcome === "unknown"
      )
        this.#tell(action, failureOf(error, error.code));
      throw error;
    } finally {
      for (const stop of stops) stop();
    }
  }

  async #exchange(action: Action, cut: AbortController, progress: (note: Json) => void): Promise<Ended> {
    const { http, graceMs, maxValueBytes } = this.#by;
    const body = encodeAction(action);
    const answered = await http.ask({
      method: "POST",
      url: this.url,
      body,
      headers: { ...action.headers, ...this.#by.sign?.("POST", this.url, body, action) },
      signal: cut.signal,
      withinMs: action.timeoutMs + graceMs + 1_000,
      maxBytes: maxValueBytes + envelopeBytes,
    });
    let wrong: unknown;
    let stopSilence = (): void => {};
    const listen = (): void => {
      if (answered.beatMs === undefined) return;
      stopSilence();
      const longestMs = silentBeats * answered.beatMs;
      stopSilence = this.#by.clock.setTimer(longestMs, () => cut.abort(this.#silent(longestMs)));
    };
    if (answered.lines)
      try {
        for (const lines = answered.lines[Symbol.asyncIterator](); ; ) {
          listen();
          const { done, value: line } = await lines.next();
          if (done) break;
          if (line.trim() === "") continue;
          const answer = decodeAnswer(parseJson(line, `the answer of ${this.url.href}`, "NODE_ANSWER_INVALID"));
          if (answer.status === "progressed") progress(answer.note);
          else if (answer.status === "failed" || (answer.status !== "aborted" && answered.status === 200)) {
            // Its end is read too, so that the connection is kept; who goes on talking loses it.
            lines
              .next()
              .then(({ done }) => (done ? undefined : lines.return?.()))
              .catch(() => {});
            if (answered.status === 401 && answer.status === "failed") throw this.#shutOut(answer.error, action);
            return answer;
          } else break;
        }
      } catch (error) {
        if (!(error instanceof OnexError) || error.code !== "NODE_ANSWER_INVALID") throw error;
        wrong = error;
      } finally {
        stopSilence();
      }
    throw this.#noAnswer(answered, wrong);
  }

  #silent(ms: number): CallFailed {
    return new CallFailed(
      { code: "NODE_UNREACHABLE", message: `${this.url.href} was silent for ${ms} ms: the connection is held for broken` },
      { outcome: "unknown" },
    );
  }

  /** The far side does not know this process: nothing has happened, and nothing does until somebody sets a secret or a clock. */
  #shutOut({ code, message }: Failure, { attempt, delivery }: Action): CallFailed {
    const retryAfterMs = Math.min(shutOutMs.first * 2 ** (Math.max(attempt, delivery) - 1), shutOutMs.most);
    return new CallFailed(
      { code, message: `${this.url.href} lets this process in no more: ${message}` },
      { outcome: "none", retryAfterMs, counts: false },
    );
  }

  /** What it means that the far side said something else than an answer. */
  #noAnswer({ status, type, retryAfterMs }: Answered, wrong: unknown): CallFailed {
    const said = `${this.url.href} answered ${status}`;
    if (status === 503 || status === 429)
      return new CallFailed({ code: "NODE_BUSY", message: `${said}: it takes no work now` }, { outcome: "unknown", retryAfterMs });
    if (status >= 500) return new CallFailed({ code: "NODE_UNREACHABLE", message: said }, { outcome: "unknown" });
    const why =
      status >= 300 && status < 400
        ? "redirects are not followed; configure the URL itself"
        : wrong instanceof Error
          ? wrong.message
          : status === 200
            ? `it ended without an answer (${type})`
            : `that is no node host (${type})`;
    return new CallFailed({ code: "NODE_ANSWER_INVALID", message: `${said}: ${why}` }, { outcome: "unknown" });
  }

  /** Tells the far side that nobody waits any more; whether it hears is its own affair. */
  #tell(action: Action, why: Failure): void {
    const { actionId, runId, leaseId, epoch, notAfter } = action;
    const abort: Abort = { actionId, runId, leaseId, epoch, notAfter, reason: { code: why.code, message: why.message } };
    const body = encodeAbort(abort);
    this.#brief("POST", this.url, body, abortMs, this.#by.sign?.("POST", this.url, body, abort)).catch(() => {});
  }

  /** Asks whether the host is there, and notes what it found. */
  async probe(withinMs: number): Promise<void> {
    const { clock } = this.#by;
    const url = new URL(this.url);
    url.pathname = `${url.pathname.replace(/\/$/, "")}/health`;
    const from = clock.elapsed();
    let failure: Failure | undefined;
    try {
      const { status } = await this.#brief("GET", url, undefined, withinMs);
      if (status !== 200) failure = { code: "NODE_UNREACHABLE", message: `${url.href} answered ${status}` };
    } catch (error) {
      failure = failureOf(error, "NODE_UNREACHABLE");
    }
    this.health.probed(clock.now(), clock.elapsed() - from, failure);
  }

  /** An exchange of a few words. */
  async #brief(
    method: "GET" | "POST",
    url: URL,
    body: string | undefined,
    withinMs: number,
    headers: Asked["headers"] = {},
  ): Promise<Answered> {
    const { http, clock } = this.#by;
    const cut = new AbortController();
    const late = new CallFailed(
      { code: "NODE_UNREACHABLE", message: `${url.href} did not answer within ${withinMs} ms` },
      { outcome: "unknown" },
    );
    const stop = clock.setTimer(withinMs, () => cut.abort(late));
    try {
      const answered = await http.ask({
        method,
        url,
        ...(body === undefined ? {} : { body }),
        headers,
        signal: cut.signal,
        withinMs: withinMs + 1_000,
        maxBytes: envelopeBytes,
      });
      if (answered.lines) for await (const _line of answered.lines);
      return answered;
    } finally {
      stop();
    }
  }
}

const lostOnTheWay: ReadonlySet<string> = new Set(["NODE_UNREACHABLE", "NODE_ANSWER_INVALID", "ANSWER_TOO_LARGE"]);
