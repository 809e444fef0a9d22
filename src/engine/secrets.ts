/**
 * What keeps secrets in: the store that seals them, errors that are recorded without them, and faces that do not show them.
 *
 * Y1 What is folded and sent again is the true value (`store`); what is shown comes from what the database holds (`facts`),
 *    in which secrets are sealed and stay so.
 * Y2 An error is cleaned before it is folded, so a run sees the same one live and on replay.
 */
import type { Fact, FactBody } from "../core/fact.ts";
import { type Failure, OnexError, RunCancelled, RunFailed } from "../core/failure.ts";
import { type Json, toJson } from "../core/json.ts";
import type { Sanitizer } from "../core/sanitizer.ts";
import type { Log } from "../node/contract.ts";
import { blobsOf, decodeFacts } from "../store/codec.ts";
import { sealer } from "../store/seal.ts";
import { Sealing, sealedStore, valueFields } from "../store/sealed.ts";
import type { OpenStore, TurnRow } from "../store/store.ts";

export class Secrets {
  readonly sanitizer: Sanitizer;
  /** The store, with secrets sealed on their way in and opened on their way out. */
  readonly store: OpenStore;
  readonly #stored: OpenStore;
  readonly #sealing: Sealing;

  constructor(
    stored: OpenStore,
    sanitizer: Sanitizer,
    given: { readonly secrets: readonly string[]; readonly secretKey: string | undefined },
  ) {
    this.sanitizer = sanitizer;
    this.#stored = stored;
    const place = stored.secretKeys && ((make: boolean) => stored.secretKeys?.(make));
    this.#sealing = new Sealing(sanitizer, sealer(given.secretKey, place, stored.name), given.secrets.length === 0);
    this.store = sealedStore(stored, this.#sealing);
  }

  /** The run of this id has this number. */
  join(runId: string, runNo: number): void {
    this.#sealing.join(runId, runNo);
  }

  /** Who knows what was secret in a run too, and in these values. */
  of(runId: string, also: Iterable<string> = [], value?: Json): Sanitizer {
    const met = new Set([...this.#sealing.met(runId), ...also]);
    if (value !== undefined) this.sanitizer.secretsIn(value, met);
    return met.size === 0 ? this.sanitizer : this.sanitizer.with(met);
  }

  /** The log of a run: what was secret in the run does not pass. */
  logOf(log: Log, runId: string): Log {
    return sanitizedLog(log, () => (this.#sealing.met(runId).size === 0 ? undefined : this.of(runId)));
  }

  /** What is thrown to a caller who handed in `given`. */
  thrown(error: unknown, given: unknown): unknown {
    if (!(error instanceof OnexError) || error instanceof RunFailed || error instanceof RunCancelled) return error;
    const met = new Set<string>();
    try {
      this.sanitizer.secretsIn(toJson(given, "what was given"), met);
    } catch {
      // What is no JSON is told without.
    }
    const failure: Failure = {
      code: error.code,
      message: error.message,
      ...(error.details === undefined ? {} : { details: error.details }),
    };
    const clean = this.sanitizer.with(met).failure(failure);
    return clean === failure ? error : new OnexError(clean.code, clean.message, { details: clean.details });
  }

  /** JSON text to compare by its digest: nobody can try out the secrets in it. */
  question(text: string): string {
    return this.#sealing.question(text);
  }

  /** The facts of a run from turn `from` on, as they are shown. */
  async facts(runNo: number, from: number, limit?: number): Promise<readonly (readonly Fact[])[]> {
    const turns = await this.#stored.turns(runNo, from, limit);
    return turns.map((turn) => this.#shown(runNo, turn));
  }

  #shown(runNo: number, { facts: text, blobs }: TurnRow): Fact[] {
    const find = blobsOf(this.#stored, runNo, blobs);
    const blob = (hash: string): string | undefined => {
      const found = find(hash);
      return found === undefined ? undefined : this.#sealing.shown(found);
    };
    const facts = decodeFacts(this.#sealing.shown(text), blob);
    // A value that stands apart was not in the text.
    if (!text.includes('"blobs"') && !this.sanitizer.suspects(text)) return facts;
    return facts.map((fact) => cleanValues(this.sanitizer, cleanTexts(fact, this.sanitizer)));
  }
}

/** The texts of a turn that is being folded: they tell no secret of the run, of the turn, or of what they answer to. */
export class TurnTexts {
  readonly #secrets: Secrets;
  readonly #runId: string;
  readonly #turn: readonly Fact[];
  readonly #met = new Set<string>();
  /** Facts of the turn that were searched for secrets: each once, and none unless a text comes. */
  #searched = 0;

  constructor(secrets: Secrets, runId: string, turn: readonly Fact[]) {
    this.#secrets = secrets;
    this.#runId = runId;
    this.#turn = turn;
  }

  /** The fact, or one like it with clean texts; `input` is what it answers to, where no fact holds that. */
  clean<F extends FactBody>(fact: F, input?: Json): F {
    if (!hasTexts(fact)) return fact;
    const { sanitizer } = this.#secrets;
    for (; this.#searched < this.#turn.length; this.#searched++)
      sanitizer.secretsIn(this.#turn[this.#searched] as unknown as Json, this.#met);
    return cleanTexts(fact, this.#secrets.of(this.#runId, [...this.#met], input));
  }
}

/** Whether a fact holds texts of errors or of people. */
export function hasTexts(fact: FactBody): boolean {
  return withTexts.has(fact.type);
}
const withTexts: ReadonlySet<FactBody["type"]> = new Set([
  ...(["action.failed", "step.failed", "compute.failed", "signal.rejected", "child.ended", "undo.failed"] as const),
  ...(["cancel.requested", "run.paused", "run.failed", "run.cancelled", "migration.refused"] as const),
]);

/** The fact with its error, message and reason cleaned; the same one when nothing was secret. */
export function cleanTexts<F extends FactBody>(fact: F, sanitizer: Sanitizer): F {
  if (!hasTexts(fact)) return fact;
  const { error, message, reason } = fact as { readonly error?: Failure; readonly message?: string; readonly reason?: string };
  const clean = {
    ...(error === undefined ? {} : { error: sanitizer.failure(error) }),
    ...(message === undefined ? {} : { message: sanitizer.text(message) }),
    ...(reason === undefined ? {} : { reason: sanitizer.text(reason) }),
  };
  return clean.error === error && clean.message === message && clean.reason === reason ? fact : { ...fact, ...clean };
}

function cleanValues(sanitizer: Sanitizer, fact: Fact): Fact {
  const clean: Record<string, unknown> = { ...fact };
  for (const field of valueFields) if (clean[field] !== undefined) clean[field] = sanitizer.json(clean[field] as Json);
  return clean as unknown as Fact;
}

/** A log that lets no secret through, in messages and in fields at any depth; all, while there is nobody to look at it. */
export function sanitizedLog(log: Log, sanitizer: () => Sanitizer | undefined): Log {
  const level =
    (name: keyof Log) =>
    (message: string, fields?: object): void => {
      const knowing = sanitizer();
      if (!knowing) return fields === undefined ? log[name](message) : log[name](message, fields);
      const text = knowing.text(String(message));
      if (fields === undefined) log[name](text);
      else log[name](text, knowing.value(fields) as object);
    };
  return { debug: level("debug"), info: level("info"), warn: level("warn"), error: level("error") };
}
