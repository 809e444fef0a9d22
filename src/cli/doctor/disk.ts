/** The disk below a store: room, and whether its file system keeps what SQLite relies on. */
import { statSync } from "node:fs";
import type { Report } from "./report.ts";
import type { System } from "./system.ts";

const mib = 1024 * 1024;
/** Below, a burst of runs may fill it; the log alone may reach 64 MiB. */
const littleBytes = 256 * mib;
/** Below, the next checkpoint may fail. */
const noneBytes = 16 * mib;

/** File systems over a network, as Linux numbers them: their locks and their order of writes cannot be trusted. */
const network: Readonly<Record<number, string>> = {
  26985: "NFS",
  20859: "SMB",
  4283649346: "CIFS",
  4266872130: "SMB2",
  16914839: "9p (a shared folder of a virtual machine)",
  1397113167: "AFS",
  12805120: "Ceph",
  2020557398: "a shared folder of VirtualBox",
};
const fuse = 0x65735546;
const tmpfs = 0x01021994;

export function checkDisk(folder: string, system: System, report: Report): void {
  if (!statSync(folder, { throwIfNoEntry: false })) return;
  const { free, type } = system.disk(folder);
  const room = `${Math.floor(free / mib)} MiB free`;
  if (free < noneBytes) report.wrong("disk", `${room} under ${folder}`, "make room now: a full disk stops the orchestrator");
  else if (free < littleBytes)
    report.warn("disk", `${room} under ${folder}`, "make room before it is full: a full disk stops the orchestrator");
  else report.fine("disk", room);
  // The number is of 32 bits, and some systems give it with a sign.
  const kind = type >>> 0;
  const remote = network[kind];
  if (remote !== undefined)
    report.wrong("file system", `${folder} is on ${remote}: two owners are possible there, and lost runs`, "put the store on a local disk");
  else if (kind === fuse)
    report.warn("file system", `${folder} is on a FUSE file system, which may be a network one`, "put the store on a local disk");
  else if (kind === tmpfs)
    report.warn("file system", `${folder} is in memory (tmpfs)`, "put the store on a disk: its runs are gone when the machine restarts");
}
