/**
 * What a call passes before its intent is written: a slot of its effect, the rate of its effect, the breaker of its endpoint.
 * A refusal is no attempt; who is refused waits here, and nowhere else.
 *
 * G1 All that a call needs is taken together or not at all.
 * G2 Asks that need the same stand in one lane, so only the first of a lane is ever looked at; a lane waits at one station,
 *    the first that refuses it. A station that has room has nobody waiting: whatever makes room wakes it.
 * G3 Lower priority numbers go first, equal ones as they came; nobody who comes later overtakes who waits for the same.
 * G4 A pass is left exactly once: at the end of its call, or when the call is not made after all.
 * G5 What is kept is of this process: slots, times and breakers begin anew when another one takes the runs.
 */
import type { Failure } from "../core/failure.ts";
import type { Contract, EffectContract } from "../node/contract.ts";
import { Breaker, type BreakerSettings, type Outcome } from "./breaker.ts";
import { Line, type Place } from "./line.ts";
import { Rate } from "./rate.ts";
import { Slots } from "./slots.ts";
import { Station, Stations } from "./station.ts";
import { Timers } from "./timers.ts";
import type { BreakerView } from "./views.ts";
import type { Clock } from "./world.ts";

/** What the gate reads of a node. */
export type Guarded = Pick<Contract, "kind" | "name" | "version"> & Pick<EffectContract, "concurrency" | "rate">;

/** Who wants to make a call. */
export interface Ask {
  readonly node: Guarded;
  /** The decoded input, for the keys; undefined when it cannot be had at once. */
  readonly input: { readonly value: unknown } | undefined;
  readonly priority: number;
  /** Store time after which it does not wait any more, ms. */
  readonly giveUpAt: number | undefined;
  /** Whether it still wants to go; once it does not, it never does again. */
  wanted(): boolean;
  /** It may go: at once, in the turn that is made next. */
  go(pass: Pass): void;
  /** It waited as long as it may. */
  giveUp(why: Failure): void;
}

export interface GateOptions {
  readonly clock: Clock;
  /** Store time, ms. */
  now(): number;
  readonly breaker: BreakerSettings;
  /** URLs of the nodes that are not in this process, by name. */
  readonly endpoints: Readonly<Record<string, string>>;
  /** A time came that was waited for. */
  rested(): void;
}

/** The right to make one call (G4). */
export interface Pass {
  /** The call is made now. */
  begin(): void;
  /** The endpoint works, though the call goes on: for its breaker the call has ended well. */
  answered(): void;
  /** The call has ended, or is not made. A second time does nothing. */
  leave(outcome: Outcome): void;
}

interface Waiting extends Place {
  readonly ask: Ask;
  /** It went, or gave up. */
  over: boolean;
  /** It was counted as refused by the breaker. */
  counted: boolean;
}
/** The end of someone's wait; the time stands in `priority`. */
interface Patience extends Place {
  readonly waiting: Waiting;
  readonly lane: Lane;
}
/** A lane's place at the station where it waits; one that the lane has replaced counts no more. */
interface Ticket extends Place {
  readonly lane: Lane;
}
type At<L extends Slots | Rate | Breaker> = Station<L, Ticket>;

interface Needs {
  readonly slots: At<Slots> | undefined;
  readonly rate: At<Rate> | undefined;
  readonly circuit: Circuit | undefined;
}
interface Lane extends Needs {
  readonly line: Line<Waiting>;
  at: At<Slots | Rate | Breaker>;
  ticket: Ticket | undefined;
  /** Forgets the lane: nobody waits in it. */
  close(): void;
}
interface Circuit {
  readonly endpoint: string;
  readonly station: At<Breaker>;
  refused: number;
}
/** The limits of one node. */
interface Guard {
  readonly slots: Stations<At<Slots>>;
  readonly rates: Stations<At<Rate>>;
  readonly lanes: Map<string, Lane>;
}

export class Gate {
  readonly #options: GateOptions;
  readonly #timers: Timers;
  /** URLs by the name of the node. */
  readonly #endpoints = new Map<string, string>();
  readonly #guards = new Map<string, Guard>();
  readonly #circuits = new Map<string, Circuit>();
  /** Stations where somebody waits. */
  readonly #busy = new Set<At<Slots | Rate | Breaker>>();
  /** Those that wait no longer than until some time, the earliest first. */
  readonly #patience = new Line<Patience>(({ waiting }) => waits(waiting));
  #order = 0;
  #stopped = false;

  constructor(options: GateOptions) {
    this.#options = options;
    this.#timers = new Timers(options.clock, () => options.clock.elapsed());
    for (const [name, text] of Object.entries(options.endpoints)) {
      // However it is written, one URL is one endpoint.
      const endpoint = URL.canParse(text) ? new URL(text).href : text;
      this.#endpoints.set(name, endpoint);
      this.#circuit(endpoint);
    }
  }

  /** Whether calls of this node have to pass here at all. */
  guards(node: Guarded): boolean {
    return node.concurrency !== undefined || node.rate !== undefined || this.#endpointOf(node) !== undefined;
  }

  /**
   * Asks for a pass. Undefined: it waits, until `go` or `giveUp` is called (which may have happened already).
   * A failure: it could not go before its `giveUpAt` (`CIRCUIT_OPEN`, `LIMIT_REACHED`), or its key could not be made (`INPUT_INVALID`).
   */
  enter(ask: Ask): Pass | Failure | undefined {
    const guard = this.#guard(ask.node);
    let slotKey: string;
    let rateKey: string;
    try {
      slotKey = keyOf(ask, "concurrency");
      rateKey = keyOf(ask, "rate");
    } catch (error) {
      return { code: "INPUT_INVALID", message: (error as Error).message };
    }
    const now = this.#now();
    const laneKey = `${slotKey.length}:${slotKey}${rateKey}`;
    let lane = guard.lanes.get(laneKey);
    if (lane) {
      this.#wakeLate(lane.at, now);
      lane = guard.lanes.get(laneKey);
    }
    const needs: Needs = lane ?? {
      slots: ask.node.concurrency && guard.slots.of(slotKey),
      rate: ask.node.rate && guard.rates.of(rateKey),
      circuit: this.#circuitOf(ask.node),
    };
    const at = lane?.at ?? this.#refusing(needs, now);
    if (!at) return this.#take(needs, now);
    const waiting: Waiting = { ask, priority: ask.priority, order: this.#order++, over: false, counted: false };
    if (needs.circuit?.station === at) this.#count(waiting, needs.circuit);
    const { giveUpAt } = ask;
    if (giveUpAt !== undefined) {
      const leftMs = giveUpAt - this.#options.now();
      const next = at.limit.next(now);
      if (leftMs <= 0 || (next !== Number.POSITIVE_INFINITY && next - now > leftMs)) return tooLate(needs, at, ask.node);
    }
    lane ??= this.#open(guard, laneKey, needs, at);
    lane.line.push(waiting);
    if (giveUpAt !== undefined) this.#giveUpLater(lane, waiting, now + giveUpAt - this.#options.now());
    if (!lane.ticket || lane.line.first === waiting) this.#wait(lane, lane.at, now);
    return undefined;
  }

  /** Nobody here could go within so many ms, unless a call ends first. */
  restful(ms: number): boolean {
    const now = this.#now();
    for (const station of this.#busy) {
      const next = station.limit.next(now);
      if (next !== Number.POSITIVE_INFINITY && next - now <= ms) return false;
    }
    return true;
  }

  breakers(): BreakerView[] {
    const now = this.#now();
    return [...this.#circuits.values()].map(({ endpoint, station, refused }) => {
      const { openUntil, ...shown } = station.limit.view(now);
      return {
        endpoint,
        ...shown,
        refused,
        ...(openUntil === undefined ? {} : { probeAt: Math.ceil(this.#options.now() + openUntil - now) }),
      };
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#timers.stop();
  }

  // ── what a call needs ──

  #now(): number {
    return this.#options.clock.elapsed();
  }
  #endpointOf(node: Guarded): string | undefined {
    const endpoint = this.#endpoints.get(node.name);
    if (endpoint !== undefined) return endpoint;
    return this.#options.breaker.local && node.kind === "effect" ? `local:${node.name}` : undefined;
  }
  #circuitOf(node: Guarded): Circuit | undefined {
    const endpoint = this.#endpointOf(node);
    return endpoint === undefined ? undefined : this.#circuit(endpoint);
  }
  #circuit(endpoint: string): Circuit {
    const known = this.#circuits.get(endpoint);
    if (known) return known;
    const circuit = { endpoint, station: station(new Breaker(this.#options.breaker)), refused: 0 };
    this.#circuits.set(endpoint, circuit);
    return circuit;
  }
  #guard(node: Guarded): Guard {
    const id = `${node.name}@${node.version}`;
    const known = this.#guards.get(id);
    if (known) return known;
    const { concurrency, rate } = node;
    const guard: Guard = {
      slots: new Stations(
        () => station(new Slots(concurrency?.limit ?? 1)),
        ({ limit }) => limit.unused,
      ),
      rates: new Stations(
        () => station(new Rate(rate?.limit ?? 1, rate?.perMs ?? 1)),
        ({ limit }) => limit.unused(this.#now()),
      ),
      lanes: new Map(),
    };
    this.#guards.set(id, guard);
    return guard;
  }

  /** The first that refuses; who waits there and could have gone goes first (G3). */
  #refusing({ slots, rate, circuit }: Needs, now: number): At<Slots | Rate | Breaker> | undefined {
    const stations = [slots, rate, circuit?.station].filter((one) => one !== undefined);
    for (const one of stations) this.#wakeLate(one, now);
    return stations.find((one) => one.limit.next(now) > now);
  }

  /** G1. */
  #take(needs: Needs, now: number): Pass {
    const { slots, rate, circuit } = needs;
    slots?.limit.take();
    rate?.limit.reserve();
    const period = circuit?.station.limit.enter(now) ?? 0;
    use(needs, 1);
    let state: "taken" | "begun" | "left" = "taken";
    let judged = circuit === undefined;
    const judge = (outcome: Outcome, at: number): void => {
      if (!judged) circuit?.station.limit.leave(period, outcome, at);
      judged = true;
    };
    return {
      begin: () => {
        if (state !== "taken") return;
        state = "begun";
        rate?.limit.start(this.#now());
        // From now on it is known when there is room again.
        if (rate && rate.waiting.size > 0) this.#arm(rate, this.#now());
      },
      answered: () => {
        if (state !== "begun" || judged) return;
        const at = this.#now();
        judge("success", at);
        if (circuit) this.#wake(circuit.station, at);
      },
      leave: (outcome) => {
        if (state === "left") return;
        const begun = state === "begun";
        state = "left";
        const at = this.#now();
        slots?.limit.giveBack();
        if (!begun) rate?.limit.giveBack();
        judge(begun ? outcome : "ignored", at);
        use(needs, -1);
        for (const one of [slots, rate, circuit?.station]) if (one) this.#wake(one, at);
      },
    };
  }

  // ── waiting ──

  #open(guard: Guard, key: string, needs: Needs, at: At<Slots | Rate | Breaker>): Lane {
    const lane: Lane = {
      ...needs,
      line: new Line<Waiting>(waits),
      at,
      ticket: undefined,
      close: () => {
        guard.lanes.delete(key);
        use(lane, -1);
      },
    };
    use(lane, 1);
    guard.lanes.set(key, lane);
    return lane;
  }

  /** The lane waits there, in the place of its first. */
  #wait(lane: Lane, at: At<Slots | Rate | Breaker>, now: number): void {
    const { first } = lane.line;
    if (!first) return lane.close();
    lane.at = at;
    lane.ticket = { lane, priority: first.priority, order: first.order };
    if (lane.circuit?.station === at) this.#count(first, lane.circuit);
    at.waiting.push(lane.ticket);
    this.#busy.add(at);
    this.#arm(at, now);
  }
  #count(waiting: Waiting, circuit: Circuit): void {
    if (!waiting.counted) circuit.refused++;
    waiting.counted = true;
  }

  #wakeLate(at: At<Slots | Rate | Breaker>, now: number): void {
    // Time made room, and its timer has not fired yet.
    if (at.waiting.size > 0 && at.limit.next(now) <= now) this.#wake(at, now);
  }

  /** G2: lets go who can, until there is no room or nobody. */
  #wake(at: At<Slots | Rate | Breaker>, now: number): void {
    if (this.#stopped) return;
    while (at.limit.next(now) <= now) {
      const ticket = at.waiting.shift();
      if (!ticket) break;
      this.#advance(ticket.lane, at, now);
    }
    if (at.waiting.first === undefined) this.#busy.delete(at);
    else this.#arm(at, now);
  }

  #advance(lane: Lane, woken: At<Slots | Rate | Breaker>, now: number): void {
    lane.ticket = undefined;
    if (!lane.line.first) return lane.close();
    const full = () => [lane.slots, lane.rate, lane.circuit?.station].find((one) => one !== undefined && one.limit.next(now) > now);
    const refusing = full();
    if (refusing) return this.#wait(lane, refusing, now);
    const waiting = lane.line.shift() as Waiting;
    waiting.over = true;
    waiting.ask.go(this.#take(lane, now));
    this.#wait(lane, full() ?? woken, now);
  }

  #arm(at: At<Slots | Rate | Breaker>, now: number): void {
    const next = at.limit.next(now);
    if (this.#stopped || next === Number.POSITIVE_INFINITY || (at.armedFor > now && at.armedFor <= next)) return;
    at.armedFor = next;
    this.#timers.at(next, () => {
      if (at.armedFor === next) at.armedFor = Number.POSITIVE_INFINITY;
      this.#wake(at, this.#now());
      this.#options.rested();
    });
  }

  #giveUpLater(lane: Lane, waiting: Waiting, due: number): void {
    const patience = { priority: due, order: waiting.order, waiting, lane };
    this.#patience.push(patience);
    if (this.#patience.first === patience) this.#armPatience();
  }
  #armPatience(): void {
    const { first } = this.#patience;
    if (first && !this.#stopped) this.#timers.at(first.priority, () => this.#losePatience());
  }
  #losePatience(): void {
    const now = this.#now();
    for (let one = this.#patience.first; one && one.priority <= now; one = this.#patience.first) {
      const { waiting, lane } = one;
      this.#wakeLate(lane.at, now);
      if (waiting.over) continue;
      waiting.over = true;
      waiting.ask.giveUp(tooLate(lane, lane.at, waiting.ask.node));
    }
    this.#armPatience();
  }
}

function waits({ over, ask }: Waiting): boolean {
  return !over && ask.wanted();
}

function station<L extends Slots | Rate | Breaker>(limit: L): At<L> {
  return new Station<L, Ticket>(limit, (ticket) => ticket.lane.ticket === ticket);
}

function use({ slots, rate, circuit }: Needs, change: 1 | -1): void {
  for (const one of [slots, rate, circuit?.station]) if (one) one.users += change;
}

function keyOf(ask: Ask, what: "concurrency" | "rate"): string {
  const { node, input } = ask;
  const key = node[what]?.key;
  if (!key) return "";
  const where = `effect ${node.name}: ${what}.key`;
  if (!input) throw new Error(`${where}: the input's schema answers with a promise, and a key is made at once: use a synchronous schema`);
  let made: unknown;
  try {
    made = (key as (input: unknown) => unknown)(input.value);
  } catch (error) {
    throw new Error(`${where} threw: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (typeof made !== "string") throw new Error(`${where} gave ${made === null ? "null" : typeof made}: return a string`);
  return made;
}

function tooLate(needs: Needs, at: At<Slots | Rate | Breaker>, node: Guarded): Failure {
  const { circuit } = needs;
  if (circuit?.station === at)
    return {
      code: "CIRCUIT_OPEN",
      message: `${node.name}: the circuit breaker of ${circuit.endpoint} keeps calls back for longer than \`retry.within\` allows`,
    };
  const limit = at === needs.slots ? "concurrency" : "rate";
  return { code: "LIMIT_REACHED", message: `${node.name}: its \`${limit}\` left no room within the time that \`retry.within\` allows` };
}
