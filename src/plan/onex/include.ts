/** `!include FILE`: the data of another file of the contract's folder, which stands where the tag does. */
import type { Json } from "../../core/json.ts";
import type { IncludeTag } from "../fence.ts";
import { fence } from "../fence.ts";
import { describe, Findings, type Place } from "../finding.ts";
import type { ReadRef } from "../schema-files.ts";

const deepest = 8;

/** What the fence does with the tag. Paths are relative to the file that includes, and never leave the contract's folder. */
export function includes(readRef: ReadRef, findings: Findings, folder = "", depth = 0): IncludeTag {
  return (path: string, place: Place): Json | undefined => {
    const refuse = (message: string): undefined => {
      findings.error("ONEX_INVALID", place, `!include ${path}: ${message}`);
      return undefined;
    };
    if (depth >= deepest) return refuse(`files include each other more than ${deepest} deep`);
    if (/^[/\\]|^[A-Za-z]:|\0/.test(path)) return refuse("the path is relative to this file");
    const full = folder + path;
    const text = readRef(full);
    if (text === undefined) return refuse("there is no such file in the contract's folder or below it");
    const own = new Findings(full);
    const fenced = fence(text, own, includes(readRef, own, full.replace(/[^/]*$/, ""), depth + 1));
    for (const finding of own.sorted()) if (finding.level === "error") findings.error(finding.code, place, describe(finding));
    return fenced?.data;
  };
}
