/** What the doctor asks the machine; tests answer for it. */
import { statfsSync } from "node:fs";
import { isAlive } from "../process.ts";

export interface System {
  readonly nodeVersion: string;
  readonly env: NodeJS.ProcessEnv;
  readonly drivers: readonly { readonly name: string; readonly version: string; readonly usable: boolean }[];
  /** The wall clock, ms since 1970. */
  now(): number;
  /** How far the wall clock was moved since the process began, ms. */
  clockJump(): number;
  /** How many files a process may have open; undefined where nobody says. */
  openFiles(): number | undefined;
  isAlive(pid: number): boolean;
  /** The free bytes of the disk under a folder, and the kind of its file system as Linux numbers it. */
  disk(folder: string): { readonly free: number; readonly type: number };
}

export async function thisSystem(): Promise<System> {
  const { driversHere } = await import("../../store/sqlite/driver.ts");
  return {
    nodeVersion: process.versions.node,
    env: process.env,
    drivers: driversHere(),
    now: () => Date.now(),
    clockJump: () => Date.now() - (performance.timeOrigin + performance.now()),
    openFiles,
    isAlive,
    disk(folder) {
      const { bavail, bsize, type } = statfsSync(folder);
      return { free: bavail * bsize, type };
    },
  };
}

/** Of the report that Node makes of itself: there is no other door to it. */
function openFiles(): number | undefined {
  const report = process.report.getReport() as { readonly userLimits?: { readonly open_files?: { readonly soft?: unknown } } };
  const soft = report.userLimits?.open_files?.soft;
  return typeof soft === "number" ? soft : undefined;
}
