/** A run as it goes on, on stderr: what ended stays as a line; what is under way moves below it on a terminal. */
import type { Fact } from "../core/fact.ts";
import { type Failure, sentenceOf } from "../core/failure.ts";
import { clean, cleanLines, moment, shortened, type Terminal, took } from "./output.ts";

interface Doing {
  readonly since: number;
  readonly what: "running" | "retrying" | "waiting" | "sleeping";
  readonly note: string;
  readonly due?: number;
}

const tickMs = 200;
/** Most lines of one tick; a run of thousands of quick steps is told in numbers. */
const maxLines = 20;
/** Longest sleeps are said by date. */
const datedMs = 60_000;

/** Where lines go: a terminal, or a part of one. */
export type Screen = Pick<Terminal, "live" | "style" | "width" | "height" | "say" | "region">;

export class Progress {
  readonly #terminal: Screen;
  readonly #howToSignal: (name: string) => string;
  readonly #doing = new Map<string, Doing>();
  /** Which step took a signal, by the signal's number. */
  readonly #answered = new Map<number, [string, Doing]>();
  readonly #announced = new Map<string, Doing>();
  #said = 0;
  #skipped = 0;
  #ended = 0;
  #timer: NodeJS.Timeout | undefined;

  /** `howToSignal` says how a signal that the run waits for is sent. */
  constructor(terminal: Screen, howToSignal: (name: string) => string) {
    this.#terminal = terminal;
    this.#howToSignal = howToSignal;
    this.#timer = setInterval(() => this.#tick(), tickMs).unref();
  }

  fact(fact: Fact): void {
    const { green, red, yellow, dim } = this.#terminal.style;
    switch (fact.type) {
      case "action.dispatched":
        this.#doing.set(fact.step, { since: fact.at, what: "running", note: fact.attempt > 1 ? `attempt ${fact.attempt}` : "" });
        break;
      case "child.started":
        this.#doing.set(fact.step, { since: fact.at, what: "running", note: `run ${fact.runId}` });
        break;
      case "action.progressed":
        break;
      case "action.item": {
        const doing = this.#doing.get(fact.step);
        if (doing) this.#doing.set(fact.step, { ...doing, note: fact.index === 0 ? "1 item" : `${fact.index + 1} items` });
        break;
      }
      case "action.completed":
        this.#end(fact.step, fact.at, green("✓"), "completed");
        break;
      case "compute.completed":
      case "reducer.applied":
        this.#end(fact.step, fact.at, green("✓"), "completed");
        break;
      case "child.ended":
        this.#end(fact.step, fact.at, fact.status === "completed" ? green("✓") : red("✗"), fact.status, fact.error);
        break;
      case "action.failed":
        this.#end(fact.step, fact.at, yellow("!"), "attempt failed", fact.error);
        break;
      case "step.failed":
      case "compute.failed":
        this.#end(fact.step, fact.at, red("✗"), "failed", fact.error);
        break;
      case "undo.failed":
        this.#end(fact.step, fact.at, red("✗"), "could not be undone", fact.error);
        break;
      case "timer.set":
        if (fact.purpose === "timeout") break;
        if (fact.purpose === "retry") {
          const step = fact.step.slice(0, fact.step.lastIndexOf("@"));
          this.#doing.set(step, { since: fact.at, what: "retrying", note: "", due: fact.due });
          break;
        }
        this.#doing.set(fact.step, { since: fact.at, what: "sleeping", note: "", due: fact.due });
        break;
      case "timer.fired":
        if (this.#doing.get(fact.step)?.what === "sleeping") this.#end(fact.step, fact.at, green("✓"), "woke");
        break;
      case "signal.awaited":
        this.#doing.set(fact.step, { since: fact.at, what: "waiting", note: fact.name });
        this.#line(`${yellow("◷")} ${clean(fact.step)}: waits for signal ${clean(fact.name)}`, dim(`    ${this.#howToSignal(fact.name)}`));
        break;
      case "signal.received":
        this.#received(fact.seq, fact.name);
        break;
      case "signal.rejected":
        this.#refused(fact.seq);
        this.#line(`${red("✗")} signal ${clean(fact.name)} refused: ${reason(fact.error)}`);
        break;
      case "cancel.requested":
        this.#line(`${yellow("!")} cancel requested${fact.reason === undefined ? "" : `: ${clean(fact.reason)}`}`);
        break;
      case "run.compensating":
        this.#line(`${yellow("!")} taking back what was done`);
        break;
      case "run.resumed":
        this.#line(`${yellow("!")} resumed${fact.step === undefined ? "" : ` at ${clean(fact.step)}`}`);
        break;
      case "run.restarted":
        this.#line(`${yellow("!")} restarted with a new input`);
        this.#doing.clear();
        break;
    }
  }

  #received(seq: number, name: string): void {
    const waiting = [...this.#doing].find(([, doing]) => doing.what === "waiting" && doing.note === name);
    this.#line(`  signal ${clean(name)} came${waiting === undefined ? "; it is kept for its wait" : ""}`);
    if (waiting === undefined) return;
    this.#doing.delete(waiting[0]);
    this.#answered.set(seq, waiting);
  }

  /** A payload that does not fit its schema leaves the step waiting. */
  #refused(seq: number): void {
    const waiting = this.#answered.get(seq);
    if (waiting) this.#doing.set(...waiting);
  }

  #end(step: string, at: number, mark: string, what: string, error?: Failure): void {
    const doing = this.#doing.get(step);
    this.#doing.delete(step);
    this.#announced.delete(step);
    this.#ended++;
    const time = doing === undefined ? "" : this.#terminal.style.dim(`  ${took(at - doing.since)}`);
    this.#line(`${mark} ${clean(step)}: ${clean(what)}${error === undefined ? "" : `: ${reason(error)}`}${time}`);
  }

  #line(...lines: readonly string[]): void {
    if (this.#said >= maxLines) this.#skipped++;
    else {
      this.#said++;
      this.#terminal.say(...lines);
    }
  }

  #tick(): void {
    if (this.#skipped > 0) this.#terminal.say(this.#terminal.style.dim(`  … and ${this.#skipped} more (${this.#ended} steps so far)`));
    this.#said = 0;
    this.#skipped = 0;
    if (this.#terminal.live) this.#draw();
    else this.#announce();
  }

  /** Where nothing moves, a line says what is still under way, once. */
  #announce(): void {
    for (const [step, doing] of this.#doing) {
      if (this.#announced.get(step) === doing || doing.what === "waiting") continue;
      this.#announced.set(step, doing);
      const until = doing.due === undefined ? "" : ` ${moment(doing.due)}`;
      const what =
        doing.what === "retrying" ? `tries again at${until}` : doing.what === "sleeping" ? `sleeps until${until}` : "is under way";
      this.#line(`  ${clean(step)}: ${what}${doing.note === "" ? "" : ` (${clean(doing.note)})`}`);
    }
  }

  #draw(): void {
    const { dim, cyan, yellow } = this.#terminal.style;
    const now = Date.now();
    const room = Math.max(1, Math.min(10, this.#terminal.height - 3));
    const width = this.#terminal.width - 3;
    const rows = [...this.#doing].slice(-room).map(([step, doing]) => {
      const text = shortened(`${clean(step)}  ${said(doing, now)}`, width);
      return doing.what === "running" ? `${cyan("●")} ${text}` : `${yellow("◷")} ${dim(text)}`;
    });
    const hidden = this.#doing.size - rows.length;
    this.#terminal.region(hidden > 0 ? [dim(`  … ${hidden} more under way`), ...rows] : rows);
  }

  /** The last lines, and nothing that moves any more. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#doing.clear();
    this.#tick();
  }
}

function said(doing: Doing, now: number): string {
  const note = doing.note === "" ? "" : `${clean(doing.note)}, `;
  if (doing.due === undefined) return `${doing.what === "waiting" ? "signal " : ""}${note}${took(now - doing.since)}`;
  const left = doing.due - now;
  const verb = doing.what === "retrying" ? "tries again" : "sleeps until";
  if (left > datedMs) return `${verb} ${doing.what === "retrying" ? "at " : ""}${moment(doing.due)}`;
  return doing.what === "retrying" ? `tries again in ${took(left)}` : `sleeps ${took(left)} more`;
}

function reason(error: Failure): string {
  return cleanLines(sentenceOf(error), "      ");
}
