/** Node, onex, SQLite, and what the machine allows. */
import { readFileSync } from "node:fs";
import { atLeast, oldest } from "../../store/sqlite/driver.ts";
import { moment } from "../output.ts";
import { type Check, Report } from "./report.ts";
import type { System } from "./system.ts";

/** Files that a process should be able to open: a store has four, each call of an endpoint one. */
const fewFiles = 1024;
/** A clock that moves by more while a process runs was set by hand, or by a machine that slept. */
const jumpMs = 1000;

export function checkInstallation(system: System): Check[] {
  const report = new Report("installation");
  const { version, engines } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8")) as {
    readonly version: string;
    readonly engines: { readonly node: string };
  };
  report.fine("onex", version);
  node(system, engines.node.replace(/^>=/, ""), report);
  driver(system, report);
  const files = system.openFiles();
  if (files !== undefined && files < fewFiles)
    report.warn("open files", `this process may open ${files} files`, `raise it before you start onex: ulimit -n ${fewFiles}`);
  const jump = Math.round(system.clockJump());
  if (Math.abs(jump) > jumpMs)
    report.warn(
      "clock",
      `the clock of this machine moved by ${(jump / 1000).toFixed(1)} s while this command ran`,
      "let a time service keep it (NTP); timers and schedules follow it",
    );
  else report.fine("clock", `${moment(system.now())}, and it ran evenly while this command did`);
  return report.checks;
}

function node({ nodeVersion }: System, wanted: string, report: Report): void {
  const major = Number(nodeVersion.split(".")[0]);
  if (!atLeast(nodeVersion, wanted)) report.wrong("node", `Node ${nodeVersion} is older than ${wanted}`, "install Node 22 or 24");
  else if (/-/.test(nodeVersion)) report.warn("node", `Node ${nodeVersion} is a preview`, "use a release: Node 22 or 24");
  else if (major % 2 === 1)
    report.warn("node", `Node ${nodeVersion} is of a line without long support`, "use one with an even number: Node 22 or 24");
  else report.fine("node", `${nodeVersion} (${wanted} or newer is needed)`);
}

function driver({ drivers }: System, report: Report): void {
  const used = drivers.find(({ usable }) => usable);
  const passed = drivers.filter(({ usable }) => !usable).map(({ name, version }) => `${name} has ${version}`);
  const [own] = drivers.filter(({ name }) => name === "node:sqlite");
  if (!used) {
    report.wrong(
      "sqlite",
      `no SQLite ${oldest} or newer${passed.length === 0 ? ": this Node has no node:sqlite, and @photostructure/sqlite is not installed" : `: ${passed.join(", ")}`}`,
      "npm install @photostructure/sqlite, or use Node 22.23, 24.15 or later",
    );
    return;
  }
  const why =
    used.name === "node:sqlite"
      ? ""
      : own
        ? `, since that of Node is ${own.version}, and ${oldest} is needed`
        : ", since this Node has none of its own";
  report.fine("sqlite", `${used.version} of ${used.name}${why}`);
}
