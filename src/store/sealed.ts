/**
 * A store in which secrets are sealed: whoever reads the database finds `{"$sealed":"…"}`, whoever reads through here finds
 * the value as it was. Redaction would lose it, and an effect that is sent again would get another input than before.
 *
 * L1 Every text of values passes here on its way in and out: facts, values that stand apart, messages, states, definitions.
 * L2 What comes out is what went in, character for character of its JSON; an object of the user's own with the one key
 *    `$sealed` comes back too.
 * L3 What a process cannot judge it seals whole: one that registered no values does not know those of the owner.
 * L4 A value that was once secret in a run is secret wherever it turns up in that run: an effect may echo its input.
 */
import type { Json } from "../core/json.ts";
import { redacted, Sanitizer, textsIn } from "../core/sanitizer.ts";
import type { ScheduleRow, ScheduleStore } from "./schedule-store.ts";
import type { Sealer } from "./seal.ts";
import type { Appended, Awaitable, Blob, FirstTurn, Fold, Message, OpenStore, Taken, Taking, TurnRow, TurnWrite } from "./store.ts";

/** The one key of a sealed value; with one more `$` in front it is a user's own. */
const mark = "$sealed";
const ours = /^\$+sealed$/;
/** Before a sealed value that was sealed whole: it is not held to be a secret itself. */
const whole = "~";
/** Of how many runs the secrets are remembered, and how many of each. */
const maxRuns = 1000;
const maxSecrets = 100;
const none: ReadonlySet<string> = new Set();
const plain = new Sanitizer();

type Tree = Record<string, unknown>;
type RunKey = number | string;

/** Fields of a fact that hold values; the rest, but for the texts, is onex's own. */
export const valueFields = ["input", "output", "item", "payload", "state", "note", "value", "stepInputs", "mail"] as const;
const sealedFields = [...valueFields, "error", "message", "reason"] as const;

export class Sealing {
  readonly #sanitizer: Sanitizer;
  readonly #sealer: Sealer;
  readonly #blind: boolean;
  /** Who knows the secrets of a run too, by its number or, before it has one, its id (L4). */
  readonly #knowing = new Map<RunKey, { readonly met: Set<string>; sanitizer: Sanitizer }>();

  /** @param blind no values were registered in this process (L3). */
  constructor(sanitizer: Sanitizer, sealer: Sealer, blind: boolean) {
    this.#sanitizer = sanitizer;
    this.#sealer = sealer;
    this.#blind = blind;
    // Whoever finds a key knows that there may be secrets that it cannot tell.
    if (!blind) sealer.ready(true);
  }

  /** Texts that were secret in a run so far, as far as this process has seen. */
  met(runId: string): ReadonlySet<string> {
    return this.#knowing.get(runId)?.met ?? none;
  }
  /** The run of this id has this number. */
  join(runId: string, runNo: number): void {
    const byId = this.#knowing.get(runId);
    const byNo = this.#knowing.get(runNo);
    if (byId && byNo && byId !== byNo) for (const text of byId.met) byNo.met.add(text);
    const knowing = byNo ?? byId;
    if (!knowing) return;
    this.#knowing.set(runId, knowing);
    this.#knowing.set(runNo, knowing);
    knowing.sanitizer = this.#sanitizer.with(knowing.met);
  }

  /** JSON text of a value with the secrets in it sealed; the same text when there are none. */
  seal(text: string, run?: RunKey): string {
    return this.#sealText(text, run, (tree, seal) => seal(tree));
  }

  /** The text of a turn with the secrets in its values sealed. */
  sealFacts(text: string, run: RunKey): string {
    // From the short digest of an input, a short secret could be tried out.
    const digests = this.#knowing.has(run) && text.includes('"digest"');
    return this.#sealText(
      text,
      run,
      (tree, seal) => {
        for (const fact of tree as unknown as Tree[]) {
          for (const field of sealedFields) if (fact[field] !== undefined) fact[field] = seal(fact[field] as Json);
          if (typeof fact.digest === "string" && this.#knowing.has(run)) fact.digest = this.#sealed(JSON.stringify(fact.digest), whole);
        }
        return tree;
      },
      digests,
    );
  }

  /** A message from outside (L3). */
  sealMessage(text: string): string {
    return this.#judges() ? this.seal(text) : JSON.stringify(this.#sealed(text, whole));
  }

  /** The first turn of a run that another process will drive (L3). */
  sealStart(text: string, run: RunKey): string {
    if (this.#judges()) return this.sealFacts(text, run);
    const facts = JSON.parse(text) as Tree[];
    for (const fact of facts)
      for (const field of sealedFields) if (fact[field] !== undefined) fact[field] = this.#sealed(JSON.stringify(fact[field]), whole);
    return JSON.stringify(facts);
  }

  #judges(): boolean {
    return !this.#blind || !this.#sealer.ready(false);
  }

  /** JSON text as it was before it was sealed. Throws OnexError `SECRET_KEY_MISSING`. */
  open(text: string, run?: RunKey): string {
    if (!text.includes(mark)) return text;
    return JSON.stringify(
      unseal(JSON.parse(text), (sealed) => {
        const known = !sealed.startsWith(whole);
        const value = JSON.parse(this.#sealer.open(known ? sealed : sealed.slice(whole.length))) as Json;
        if (run === undefined) return value;
        if (known) this.#learn(run, value);
        else this.#sanitizer.replace(value, (secret) => this.#learn(run, secret));
        return value;
      }),
    );
  }

  /** JSON text as it is shown: what is sealed stays so, and no key is needed. */
  shown(text: string): string {
    return text.includes(mark) ? JSON.stringify(unseal(JSON.parse(text), () => redacted)) : text;
  }

  /** JSON text to compare by its digest: from that, nobody can try out what the secrets in it are. */
  question(text: string): string {
    // Without registered values: every process must come to the same answer.
    if (!plain.suspects(text)) return text;
    return JSON.stringify(plain.replace(JSON.parse(text), (secret) => this.#sealer.digest(JSON.stringify(secret))));
  }

  #sealText(text: string, run: RunKey | undefined, walk: (tree: Json, seal: (value: Json) => Json) => Json, always = false): string {
    // Looked up for each value: what an earlier one of this text told is secret in the later ones.
    const knowing = () => (run === undefined ? undefined : this.#knowing.get(run)?.sanitizer) ?? this.#sanitizer;
    const marked = text.includes(mark);
    if (!always && !marked && !knowing().suspects(text)) return text;
    let found = always;
    const seal = (secret: Json): Json => {
      found = true;
      if (run !== undefined) this.#learn(run, secret);
      return this.#sealed(JSON.stringify(secret), "");
    };
    const tree = walk(JSON.parse(text), (value) => knowing().replace(marked ? escaped(value) : value, seal));
    return found || marked ? JSON.stringify(tree) : text;
  }

  #sealed(text: string, prefix: string): Json {
    return { [mark]: prefix + this.#sealer.seal(text) };
  }

  /** Answers the secret itself. */
  #learn(run: RunKey, secret: Json): Json {
    let knowing = this.#knowing.get(run);
    if (!knowing) {
      if (this.#knowing.size >= maxRuns) this.#knowing.delete(this.#knowing.keys().next().value as RunKey);
      knowing = { met: new Set(), sanitizer: this.#sanitizer };
      this.#knowing.set(run, knowing);
    }
    const before = knowing.met.size;
    if (before < maxSecrets) textsIn(secret, knowing.met);
    if (knowing.met.size > before) knowing.sanitizer = this.#sanitizer.with(knowing.met);
    return secret;
  }
}

/** The store, with secrets sealed on their way in and opened on their way out. */
export function sealedStore(store: OpenStore, sealing: Sealing): OpenStore {
  const take = store.take?.bind(store);
  const texts: Partial<OpenStore> = {
    append: (batch) =>
      after(store.append(batch.map((write) => sealedTurn(sealing, write))), (answers) =>
        answers.some((answer) => answer.accepted && answer.folded) ? answers.map((answer) => openedFold(sealing, answer)) : answers,
      ),
    start: (run, turn) =>
      store.start(run, { ...turn, facts: sealing.sealStart(turn.facts, run.id), ...sealedBlobs(sealing, turn, run.id) }),
    post: (message) => store.post({ ...message, body: sealing.sealMessage(message.body) }),
    define: (hash, text) => store.define(hash, sealing.seal(text)),
    ...(take ? { take: (runNos, held) => after(take(runNos, held), (taking) => openedTaking(sealing, taking)) } : {}),
    turns: (runNo, from, limit) => after(store.turns(runNo, from, limit), (turns) => turns.map((turn) => opened(sealing, turn, runNo))),
    tail: (runNo) => after(store.tail(runNo), (turn) => turn && opened(sealing, turn, runNo)),
    blob: (runNo, hash) => after(store.blob(runNo, hash), (text) => (text === undefined ? undefined : sealing.open(text, runNo))),
    inbox: (runNo, from) => after(store.inbox(runNo, from), (rows) => rows.map((row) => ({ ...row, body: sealing.open(row.body, runNo) }))),
    state: (reducer, key) => after(store.state(reducer, key), (text) => (text === undefined ? undefined : sealing.open(text))),
    definition: (hash) => after(store.definition(hash), (text) => (text === undefined ? undefined : sealing.open(text))),
    schedules: sealedSchedules(store.schedules, sealing),
  };
  const methods = new Map<PropertyKey, unknown>(Object.entries(texts));
  // What carries no values is the store's own.
  return new Proxy(store, {
    get(target, name) {
      const known = methods.get(name);
      if (known !== undefined) return known;
      const own: unknown = Reflect.get(target, name, target);
      if (typeof own !== "function") return own;
      const bound: unknown = own.bind(target);
      methods.set(name, bound);
      return bound;
    },
  });
}

/** One that cannot be opened does not stop the others. */
function openedTaking(sealing: Sealing, { taken, left }: Taking): Taking {
  const openedFirst = ({ row, first }: Taken): Taken => {
    try {
      return first ? { row, first: opened(sealing, first, row.runNo) } : { row };
    } catch {
      return { row };
    }
  };
  return { taken: taken.map(openedFirst), left };
}

function sealedSchedules(schedules: ScheduleStore, sealing: Sealing): ScheduleStore {
  const opened = (row: ScheduleRow): ScheduleRow => ({ ...row, spec: sealing.open(row.spec), state: sealing.open(row.state) });
  return {
    get: (id) => after(schedules.get(id), (row) => row && opened(row)),
    list: () => after(schedules.list(), (rows) => rows.map(opened)),
    due: (now) => after(schedules.due(now), (rows) => rows.map(opened)),
    next: (from) => schedules.next(from),
    save: (row, then) => schedules.save({ ...row, spec: sealing.seal(row.spec), state: sealing.seal(row.state) }, then),
    remove: (id) => schedules.remove(id),
  };
}

function sealedTurn(sealing: Sealing, write: TurnWrite): TurnWrite {
  const run = typeof write.run === "number" ? write.run : write.run.id;
  const facts = write.fold ? write.facts : sealing.sealFacts(write.facts, run);
  const { blobs, children, messages, states, fold, successor } = write;
  if (!blobs && !children && !messages && !states && !fold && !successor) return facts === write.facts ? write : { ...write, facts };
  return {
    ...write,
    facts,
    ...sealedBlobs(sealing, write, run),
    ...(children ? { children: children.map(({ run, first }) => ({ run, first: sealedFirst(sealing, first, run.id) })) } : {}),
    ...(messages ? { messages: messages.map((message): Message => ({ ...message, body: sealing.seal(message.body, run) })) } : {}),
    ...(states ? { states: states.map((one) => ({ ...one, state: sealing.seal(one.state, run) })) } : {}),
    ...(fold ? { fold: sealedFold(sealing, fold, run) } : {}),
    ...(successor ? { successor: { run: successor.run, first: sealedFirst(sealing, successor.first, successor.run.id) } } : {}),
  };
}

function sealedFold(sealing: Sealing, fold: Fold, run: RunKey): Fold {
  return {
    keys: fold.keys,
    with(found) {
      const { facts, blobs, states } = fold.with(found.map((state) => (state === undefined ? undefined : sealing.open(state, run))));
      return {
        facts: sealing.sealFacts(facts, run),
        ...sealedBlobs(sealing, blobs ? { blobs } : {}, run),
        states: states.map((state) => (state === undefined ? undefined : sealing.seal(state, run))),
      };
    },
  };
}

function openedFold(sealing: Sealing, answer: Appended): Appended {
  if (!answer.accepted || !answer.folded) return answer;
  const { facts, blobs } = answer.folded;
  return {
    ...answer,
    folded: {
      facts: sealing.open(facts, answer.runNo),
      ...(blobs ? { blobs: blobs.map(({ hash, text }) => ({ hash, text: sealing.open(text, answer.runNo) })) } : {}),
    },
  };
}

function sealedFirst(sealing: Sealing, first: FirstTurn, run: RunKey): FirstTurn {
  return { ...first, facts: sealing.sealFacts(first.facts, run), ...sealedBlobs(sealing, first, run) };
}

function sealedBlobs(sealing: Sealing, { blobs }: { readonly blobs?: readonly Blob[] }, run: RunKey): { readonly blobs?: readonly Blob[] } {
  return blobs ? { blobs: blobs.map(({ hash, text }) => ({ hash, text: sealing.seal(text, run) })) } : {};
}

function opened(sealing: Sealing, turn: TurnRow, run: RunKey): TurnRow {
  const facts = sealing.open(turn.facts, run);
  const { blobs } = turn;
  if (facts === turn.facts && !blobs) return turn;
  return { ...turn, facts, ...(blobs ? { blobs: blobs.map(({ hash, text }) => ({ hash, text: sealing.open(text, run) })) } : {}) };
}

function after<T, U>(answer: Awaitable<T>, then: (answer: T) => U): Awaitable<U> {
  return answer instanceof Promise ? answer.then(then) : then(answer);
}

/** A user's own objects that look sealed, marked as such. Changes the tree, which is fresh from its text. */
function escaped(tree: Json): Json {
  return mapped(tree, (object, key) => ({ [`$${key}`]: escaped(object[key] as Json) }), escaped);
}

function unseal(tree: Json, open: (sealed: string) => Json): Json {
  const again = (value: Json): Json => unseal(value, open);
  return mapped(
    tree,
    (object, key) => {
      const value = object[key] as Json;
      return key === mark ? again(open(String(value))) : { [key.slice(1)]: again(value) };
    },
    again,
  );
}

/** Goes through a tree: `marked` answers for objects whose only key is the mark, `inner` for parts of all others. */
function mapped(tree: Json, marked: (object: Tree, key: string) => Json, inner: (value: Json) => Json): Json {
  if (typeof tree !== "object" || tree === null) return tree;
  const parts = tree as unknown as Tree;
  const keys = Object.keys(parts);
  const [only] = keys;
  if (keys.length === 1 && only !== undefined && ours.test(only) && !Array.isArray(tree)) return marked(parts, only);
  // An own property, `__proto__` too: this sets no prototype.
  for (const key of keys) parts[key] = inner(parts[key] as Json);
  return tree;
}
