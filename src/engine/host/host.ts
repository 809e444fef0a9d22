/**
 * Serves computes, effects and streams to orchestrators elsewhere; the protocol stands in `../wire.ts`.
 *
 * N1 Who may act for a run is checked where work is accepted: a lower epoch than one that was seen is refused, and so is an
 *    equal one under another lease. A compute is pure, so anybody may ask it.
 * N2 An action is done once: a delivery that comes while it is under way joins it, a later one is answered from the record.
 *    It is remembered until `notAfter` and five minutes. A host that died has forgotten it, unless it keeps a record.
 * N3 What was given up or undone before it came is refused when it comes.
 * N4 A connection that ends aborts nothing; an abort from the owner does, and so does `notAfter`.
 * N5 A stream is kept open between the requests for its items (`stream.ts`); whoever asks is checked each time (N1).
 * N6 With a secret, only who signs with it is let in (`door.ts`); what it says in headers must stand in the body too.
 * N7 With a record (`record.ts`) an owner is durable before work is begun for it, what must not begin any more before that is
 *    confirmed, and an answer before it is given out. Items of streams are not recorded: they are read again.
 */
import { type Failure, failureOf, OnexError } from "../../core/failure.ts";
import { onlyFields } from "../../core/fields.ts";
import type { Json } from "../../core/json.ts";
import { Sanitizer } from "../../core/sanitizer.ts";
import type { AnyNode, ComputeContract, Contract, EffectContract, Log } from "../../node/contract.ts";
import { checkNodes, Registry } from "../../node/registry.ts";
import type { Provided } from "../../node/service.ts";
import type { Action } from "../action.ts";
import { NodeClient } from "../client/client.ts";
import { guarded, unguarded } from "../guard.ts";
import { runCompute } from "../inline.ts";
import { sanitizedLog } from "../secrets.ts";
import { Services } from "../services.ts";
import { systemSigner, systemWorld } from "../system.ts";
import { openTelemetry, withinTrace } from "../tracing/otel.ts";
import { checkSize } from "../values.ts";
import { type Abort, type Answer, decodeMessage, type Ended, parseJson } from "../wire.ts";
import type { World } from "../world.ts";
import { checkRange, checkSame, checkServed, hostFields, secretsOf } from "./checks.ts";
import { Door } from "./door.ts";
import { bodyOf, jsonResponse, replyResponse } from "./http.ts";
import { keptMs, Memory } from "./memory.ts";
import type { Entry, Journal } from "./record.ts";
import { openRecord } from "./record-file.ts";
import { busy, gone, invalid, Refusal, unowned } from "./refusal.ts";
import { Reply } from "./reply.ts";
import { answerBytes, payloadBytes } from "./sizes.ts";
import { HeldStream } from "./stream.ts";
import { Work, type Workshop } from "./work.ts";

const mib = 1024 * 1024;
/** The words around a payload. */
const envelopeBytes = 65_536;

export interface NodeHostOptions {
  /** Computes, effects and streams. */
  readonly nodes: readonly AnyNode[];
  readonly provide?: readonly Provided[];
  /**
   * What callers must sign with, at least 16 characters, best 32 random bytes; a list while it is changed, each of which is
   * good. Default `ONEX_NODE_SECRET`, else anybody who reaches the host may ask.
   */
  readonly secret?: string | readonly string[];
  /** Default: warnings and errors to stderr. */
  readonly log?: Log;
  /** Largest input or output, bytes of JSON; default 1 MiB, at most 16 MiB. */
  readonly maxValueBytes?: number;
  /** Bound of what is remembered of actions, bytes; default 64 MiB. Beyond it new work is refused, nothing is forgotten early. */
  readonly maxRecordBytes?: number;
  /**
   * A file to record answers in, so that the next host on it repeats nothing that was answered. One host has it at a time.
   * Default none: what is remembered ends with the process.
   */
  readonly record?: string;
  /** Most effects that are under way at once, 1 to 1000000; default 256. Beyond it the next is refused with `NODE_BUSY`. */
  readonly maxCalls?: number;
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
 * `OPTION_INVALID`, and what `openRecord` throws.
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
  readonly #journal: Journal | undefined;
  readonly #door: Door | undefined;
  readonly #maxCalls: number;
  #calls = 0;
  readonly #maxOpenStreams: number;
  #openStreams = 0;
  #drained: (() => void) | undefined;
  #closing = false;

  constructor(given: World, options: NodeHostOptions) {
    onlyFields("OPTION_INVALID", "the options of createNodeHost", options, hostFields);
    checkNodes(options.nodes);
    const { maxValueBytes = mib, maxRecordBytes = 64 * mib, maxCalls = 256, maxOpenStreams = 1_000, abortGraceMs = 5_000 } = options;
    checkRange("maxValueBytes", maxValueBytes, 1024, 16 * mib);
    checkRange("maxRecordBytes", maxRecordBytes, 1024, Number.MAX_SAFE_INTEGER);
    checkRange("maxCalls", maxCalls, 1, 1_000_000);
    checkRange("maxOpenStreams", maxOpenStreams, 1, 1_000_000);
    checkRange("abortGraceMs", abortGraceMs, 0, 3_600_000);
    const secrets = secretsOf(options.secret ?? given.endpointSecret);
    const sanitizer = new Sanitizer(secrets);
    const world = { ...given, log: sanitizedLog(given.log, () => sanitizer) };
    this.#world = world;
    const { signer = systemSigner, hash } = world;
    if (secrets.length > 0) this.#door = new Door(secrets, { signer, hash, now: () => world.clock.now() });
    this.#registry = new Registry(options.nodes);
    const services = new Services(options.provide ?? []);
    for (const contract of this.#registry.contracts()) checkServed(contract, services);
    this.#memory = new Memory(maxRecordBytes);
    this.#maxCalls = maxCalls;
    this.#maxOpenStreams = maxOpenStreams;
    const { log, clock } = world;
    const client = new NodeClient(world, new Map(), { abortGraceMs, maxValueBytes });
    this.#workshop = { log, clock, client, services, abortGraceMs, maxValueBytes };
    if (options.record !== undefined) this.#journal = this.#open(options.record);
  }

  /** N7: what the host before this one has left. */
  #open(record: string): Journal {
    const { entries, journal } = openRecord(record, () => this.#world.clock.now());
    const memory = this.#memory;
    for (const entry of entries) {
      const notAfter = entry.until - keptMs;
      if (entry.kind === "owner") memory.raise(entry.runId, entry, notAfter, 0);
      else if (entry.kind === "tomb") memory.bury(entry.key, entry.why, notAfter);
      else {
        const work = new Work(entry.digest);
        memory.begin(entry.actionId, work, 0, notAfter);
        memory.end(entry.actionId, answerBytes(entry.answer));
        work.end(entry.answer);
      }
    }
    return journal;
  }

  async fetch(request: Request): Promise<Response> {
    try {
      const url = new URL(request.url);
      if (request.method === "GET" && url.pathname.endsWith("/health"))
        return jsonResponse(this.#closing || this.#journal?.failed ? 503 : 200, this.#health());
      if (request.method !== "POST") throw invalid(`${request.method} is not understood: POST an action, or GET …/health`, 405);
      if (!this.#door && request.headers.has("origin"))
        throw invalid("web pages are not let in: a node host without a secret is for orchestrators on its own machine", 403);
      this.#door?.knock(request.headers);
      const text = await bodyOf(request, 2 * this.#workshop.maxValueBytes + envelopeBytes);
      const { method, headers } = request;
      const caller = this.#door?.enter({ method, path: url.pathname + url.search, headers, body: text });
      const message = decodeMessage(parseJson(text, "the request", "ACTION_INVALID"));
      if (caller) checkSame(caller, "abort" in message ? message.abort : message.action);
      this.#memory.sweep(this.#world.clock.now());
      if ("abort" in message) return jsonResponse(200, await this.#abort(message.abort));
      const begun = await withinTrace(this.#otel, headers, () => this.#begin(message.action));
      return begun instanceof Reply ? await replyResponse(begun, headers.get("accept") ?? "", this.#world.clock) : jsonResponse(200, begun);
    } catch (error) {
      return this.#refused(error);
    }
  }

  #refused(error: unknown): Response {
    if (error instanceof Refusal) return jsonResponse(error.status, error.answer);
    if (error instanceof OnexError && error.code === "ACTION_INVALID") return jsonResponse(400, invalid(error.message).answer);
    if (error instanceof OnexError && error.code === "RECORD_FAILED")
      return jsonResponse(503, { status: "failed", error: failureOf(error, error.code), outcome: "unknown" });
    const message = error instanceof Error ? error.message : String(error);
    this.#world.log.error(`the node host could not take an action: ${message}`, { code: "ENGINE_FAILED" });
    return jsonResponse(500, {
      status: "failed",
      error: { code: "ENGINE_FAILED", message: "the node host could not take the action; its log says why" },
      outcome: "unknown",
    });
  }

  /** The work of this action, begun or joined, or the answer of a compute. Throws Refusal. */
  #begin(action: Action): Reply | Answer | Promise<Reply> {
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
      const longer = this.#memory.extend(action.actionId, action.notAfter);
      const entries = this.#ownership(action) === undefined ? this.#raised(action) : [];
      if (longer && known.answer) entries.push(this.#answerEntry(action.actionId, digest, known.answer));
      return this.#after(entries, () => known);
    }
    this.#mayBegin(action);
    if (this.#calls >= this.#maxCalls) throw busy(`the node host has ${this.#calls} calls under way, as many as it may`, 1_000);
    const entries = this.#raised(action);
    if (action.undoes !== undefined)
      entries.push(this.#buried(action.undoes, { code: "UNDONE", message: "its step was undone before this came" }, action.notAfter));
    const { actionId } = action;
    const work = new Work(digest, (answer) => this.#journal?.write([this.#answerEntry(actionId, digest, answer)]));
    this.#memory.begin(action.actionId, work, 2 * said.length, action.notAfter);
    this.#underWay.add(work);
    this.#calls++;
    work.listen({
      progressed: () => {},
      ended: (answer) => {
        this.#memory.end(action.actionId, answerBytes(answer));
        this.#calls--;
        this.#ended(work);
      },
    });
    const start = () => work.start(action, contract as EffectContract, this.#workshop);
    const durable = this.#journal?.write(entries);
    if (!durable) start();
    else durable.then(start, (error) => work.end({ status: "failed", error: failureOf(error, "RECORD_FAILED"), outcome: "none" }));
    return work;
  }

  /** Remembers the owner; answers what is to be recorded of that. */
  #raised({ runId, epoch, leaseId, notAfter }: Pick<Action, "runId" | "epoch" | "leaseId" | "notAfter">): Entry[] {
    const until = this.#memory.raise(runId, { epoch, leaseId }, notAfter);
    return until === undefined ? [] : [{ kind: "owner", runId, epoch, leaseId, until }];
  }
  #buried(key: string, why: Failure, notAfter: number): Entry {
    this.#memory.bury(key, why, notAfter);
    return { kind: "tomb", key, why, until: notAfter + keptMs };
  }
  #answerEntry(actionId: string, digest: string, answer: Ended): Entry {
    return { kind: "answer", actionId, digest, answer, until: this.#memory.until(actionId) };
  }
  /** What `give` gives, when these are recorded. */
  #after<T>(entries: readonly Entry[], give: () => T): T | Promise<T> {
    return this.#journal?.write(entries)?.then(give) ?? give();
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
  #item(action: Action, taken: number, stream: HeldStream): Reply | Promise<Reply> {
    const { actionId, notAfter } = action;
    const refused = this.#ownership(action);
    if (refused) throw refused;
    const step = stream.stepFor(taken);
    if (step === "next") this.#mayStill(action);
    if (step === "open") {
      this.#mayBegin(action);
      if (this.#openStreams >= this.#maxOpenStreams)
        throw busy(`the node host has ${this.#openStreams} streams open, as many as it may`, 1_000);
    }
    const entries = this.#raised(action);
    if (this.#memory.work(actionId) === stream) this.#memory.extend(actionId, notAfter);
    else this.#memory.begin(actionId, stream, payloadBytes(action.payload), notAfter);
    return this.#after(entries, () => stream.ask(action, taken));
  }

  /** Throws Refusal for what must not be begun. */
  #mayBegin(action: Action): void {
    const { clock } = this.#world;
    if (this.#closing) throw busy("the node host is closing", 1_000);
    if (this.#journal?.failed) throw new Refusal(503, failureOf(this.#journal.failed, "RECORD_FAILED"), { retryAfterMs: 10_000 });
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

  #abort(abort: Abort): Answer | Promise<Answer> {
    const memory = this.#memory;
    const refused = this.#ownership(abort);
    if (refused) throw refused;
    const work = memory.work(abort.actionId);
    const fullForMs = memory.full(this.#world.clock.now());
    if (!work && fullForMs !== undefined) throw busy("the node host remembers as much as it may", fullForMs);
    const entries = this.#raised(abort);
    // Work under way ends with an answer of its own; should the host die before, its successor must not begin it.
    const why: Failure = { code: "CANCELLED", message: `it was given up before it came: ${abort.reason.message}` };
    if (!work) entries.push(this.#buried(abort.actionId, why, abort.notAfter));
    else {
      work.abort(abort.reason);
      entries.push({ kind: "tomb", key: abort.actionId, why, until: abort.notAfter + keptMs });
    }
    return this.#after(entries, () => ({ status: "aborted" }));
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
    const status = this.#closing ? "draining" : this.#journal?.failed ? "failed" : "healthy";
    // Nobody had to sign for this.
    if (this.#door) return { onex: 1, status, under_way: this.#underWay.size };
    return {
      onex: 1,
      status,
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
    await this.#journal?.close();
    for (const { service, error } of await this.#workshop.services.close())
      this.#world.log.warn(`the service "${service}" could not be closed: ${error instanceof Error ? error.message : String(error)}`, {
        code: "SERVICE_CLOSE_FAILED",
      });
  }
}
