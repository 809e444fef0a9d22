/** What the programs share: a schema that takes anything, lines to the test, and a log of effects that lies outside the store. */
import { openSync, writeSync } from "node:fs";

/** Takes every value as it is. @type {{ readonly "~standard": { readonly version: 1, readonly vendor: string, validate(value: any): { value: any } } }} */
export const any = { "~standard": { version: 1, vendor: "onex-faults", validate: (value) => ({ value }) } };

/** What the test handed over. */
export const given = JSON.parse(process.argv[2] ?? "{}");

/** One line to the test, written before this returns. @param {object} line */
export function say(line) {
  writeSync(1, `${JSON.stringify(line)}\n`);
}

/** Appends to the log in one write, before this returns: what an effect does to the world. @param {string} path */
export function ledger(path) {
  const fd = openSync(path, "a");
  /** @param {object} entry */
  return (entry) => {
    writeSync(fd, `${JSON.stringify({ pid: process.pid, ...entry })}\n`);
  };
}

/** Warnings and errors of the orchestrator, to the test. */
export const log = {
  debug() {},
  info() {},
  /** @param {string} message @param {object} [fields] */
  warn: (message, fields) => say({ warned: message, ...fields }),
  /** @param {string} message @param {object} [fields] */
  error: (message, fields) => say({ failed: message, ...fields }),
};

/** The code of whatever a promise was rejected with. @param {Promise<unknown>} promise */
export async function codeOf(promise) {
  try {
    await promise;
    return "none";
  } catch (error) {
    return /** @type {{ code?: string }} */ (error).code ?? String(error);
  }
}

/** @param {number} ms */
export function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
