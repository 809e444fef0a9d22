/** What a fold leaves: the turn that is written, and what leaves the process once it is accepted. */
import type { CommandOf } from "../core/command.ts";
import type { Fact, FactBody } from "../core/fact.ts";
import type { Json } from "../core/json.ts";
import { encodeFacts } from "../store/codec.ts";
import type { Message, NewRun, RowChange, TurnWrite } from "../store/store.ts";
import type { Begun } from "./begin.ts";
import { raiseOf } from "./raises.ts";
import type { CallsOutbox } from "./run-calls.ts";
import { roughLength } from "./values.ts";

/** Where the log of a run stands. */
export interface Position {
  readonly runNo: number | undefined;
  readonly turn: number;
  /** Epoch of the last turn. */
  readonly after: number;
  /** Epoch that this owner writes with. */
  readonly epoch: number;
  readonly pos: number;
  readonly mailGot: number;
}

/** Everything that a turn asks of the outside. */
export interface Outbox extends CallsOutbox {
  readonly children: (Begun & { readonly step: string })[];
  readonly messages: Message[];
  readonly states: { readonly reducer: string; readonly key: string; readonly state: string }[];
  /** A6. */
  readonly reduce: CommandOf<"reduce">[];
  successor: Begun | undefined;
  /** A timer was set: the engine's heap must know it, unless the run is put down. */
  armed: boolean;
}

export function emptyOutbox(): Outbox {
  return {
    deliver: [],
    pull: new Set(),
    abort: [],
    ask: [],
    children: [],
    messages: [],
    states: [],
    reduce: [],
    successor: undefined,
    armed: false,
  };
}

interface Turn {
  readonly at: Position;
  /** The run to make, where there is none yet. */
  readonly run: NewRun;
  readonly taking: boolean;
  readonly epoch: number;
  readonly now: number;
  readonly final: boolean;
  readonly facts: readonly Fact[];
  readonly row: RowChange | undefined;
}

export function turnOf({ at, run, taking, epoch, now, final, facts, row }: Turn, out: Outbox): TurnWrite {
  const encoded = encodeFacts(facts);
  return {
    run: at.runNo ?? run,
    turn: at.turn,
    after: at.after,
    epoch,
    pos: at.pos,
    next: at.pos + facts.length,
    at: now,
    final,
    facts: encoded.text,
    ...(taking ? { take: true } : {}),
    ...(raiseOf(facts.at(-1)) === undefined ? {} : { raise: true }),
    ...(encoded.blobs ? { blobs: encoded.blobs } : {}),
    ...(row ? { row } : {}),
    ...(out.children.length > 0 ? { children: out.children.map(({ run, first }) => ({ run, first })) } : {}),
    ...(out.messages.length > 0 ? { messages: out.messages } : {}),
    ...(out.states.length > 0 ? { states: out.states } : {}),
    ...(out.successor ? { successor: { run: out.successor.run, first: out.successor.first } } : {}),
  };
}

/** About the length of the values in a fact; the rest of it is short. Not counted beyond `most`. */
export function factLength(fact: FactBody, most: number): number {
  let length = 0;
  const { input, output, item, state, payload, note } = fact as {
    readonly [field in "input" | "output" | "item" | "state" | "payload" | "note"]?: Json;
  };
  for (const value of [input, output, item, state, payload, note]) if (value !== undefined) length += roughLength(value, most);
  return length;
}
