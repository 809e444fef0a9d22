/**
 * The protocol between PostgreSQL and its clients, as far as a proxy must know it: where a message ends, what a request asks,
 * and where its answer ends. A message is a letter, a length, and its body; the first one of a client has no letter.
 */

/** A statement as it was asked, with its parameters as text, or as bytes where they were sent so. */
export interface Statement {
  readonly text: string;
  readonly values?: readonly (string | Buffer | null)[];
}

/** What a client sent until it wants an answer. */
export interface Request {
  readonly bytes: Buffer;
  /** Empty for a login, or for what asks nothing. */
  readonly statements: readonly Statement[];
  /** The server will say that it is ready for the next. */
  readonly awaited: boolean;
}

/** Cuts what a client sends into requests: each ends where the server must say that it is ready for the next. */
export class Requests {
  #rest: Buffer = Buffer.alloc(0);
  #login = true;
  #held: Buffer[] = [];
  #statements: Statement[] = [];
  /** Text of the prepared statements, by name. */
  readonly #prepared = new Map<string, string>();
  /** What the client asked for when it logged in: user, database. */
  readonly login: Record<string, string> = {};
  /** Told when the client wants to speak TLS or GSS first: it must be answered with one letter. */
  readonly #onUpgrade: () => void;

  constructor(onUpgrade: () => void) {
    this.#onUpgrade = onUpgrade;
  }

  /** The requests that are complete with these bytes; what a login says after its first message comes as requests of their own. */
  take(bytes: Buffer): Request[] {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    const done: Request[] = [];
    for (;;) {
      const head = this.#login ? 0 : 1;
      if (this.#rest.length < head + 4) return done;
      const length = head + this.#rest.readInt32BE(head);
      if (this.#rest.length < length) return done;
      const message = this.#rest.subarray(0, length);
      this.#rest = this.#rest.subarray(length);
      if (this.#login) {
        const code = message.readInt32BE(4);
        if (code === 80877103 || code === 80877104) {
          this.#onUpgrade();
          continue;
        }
        this.#login = false;
        const words = text(message, 8).split("\0");
        for (let i = 0; i + 1 < words.length; i += 2) if (words[i]) this.login[words[i] as string] = words[i + 1] as string;
        done.push({ bytes: message, statements: [], awaited: false });
      } else this.#message(message, done);
    }
  }

  #message(message: Buffer, done: Request[]): void {
    const kind = String.fromCharCode(message[0] as number);
    this.#held.push(message);
    if (kind === "P") {
      const [name = "", statement = ""] = text(message, 5).split("\0", 2);
      this.#prepared.set(name, statement);
    } else if (kind === "B") this.#statements.push(this.#bound(message));
    else if (kind === "Q") this.#statements.push({ text: text(message, 5).replace(/\0$/, "") });
    // The others wait for one of these: the parts of a query for the sync that ends it.
    if (!"QSHpXdcf".includes(kind)) return;
    done.push({ bytes: Buffer.concat(this.#held), statements: this.#statements, awaited: kind === "Q" || kind === "S" });
    this.#held = [];
    this.#statements = [];
  }

  /** What a Bind message asks, with what it was prepared from. */
  #bound(message: Buffer): Statement {
    let at = 5;
    const word = (): string => {
      const end = message.indexOf(0, at);
      const read = message.toString("utf8", at, end);
      at = end + 1;
      return read;
    };
    const int16 = (): number => {
      at += 2;
      return message.readInt16BE(at - 2);
    };
    word();
    const statement = this.#prepared.get(word()) ?? "";
    const formats = Array.from({ length: int16() }, int16);
    const values = Array.from({ length: int16() }, (_, i) => {
      const length = message.readInt32BE(at);
      at += 4;
      if (length < 0) return null;
      const value = message.subarray(at, at + length);
      at += length;
      return (formats.length === 1 ? formats[0] : formats[i]) === 1 ? Buffer.from(value) : value.toString("utf8");
    });
    return { text: statement, values };
  }
}

/** Cuts what a server sends into messages, and says of each whether it ends an answer. */
export class Answers {
  #rest: Buffer = Buffer.alloc(0);

  /** The messages that are complete with these bytes; `ready` is the state of the transaction ("I", "T", "E") where an answer ends. */
  take(bytes: Buffer): { readonly bytes: Buffer; readonly ready?: string }[] {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    const done: { readonly bytes: Buffer; readonly ready?: string }[] = [];
    while (this.#rest.length >= 5) {
      const length = 1 + this.#rest.readInt32BE(1);
      if (this.#rest.length < length) break;
      const message = this.#rest.subarray(0, length);
      this.#rest = this.#rest.subarray(length);
      done.push(message[0] === 0x5a ? { bytes: message, ready: String.fromCharCode(message[5] as number) } : { bytes: message });
    }
    return done;
  }
}

function text(message: Buffer, from: number): string {
  return message.toString("utf8", from);
}
