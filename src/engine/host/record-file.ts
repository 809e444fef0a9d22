/**
 * The record of a node host in a file: a line for each entry, the first line says what it is.
 *
 * R1 One process has it: the kernel holds a lock on `FILE-owner` as long as that process lives.
 * R2 A line is durable when `write` resolves. What is handed over while a write is under way goes with the next one, all of
 *    it under one sync.
 * R3 Only the last lines can be torn, since nobody waits for later ones; they are left out when it is opened.
 * R4 It is written anew without what is over when it is opened, and when it has grown to twice that and 64 MiB. The new file
 *    takes the place of the old one when it is durable, so there is always a whole one.
 */
import {
  appendFile,
  closeSync,
  existsSync,
  fdatasync,
  fsyncSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { OnexError } from "../../core/failure.ts";
import { loadDriver } from "../../store/sqlite/driver.ts";
import { OwnerLock } from "../../store/sqlite/owner.ts";
import { decodeEntry, type Entry, encodeEntry, type Journal, liveEntries } from "./record.ts";

const head = '{"onex":"node-record","version":1}';
/** It may grow so far before it is written anew, bytes. */
const leastGrowthBytes = 64 * 1024 * 1024;

const append = promisify(appendFile) as (fd: number, text: string) => Promise<void>;
const sync = promisify(fdatasync);

/**
 * Opens the record, or makes one that only the user may read. `now` gives ms since 1970.
 * Throws OnexError `RECORD_OWNED` while another process has it, `RECORD_INVALID` for a file that is none, `RECORD_FAILED`
 * when it cannot be read or written.
 */
export function openRecord(file: string, now: () => number): { readonly entries: readonly Entry[]; readonly journal: Journal } {
  const path = attempt(file, () => (existsSync(file) ? realpathSync(file) : join(realpathSync(dirname(file)), basename(file))));
  // Before it is locked: beside a file that is something else nothing is left.
  attempt(file, () => read(path));
  const lock = attempt(file, () => OwnerLock.tryTake(loadDriver(), `${path}-owner`));
  if (!lock)
    throw new OnexError("RECORD_OWNED", `${file} is the record of a node host that is running: name another file, or end that process`);
  try {
    const entries = attempt(file, () => rewrite(path, now()));
    return { entries, journal: new RecordFile(path, lock, now) };
  } catch (error) {
    lock.free();
    throw error;
  }
}

class RecordFile implements Journal {
  failed: OnexError | undefined;
  readonly #path: string;
  readonly #lock: OwnerLock;
  readonly #now: () => number;
  #fd: number;
  #bytes = 0;
  #rewriteAt: number;
  #lines: string[] = [];
  #waiting: { readonly done: () => void; readonly failed: (error: Error) => void }[] = [];
  #flushing: Promise<void> | undefined;

  constructor(path: string, lock: OwnerLock, now: () => number) {
    this.#path = path;
    this.#lock = lock;
    this.#now = now;
    this.#fd = openSync(path, "a");
    this.#rewriteAt = leastGrowthBytes;
  }

  write(entries: readonly Entry[]): Promise<void> | undefined {
    if (entries.length === 0 && !this.#flushing) return undefined;
    if (this.failed) return Promise.reject(this.failed);
    for (const entry of entries) this.#lines.push(`${encodeEntry(entry)}\n`);
    const durable = new Promise<void>((done, failed) => this.#waiting.push({ done, failed }));
    this.#flushing ??= this.#flush();
    return durable;
  }

  /** R2. */
  async #flush(): Promise<void> {
    while (this.#waiting.length > 0) {
      const waiting = this.#waiting;
      const text = this.#lines.join("");
      this.#waiting = [];
      this.#lines = [];
      try {
        if (text !== "") {
          await append(this.#fd, text);
          await sync(this.#fd);
          this.#bytes += text.length;
          if (this.#bytes >= this.#rewriteAt) this.#shrink();
        }
      } catch (error) {
        this.failed = failure(this.#path, error);
        for (const { failed } of [...waiting, ...this.#waiting]) failed(this.failed);
        break;
      }
      for (const { done } of waiting) done();
    }
    this.#flushing = undefined;
  }

  /** R4. */
  #shrink(): void {
    const entries = rewrite(this.#path, this.#now());
    closeSync(this.#fd);
    this.#fd = openSync(this.#path, "a");
    this.#bytes = 0;
    this.#rewriteAt = leastGrowthBytes + entries.reduce((sum, entry) => sum + encodeEntry(entry).length, 0);
  }

  async close(): Promise<void> {
    await this.#flushing;
    this.failed ??= new OnexError("RECORD_FAILED", `${this.#path} was closed`);
    closeSync(this.#fd);
    this.#lock.free();
  }
}

/** All entries of a file; none of one that is not there. Throws OnexError `RECORD_INVALID`. */
function read(path: string): readonly Entry[] {
  if (!existsSync(path)) return [];
  const [first, ...lines] = readFileSync(path, "utf8").split("\n");
  if (first === "" && lines.length === 0) return [];
  if (first !== head)
    throw new OnexError("RECORD_INVALID", `${path} is not the record of a node host: name another file, which is made if there is none`);
  // What stands behind the last line end was never finished.
  lines.pop();
  const entries: Entry[] = [];
  for (const [index, line] of lines.entries()) {
    const entry = decodeEntry(line);
    if (entry) entries.push(entry);
    // R3: a page that was not written before the power failed reads as zeros.
    else if (index === lines.length - 1 || line.includes("\0")) break;
    else
      throw new OnexError(
        "RECORD_INVALID",
        `${path}:${index + 2} is no line of a record, and more follow: something else has written into it. Without it the host may repeat what it answered in the last minutes; to begin anew all the same, move the file away`,
      );
  }
  return entries;
}

/** R4. Answers what is still to be remembered. */
function rewrite(path: string, now: number): readonly Entry[] {
  const entries = liveEntries(read(path), now);
  const fresh = `${path}-new`;
  writeFileSync(fresh, [head, ...entries.map(encodeEntry), ""].join("\n"), { mode: 0o600, flush: true });
  renameSync(fresh, path);
  syncFolder(dirname(path));
  return entries;
}

function syncFolder(path: string): void {
  let folder: number | undefined;
  try {
    folder = openSync(path, "r");
    fsyncSync(folder);
  } catch (error) {
    // Where folders cannot be opened, the system keeps their order itself.
    if (!["EISDIR", "EPERM", "EACCES", "EINVAL"].includes(String((error as NodeJS.ErrnoException).code))) throw error;
  } finally {
    if (folder !== undefined) closeSync(folder);
  }
}

function attempt<T>(file: string, open: () => T): T {
  try {
    return open();
  } catch (error) {
    throw error instanceof OnexError ? error : failure(file, error);
  }
}
function failure(file: string, error: unknown): OnexError {
  return new OnexError("RECORD_FAILED", `the record ${file}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
}
