/**
 * Ends a PostgreSQL server and removes its folder as soon as the process that started it is gone, however it went: the pipe
 * between the two closes. Called with the folder of the data and the folder that is to be removed.
 */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

const [data, folder] = process.argv.slice(2);

process.stdin.on("end", end).on("error", end).resume();

async function end() {
  const pid = postmaster();
  if (pid !== undefined) {
    send(pid, "SIGCONT");
    send(pid, "SIGQUIT");
    for (let i = 0; i < 250 && send(pid, 0); i++) await new Promise((resolve) => setTimeout(resolve, 20));
    send(pid, "SIGKILL");
  }
  rmSync(folder, { recursive: true, force: true, maxRetries: 50 });
  process.exit(0);
}

/** The process of the server, by the file that it keeps while it lives. */
function postmaster() {
  try {
    const pid = Number(readFileSync(join(data, "postmaster.pid"), "utf8").split("\n")[0]);
    return Number.isInteger(pid) && pid > 1 ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** @param {number} pid @param {NodeJS.Signals | 0} signal @returns {boolean} whether it was there */
function send(pid, signal) {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}
