/** `onex dev`: drives the runs of a project while it is written: each save is checked, and what passes takes over. */
import { existsSync, statSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
import { OnexError } from "../../core/failure.ts";
import { withClient } from "../client.ts";
import { Follower } from "../dev/follow.ts";
import { Supervisor } from "../dev/supervisor.ts";
import { watchSources } from "../dev/watch.ts";
import type { ExitCode } from "../exit.ts";
import { checkThere, isFolder, manifestsAt, splitName } from "../load.ts";
import { clean, Terminal } from "../output.ts";
import { interrupted } from "../session.ts";
import { type StoreUrl, storeUrl, withListen } from "../store.ts";

/** How often it is looked whether the file of the store is still the same. */
const storeLookMs = 1000;

export interface DevOptions {
  readonly nodes?: readonly string[];
  readonly store?: string;
  readonly listen?: string;
  readonly verbose?: boolean;
}

export async function dev(files: readonly string[], options: DevOptions): Promise<ExitCode> {
  const terminal = new Terminal();
  const { bold, dim, green, red } = terminal.style;
  const at = withListen(storeUrl(options.store), options.listen);
  if (at.kind === "memory")
    throw new OnexError(
      "USAGE",
      "dev: each save begins a new process, and memory: ends with the old one; name a file with --store sqlite:FILE",
    );
  const nodes = options.nodes ?? [];
  const targets = files.length === 0 ? ["."] : files;
  const began = Date.now();
  const stop = interrupted(terminal);
  let following = false;
  let stopFollowing = () => {};
  /** Which file the worker has open; a path says nothing about that. */
  let file: number | undefined;
  const supervisor = new Supervisor(
    {
      ...{ targets, nodes, verbose: options.verbose === true },
      ...(options.store === undefined ? {} : { store: options.store }),
      ...(options.listen === undefined ? {} : { listen: options.listen }),
    },
    {
      ready(workflows, role) {
        // Before it is said: from then on whoever removes it is told.
        file ??= inodeOf(at);
        terminal.say(`${green("ready")}: ${clean(workflows.join(", "))} on ${at.url}`);
        if (at.kind === "postgres" && !following)
          terminal.say(
            "other orchestrators of this database may take these runs, with the code that they hold; a schema of your own keeps them apart: ?schema=dev_NAME behind the URL",
          );
        if (role === "client" && at.kind !== "postgres")
          terminal.say("another process drives the runs of this store; this one takes over when it ends");
        stopFollowing = onceFollowing(stopFollowing);
      },
      refused(going) {
        terminal.say(
          `${red("not taken up")}: ${going ? "the code from before goes on" : "nothing runs"}; it is tried again at the next save`,
        );
      },
      died(code) {
        terminal.say(`${red("ended")} by itself${code === null ? "" : ` with exit code ${code}`}; it is begun again at the next save`);
      },
    },
  );
  terminal.say(`${bold("onex dev")}  ${clean(targets.join(" "))}  ${at.url}  ${dim("Ctrl-C ends it; runs stay in the store")}`);
  const watching = watchSources(foldersOf([...targets, ...nodes]), (saved) => {
    terminal.say(
      dim(
        `saved: ${saved
          .slice(0, 3)
          .map((file) => clean(relative(process.cwd(), file)))
          .join(", ")}${saved.length > 3 ? " …" : ""}`,
      ),
    );
    supervisor.renew();
  });
  const storeWatch = setInterval(() => {
    if (file === undefined || inodeOf(at) === file) return;
    file = undefined;
    terminal.say(
      `${red("lost")}: ${at.url} was removed or replaced, and the runs that were in it are gone with it; the file that is there now is taken up`,
    );
    stopFollowing();
    following = false;
    supervisor.renew();
  }, storeLookMs);
  supervisor.renew();
  try {
    return await stop;
  } finally {
    watching.close();
    clearInterval(storeWatch);
    await supervisor.close();
    stopFollowing();
  }

  /** From the first time that the store is there. */
  function onceFollowing(already: () => void): () => void {
    if (following) return already;
    following = true;
    let done = () => {};
    const until = new Promise<void>((resolve) => {
      done = resolve;
    });
    void withClient(at, async (client) => {
      const follower = new Follower(client, terminal, began, at);
      const end = client.news(() => follower.look());
      follower.look();
      await until;
      end();
    }).catch(() => {});
    return done;
  }
}

/** The file that the path of a store names now; undefined where there is none. */
function inodeOf({ path }: StoreUrl): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino;
}

/** The folders whose files are watched: of a target in a project the whole project, since its modules import each other. */
function foldersOf(targets: readonly string[]): readonly string[] {
  const folders = targets.map((target) => {
    const { file } = splitName(target);
    checkTarget(file);
    const own = isFolder(file) ? resolve(file) : dirname(resolve(file));
    for (let folder = own; ; folder = dirname(folder)) {
      if (existsSync(`${folder}/package.json`)) return folder;
      if (dirname(folder) === folder) return own;
    }
  });
  return [...new Set(folders)];
}

/** A manifest that cannot be read is told like any mistake in the code, and is mended by a save. Throws OnexError `FILE_MISSING`. */
function checkTarget(file: string): void {
  if (!isFolder(file)) return checkThere(file);
  try {
    manifestsAt(file);
  } catch (error) {
    if (!(error instanceof OnexError) || error.code !== "MANIFEST_INVALID") throw error;
  }
}
