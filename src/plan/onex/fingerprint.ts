/**
 * `fingerprint: "1.1.0:407e93f3b1d2"`: the contract's version, and the first twelve digits of the SHA-256 of its content as
 * canonical JSON: without the fingerprint itself, keys sorted, no spaces, all but ASCII escaped, `2.0` apart from `2`.
 */
import type { Json } from "../../core/json.ts";
import { Cursor } from "../cursor.ts";
import type { Fenced } from "../fence.ts";
import type { Findings } from "../finding.ts";
import { versionOf } from "./say.ts";

export type Sha256 = (text: string) => string;

/** A fingerprint that is not the content's is a warning: the contract was changed after it was made. */
export function checkFingerprint(fenced: Fenced, findings: Findings, sha256: Sha256): void {
  const file = Cursor.root(fenced.data, findings, fenced.places);
  const given = file.get("fingerprint");
  if (!given) return;
  const [, version, digits] = /^(\d+\.\d+\.\d+[^:]*):([0-9a-f]{12})$/.exec(typeof given.value === "string" ? given.value : "") ?? [];
  if (version === undefined)
    return given.warn("ONEX_FINGERPRINT", 'a fingerprint is a version and twelve digits, such as "1.0.0:0123456789ab"');
  const own = versionOf(file.get("contract_version"));
  if (own !== undefined && own !== version)
    given.warn("ONEX_FINGERPRINT", `the fingerprint is of version ${version}, and the contract is ${own}`);
  const { fingerprint: _, ...content } = fenced.data as { readonly [key: string]: Json };
  const text = canonical(content, fenced, fenced.data as object);
  if (text === undefined) return;
  const found = sha256(text).slice(0, 12);
  if (found !== digits)
    given.warn("ONEX_FINGERPRINT", `the content has the fingerprint ${version}:${found}: it was changed after this one was made`);
}

/** Undefined when a number cannot be told apart: that of an included file. `at` is where the fence knows `value` by. */
function canonical(value: Json, fenced: Fenced, at: object): string | undefined {
  const parts: string[] = [];
  const entries = Array.isArray(value) ? value.map((_, i) => i) : Object.keys(value as object).sort();
  for (const key of entries) {
    const child = (value as { readonly [key: string]: Json })[key] as Json;
    const text =
      typeof child === "object" && child !== null
        ? canonical(child, fenced, child)
        : typeof child === "number"
          ? number(child, fenced.places.source(at, key)?.text)
          : escaped(JSON.stringify(child));
    if (text === undefined) return undefined;
    parts.push(typeof key === "number" ? text : `${escaped(JSON.stringify(key))}:${text}`);
  }
  return Array.isArray(value) ? `[${parts.join(",")}]` : `{${parts.join(",")}}`;
}

function number(value: number, source: string | undefined): string | undefined {
  if (source === undefined || source === "") return undefined;
  return Number.isInteger(value) && /[.eE]/.test(source) && !/^0x/i.test(source) ? `${value}.0` : String(value);
}
function escaped(json: string): string {
  return json.replaceAll(/[\u0080-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
