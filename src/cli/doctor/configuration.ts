/** What the environment and the generated nodes in a folder say. */
import { OnexError } from "../../core/failure.ts";
import { checkConfig } from "../../engine/config-check.ts";
import { type Loaded, load, shown } from "../load.ts";
import { type Manifest, manifestsUnder } from "../manifest.ts";
import { type StoreUrl, storeUrl } from "../store.ts";
import { type Check, Report } from "./report.ts";
import type { System } from "./system.ts";

export interface Asked {
  /** Of `--store`. */
  readonly store?: string | undefined;
  /** Where manifests are looked for. */
  readonly folder: string;
}

/** How a folder of a node is loaded; a test has a loader of its own. */
export type Loader = (folder: string) => Promise<Pick<Loaded, "nodes" | "config">>;

/** Throws OnexError `STORE_URL_INVALID` for a store that was asked for. */
export async function checkConfiguration(
  asked: Asked,
  { env }: System,
  loader: Loader = (folder) => load([folder], []),
): Promise<{ readonly checks: readonly Check[]; readonly at: StoreUrl | undefined }> {
  const report = new Report("configuration");
  const at = whichStore(asked.store, env, report);
  const manifests = manifestsIn(asked.folder, report);
  for (const manifest of manifests) await node(manifest, at, loader, report);
  if (env.NODE_ENV === "production")
    report.fine("environment", "NODE_ENV is production: the clock and randomness in workflows are not guarded");
  return { checks: report.checks, at };
}

function whichStore(option: string | undefined, env: NodeJS.ProcessEnv, report: Report): StoreUrl | undefined {
  try {
    const at = storeUrl(option, env.ONEX_STORE ?? "", env.ONEX_LISTEN ?? "");
    const from = option !== undefined ? "--store" : env.ONEX_STORE ? "ONEX_STORE" : "the default";
    report.fine("store", `${at.url} (${from})`);
    return at;
  } catch (error) {
    // What was typed here is wrong, not what is looked at.
    if (option !== undefined || !(error instanceof OnexError)) throw error;
    report.wrong("store", error.message, "correct or unset ONEX_STORE");
    return undefined;
  }
}

function manifestsIn(folder: string, report: Report): readonly Manifest[] {
  try {
    return manifestsUnder(folder);
  } catch (error) {
    report.wrong("manifest", messageOf(error), "correct the manifest; `onex check` shows the same");
    return [];
  }
}

async function node({ folder, name, version, kind }: Manifest, at: StoreUrl | undefined, loader: Loader, report: Report): Promise<void> {
  const what = `${name}@${version}`;
  let loaded: Pick<Loaded, "nodes" | "config">;
  try {
    loaded = await loader(folder);
  } catch (error) {
    report.wrong(what, messageOf(error), `correct it; \`onex check ${shown(folder)}\` shows the same`);
    return;
  }
  try {
    if (loaded.config !== undefined) checkConfig(loaded.config, at?.kind ?? "sqlite");
  } catch (error) {
    report.wrong(what, messageOf(error), `correct the export \`config\` of ${shown(folder)}`);
    return;
  }
  const count = loaded.nodes.length;
  if (count === 0) report.warn(what, `${shown(folder)} exports no node`, "export it from the module that the manifest names as `entry`");
  else
    report.fine(
      what,
      `${kind} with ${count} ${count === 1 ? "node" : "nodes"}${loaded.config === undefined ? "" : ", configuration valid"}`,
    );
}

function messageOf(error: unknown): string {
  if (error instanceof OnexError) return `${error.code}: ${error.message}`;
  return error instanceof Error ? error.message : String(error);
}
