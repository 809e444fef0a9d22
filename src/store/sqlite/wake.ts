/**
 * News between processes. A client that has committed writes one byte to a side file, which the owner watches: no traffic
 * from the owner's own commits, and no polling. The net under it is SQLite's `data_version`, a few microseconds a look.
 */
import { closeSync, openSync, watch, writeSync } from "node:fs";
import type { StoreHost } from "../store.ts";
import { touch } from "./owner.ts";

/** Between looks while notifications arrive, ms. */
const slowMs = 1000;
/** Between looks when they do not (a network or bind mount). */
const deafMs = 25;
/** How long the watcher may take to see its own byte at the start. */
const selfTestMs = 200;
/** Looks without a notification until the owner is told that none will come: 5 s. */
const deafAfterLooks = 200;
/** Between looks of a client, which has no notification. */
const clientMs = 20;

/** Tells the owner, if there ever was one, that there is news. */
export function poke(path: string): void {
  let fd: number | undefined;
  try {
    fd = openSync(path, "r+");
    writeSync(fd, "!", 0);
  } catch {
    // No owner has made the file yet, or it is not ours to write: the owner's slow look finds the news.
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** Calls `look` soon after a poke, and now and then; the answer stops it. */
export function watchPokes(path: string, host: StoreHost, look: () => void): () => void {
  let heard = false;
  let stopped = false;
  let cancel = (): void => {};
  const hear = (): void => {
    heard = true;
    if (!stopped) look();
  };
  const close = openWatcher(path, hear);
  let deafLooks = 0;
  const again = (): void => {
    cancel = host.setTimer(heard ? slowMs : deafMs, () => {
      look();
      // A busy machine may answer late; only one that stays silent is named.
      if (!heard && ++deafLooks === deafAfterLooks)
        host.warn(
          "STORE_NOT_WATCHED",
          `changes of ${path} are not reported here (a network drive?), so the file is looked at every ${deafMs} ms`,
        );
      if (!stopped) again();
    });
  };
  poke(path);
  cancel = host.setTimer(selfTestMs, () => {
    look();
    if (!stopped) again();
  });
  return () => {
    stopped = true;
    cancel();
    close();
  };
}

/** Calls `look` at a client's pace; the answer stops it. */
export function pollNews(host: StoreHost, look: () => void): () => void {
  let stopped = false;
  let cancel = (): void => {};
  const again = (): void => {
    cancel = host.setTimer(clientMs, () => {
      look();
      if (!stopped) again();
    });
  };
  again();
  return () => {
    stopped = true;
    cancel();
  };
}

function openWatcher(path: string, hear: () => void): () => void {
  try {
    touch(path);
    const watcher = watch(path, { persistent: false }, hear);
    // A watcher that breaks is a deaf one: the looks go on.
    watcher.on("error", () => watcher.close());
    return () => watcher.close();
  } catch {
    return () => {};
  }
}
