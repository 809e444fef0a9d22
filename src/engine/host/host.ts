/**
 * Serves computes, effects and streams to orchestrators elsewhere; the protocol stands in `../wire.ts`.
 *
 * N1 Who may act for a run is checked where work is accepted: a lower epoch than one that was seen is refused, and so is an
 *    equal one under another lease. A compute is pure, so anybody may ask it.
 * N2 An action is done once: a delivery that comes while it is under way joins it, a later one is answered from the record.
 *    Records live in memory until `notAfter` and five minutes; a host that died has forgotten them.
 * N3 What was given up or undone before it came is refused when it comes.
 * N4 A connection that ends aborts nothing; an abort from the owner does, and so does `notAfter`.
 * N5 A stream is kept open between the requests for its items (`stream.ts`); whoever asks is checked each time (N1).
 */
import { OnexError } from "../../core/failure.ts";
import { onlyFields, shown } from "../../core/fields.ts";
import type { Json } from "../../core/json.ts";
import type { AnyNode, ComputeContract, Contract, EffectContract, Log } from "../../node/contract.ts";
import { checkNodes, Registry } from "../../node/registry.ts";
import type { Provided } from "../../node/service.ts";
import type { Action } from "../action.ts";
import { NodeClient } from "../client/client.ts";
import { mayBeRemote } from "../client/endpoints.ts";
import { guarded, unguarded } from "../guard.ts";
import { runCompute } from "../inline.ts";
import { Services } from "../services.ts";
import { systemWorld } from "../system.ts";
import { openTelemetry, withinTrace } from "../tracing/otel.ts";
import { checkSize, roughLength } from "../values.ts";
import { type Abort, type Answer, decodeMessage, type Ended, parseJson } from "../wire.ts";
import type { World } from "../world.ts";
import { bodyOf, jsonResponse, replyResponse } from "./http.ts";
import { Memory } from "./memory.ts";
import { busy, gone, invalid, Refusal, unowned } from "./refusal.ts";
import { Reply } from "./reply.ts";
import { HeldStream } from "./stream.ts";
import { Work, type Workshop } from "./work.ts";

const mib = 1024 * 1024;
/** The words around a payload. */
const envelopeBytes = 65_536;

export interface NodeHostOptions {
  /** Computes, effects and streams. */
  readonly nodes: readonly AnyNode[];
  readonly provide?: readonly Provided[];
  /** Default: warnings and errors to stderr. */
  readonly log?: Log;
  /** Largest input or output, bytes of JSON; default 1 MiB, at most 16 MiB. */
  readonly maxValueBytes?: number;
  /** Bound of what is remembered of actions, bytes; default 64 MiB. Beyond it new work is refused, nothing is forgotten early. */
  readonly maxRecordBytes?: number;
  /** Most streams that are open at once, 1 to 1000000; default 1000. Beyond it the next is refused with `NODE_BUSY`. */
  readonly maxOpenStreams?: number;
  /** How long an aborted call may take to settle before it is given up, ms; default 5000. */
  readonly abortGraceMs?: number;
}

export interface NodeHost {
  /** Answers one request; mount it in any server that speaks web requests. It never rejects. */
  fetch(request: Request): Promise<Response>;
  /** Takes no new work, lets work under way end for at most `graceMs` (default 10 s), aborts the rest, closes the services. */
  close(options?: { readonly graceMs?: number }): Promise<void>;
}

/**
 * A pure handler of requests; it opens no socket.
 * Throws OnexError `REMOTE_REFUSED` for a reducer or workflow, `NODE_DUPLICATE`, `SERVICE_MISSING`, `SERVICE_DUPLICATE`,
 * `OPTION_INVALID`.
 */
export function createNodeHost(options: NodeHostOptions): NodeHost {
  return hostIn(systemWorld(options?.log), options);
}

/** As `createNodeHost`, in a given world; for tests. */
export function hostIn(world: World, options: NodeHostOptions): NodeHost {
  const host = new Host(world, options);
  // Servers are handed `fetch` alone.
  return { fetch: (request) => host.fetch(request), close: (how) => host.close(how) };
}

class Host {
  readonly #world: World;
  readonly #registry: Registry;
  readonly #memory: Memory<Work | HeldStream>;
  readonly #workshop: Workshop;
  readonly #otel = openTelemetry(undefined);
  readonly #underWay = new Set<Work | HeldStream>();
  readonly #maxOpenStreams: number;
  #openStreams = 0;
  #drained: (() => void) | undefined;
  #closing = false;

  constructor(world: World, options: NodeHostOptions) {
    onlyFields("OPTION_INVALID", "the options of createNodeHost", options, hostFields);
    checkNodes(options.nodes);
    const { maxValueBytes = mib, maxRecordBytes = 64 * mib, maxOpenStreams = 1_000, abortGraceMs = 5_000 } = options;
    checkRange("maxValueBytes", maxValueBytes, 1024, 16 * mib);
    checkRange("maxRecordBytes", maxRecordBytes, 1024, Number.MAX_SAFE_INTEGER);
    checkRange("maxOpenStreams", maxOpenStreams, 1, 1_000_000);
    checkRange("abortGraceMs", abortGraceMs, 0, 3_600_000);
    this.#world = world;
    this.#registry = new Registry(options.nodes);
    const services = new Services(options.provide ?? []);
    for (const contract of this.#registry.contracts()) checkServed(contract, services);
    this.#memory = new Memory(maxRecordBytes);
    this.#maxOpenStreams = maxOpenStreams;
    const { log, clock } = world;
    const client = new NodeClient(world, new Map(), { abortGraceMs, maxValueBytes });
    this.#workshop = { log, clock, client, services, abortGraceMs, maxValueBytes };
  }

  async fetch(request: Request): Promise<Response> {
    try {
      const url = new URL(request.url);
      if (request.method === "GET" && url.pathname.endsWith("/health")) return jsonResponse(this.#closing ? 503 : 200, this.#health());
      if (request.method !== "POST") throw invalid(`${request.method} is not understood: POST an action, or GET …/health`, 405);
      const text = await bodyOf(request, 2 * this.#workshop.maxValueBytes + envelopeBytes);
      const message = decodeMessage(parseJson(text, "the request", "ACTION_INVALID"));
      this.#memory.sweep(this.#world.clock.now());
      if ("abort" in message) return jsonResponse(200, this.#abort(message.abort));
      const begun = withinTrace(this.#otel, request.headers, () => this.#begin(message.action));
      return begun instanceof Reply ? await replyResponse(begun, request.headers.get("accept") ?? "") : jsonResponse(200, begun);
    } catch (error) {
      return this.#refused(error);
    }
  }

  #refused(error: unknown): Response {
    if (error instanceof Refusal) return jsonResponse(error.status, error.answer);
    if (error instanceof OnexError && error.code === "ACTION_INVALID") return jsonResponse(400, invalid(error.message).answer);
    const message = error instanceof Error ? error.message : String(error);
    this.#world.log.error(`the node host could not take an action: ${message}`, { code: "ENGINE_FAILED" });
    return jsonResponse(500, {
      status: "failed",
      error: { code: "ENGINE_FAILED", message: "the node host could not take the action; its log says why" },
      outcome: "unknown",
    });
  }

  /** The work of this action, begun or joined, or the answer of a compute. Throws Refusal. */
  #begin(action: Action): Reply | Answer {
    const contract = this.#contractOf(action);
    const item = (contract as Partial<EffectContract>).item !== undefined;
    if (item !== (action.taken !== undefined))
      throw invalid(
        `${contract.kind} ${contract.name} ${item ? "is a stream: say with `taken` which item" : "is no stream: leave out `taken`"}`,
      );
    if (contract.kind === "compute") return this.#compute(action, contract as ComputeContract);
    const said = JSON.stringify([action.node, action.runId, action.step, action.attempt, action.payload]);
    const digest = this.#world.hash(said);
    const known = this.#memory.work(action.actionId);
    if (known && known.digest !== digest) throw invalid(`the action ${action.actionId} came before with another payload`, 409);
    if (action.taken !== undefined)
      return this.#item(
        action,
        action.taken,
        known instanceof HeldStream ? known : this.#stream(action, contract as EffectContract, digest),
      );
    if (known instanceof Work) {
      this.#memory.extend(action.actionId, action.notAfter);
      if (this.#ownership(action) === undefined) this.#memory.raise(action.runId, action, action.notAfter);
      return known;
    }
    this.#mayBegin(action);
    this.#memory.raise(action.runId, action, action.notAfter);
    if (action.undoes !== undefined)
      this.#memory.bury(action.undoes, { code: "UNDONE", message: "its step was undone before this came" }, action.notAfter);
    const work = new Work(digest);
    this.#memory.begin(action.actionId, work, 2 * said.length, action.notAfter);
    this.#underWay.add(work);
    work.listen({
      progressed: () => {},
      ended: (answer) => {
        this.#memory.end(action.actionId, answerBytes(answer));
        this.#ended(work);
      },
    });
    work.start(action, contract as EffectContract, this.#workshop);
    return work;
  }
  #ended(work: Work | HeldStream): void {
    this.#underWay.delete(work);
    if (this.#underWay.size === 0) this.#drained?.();
  }

  #stream({ actionId, payload }: Action, contract: EffectContract, digest: string): HeldStream {
    const stream: HeldStream = new HeldStream(digest, contract, {
      workshop: this.#workshop,
      opened: () => {
        this.#openStreams++;
        this.#underWay.add(stream);
      },
      settled: () => {
        this.#openStreams--;
        if (!stream.underWay) this.#ended(stream);
      },
      answered: (answer) => this.#memory.end(actionId, payloadBytes(payload) + answerBytes(answer)),
    });
    return stream;
  }

  /** N5. The record outlives the open stream, which is left a minute after `notAfter`. */
  #item(action: Action, taken: number, stream: HeldStream): Reply {
    const { actionId, runId, notAfter } = action;
    const refused = this.#ownership(action);
    if (refused) throw refused;
    const step = stream.stepFor(taken);
    if (step === "next") this.#mayStill(action);
    if (step === "open") {
      this.#mayBegin(action);
      if (this.#openStreams >= this.#maxOpenStreams)
        throw busy(`the node host has ${this.#openStreams} streams open, as many as it may`, 1_000);
    }
    this.#memory.raise(runId, action, notAfter);
    if (this.#memory.work(actionId) === stream) this.#memory.extend(actionId, notAfter);
    else this.#memory.begin(actionId, stream, payloadBytes(action.payload), notAfter);
    return stream.ask(action, taken);
  }

  /** Throws Refusal for what must not be begun. */
  #mayBegin(action: Action): void {
    const { clock } = this.#world;
    if (this.#closing) throw busy("the node host is closing", 1_000);
    const undone = this.#memory.tomb(action.idempotencyKey);
    if (undone) throw gone(undone, true);
    const givenUp = this.#memory.tomb(action.actionId);
    if (givenUp) throw gone(givenUp);
    this.#mayStill(action);
    const refused = this.#ownership(action);
    if (refused) throw refused;
    const fullForMs = this.#memory.full(clock.now());
    if (fullForMs !== undefined) throw busy("the node host remembers as much as it may; nothing is forgotten early", fullForMs);
  }

  #mayStill({ notAfter, step }: Action): void {
    const late = this.#world.clock.now() - notAfter;
    if (late > 0)
      throw gone({
        code: "ACTION_EXPIRED",
        message: `step ${step} came ${Math.round(late)} ms after its time was over; if it had time, set the clocks of both sides`,
      });
  }

  /** N1: undefined for the owner of the run, as far as is known here. */
  #ownership({ runId, epoch, leaseId }: Pick<Action, "runId" | "epoch" | "leaseId">): Refusal | undefined {
    const seen = this.#memory.fence(runId);
    if (!seen || epoch > seen.epoch) return undefined;
    const details = { seen_epoch: seen.epoch, seen_lease_id: seen.leaseId };
    if (epoch < seen.epoch)
      return unowned("STALE_EPOCH", `run ${runId} has an owner of epoch ${seen.epoch}, and this one is of epoch ${epoch}`, details);
    if (leaseId !== seen.leaseId)
      return unowned("LEASE_VIOLATION", `run ${runId} is owned in epoch ${epoch} under another lease than ${leaseId}`, details);
    return undefined;
  }

  #abort(abort: Abort): Answer {
    const memory = this.#memory;
    const refused = this.#ownership(abort);
    if (refused) throw refused;
    const work = memory.work(abort.actionId);
    const fullForMs = memory.full(this.#world.clock.now());
    if (!work && fullForMs !== undefined) throw busy("the node host remembers as much as it may", fullForMs);
    memory.raise(abort.runId, abort, abort.notAfter);
    if (work) work.abort(abort.reason);
    else
      memory.bury(
        abort.actionId,
        { code: "CANCELLED", message: `it was given up before it came: ${abort.reason.message}` },
        abort.notAfter,
      );
    return { status: "aborted" };
  }

  #contractOf({ kind, node, version }: Action): Contract {
    // A later minor version answers for an earlier one: a fleet is not renewed all at once.
    const major = version.split(".")[0] ?? "*";
    const found = this.#registry.find(kind, major === "*" ? node : `${node}@${major}`)?.contract;
    if (found) return found;
    const held = this.#registry.contracts().map(({ name, version, kind }) => `${kind} ${name}@${version}`);
    throw new Refusal(404, {
      code: "NODE_UNKNOWN",
      message: `this host serves no ${kind} ${node}${major === "*" ? "" : `@${major}`}; it serves ${held.join(", ") || "none"}`,
    });
  }

  #compute(action: Action, contract: ComputeContract): Answer {
    if (this.#closing) throw busy("the node host is closing", 1_000);
    this.#mayStill(action);
    const { maxValueBytes } = this.#workshop;
    const guard = this.#world.guarded ? guarded : unguarded;
    const { step, payload } = action;
    try {
      checkSize(payload, maxValueBytes, `compute ${contract.name}: input`);
    } catch (error) {
      throw new Refusal(413, { code: "VALUE_TOO_LARGE", message: (error as Error).message }, { final: true });
    }
    const wish = { type: "compute", key: step, step, callee: contract, input: payload, digest: "", timeoutMs: undefined } as const;
    const fact = runCompute({ guard, settings: { maxValueBytes } }, wish);
    if (fact.type === "compute.completed") return { status: "completed", output: fact.output };
    const { error } = fact;
    return { status: "failed", error, outcome: "none", final: true };
  }

  #health(): Json {
    return {
      onex: 1,
      status: this.#closing ? "closing" : "healthy",
      nodes: this.#registry.contracts().map(({ name, kind, version }) => ({ name, kind, version })),
      under_way: this.#underWay.size,
      open_streams: this.#openStreams,
      records: this.#memory.size,
      record_bytes: this.#memory.bytes,
    };
  }

  async close({ graceMs = 10_000 }: { readonly graceMs?: number } = {}): Promise<void> {
    const first = !this.#closing;
    this.#closing = true;
    for (const work of [...this.#underWay]) work.rest();
    if (this.#underWay.size > 0)
      await new Promise<void>((drained) => {
        const before = this.#drained;
        this.#drained = () => {
          stop();
          before?.();
          drained();
        };
        const stop = this.#world.clock.setTimer(graceMs, () => {
          for (const work of this.#underWay) work.abort({ code: "NODE_CLOSED", message: "the node host closes" });
        });
      });
    if (!first) return;
    for (const { service, error } of await this.#workshop.services.close())
      this.#world.log.warn(`the service "${service}" could not be closed: ${error instanceof Error ? error.message : String(error)}`, {
        code: "SERVICE_CLOSE_FAILED",
      });
  }
}

const hostFields: readonly (keyof NodeHostOptions)[] = [
  "nodes",
  "provide",
  "log",
  "maxValueBytes",
  "maxRecordBytes",
  "maxOpenStreams",
  "abortGraceMs",
];

function checkServed(contract: Contract, services: Services): void {
  const { kind, name } = contract;
  if (!mayBeRemote(kind))
    throw new OnexError(
      "REMOTE_REFUSED",
      `${kind} ${name} cannot be served by a node host: ${kind === "reducer" ? "its state is written with the turn that causes it" : "its runs are driven by whoever owns the store"}; give it to createOrchestrator`,
    );
  const missing = services.missing(contract);
  if (missing !== undefined)
    throw new OnexError(
      "SERVICE_MISSING",
      `${kind} ${name} uses the service "${missing}", which nobody provides: add ${missing}.from(…) to \`provide\``,
    );
}

function checkRange(name: string, value: number, least: number, most: number): void {
  if (!(value >= least && value <= most))
    throw new OnexError("OPTION_INVALID", `${name} is ${shown(value)}: give a number from ${least} to ${most}`);
}

/** About what the input of an open stream takes in memory. */
function payloadBytes(payload: Json): number {
  return 2 * roughLength(payload, Number.POSITIVE_INFINITY);
}

/** About what an answer takes in memory. */
function answerBytes(answer: Ended): number {
  const value =
    answer.status === "completed"
      ? answer.output
      : answer.status === "yielded"
        ? answer.item
        : [answer.error.message, answer.error.details ?? null];
  return 2 * roughLength(value, Number.POSITIVE_INFINITY);
}
