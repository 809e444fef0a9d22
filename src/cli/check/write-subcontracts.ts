/** Subcontracts written anew from their models. What a person wrote in them, the comments and the examples, stays. */
import { lstatSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { type Document, isMap, isScalar, type Pair, parseDocument } from "yaml";
import { OnexError } from "../../core/failure.ts";
import { Findings, describe as sentence } from "../../plan/finding.ts";
import { type SubcontractKey, subcontractKeys } from "../../plan/subcontract.ts";
import { importModule, manifestsAt } from "../load.ts";
import type { Manifest } from "../manifest.ts";
import { differences } from "./compare.ts";
import type { Importer } from "./models.ts";
import { contractFiles, isSubcontract, readSubcontract } from "./subcontract.ts";

/**
 * Writes the subcontracts of the nodes in a folder that differ from their models, or from their manifest in name or
 * version, and answers with the files that it wrote. All are read before one is written; each is whole at every moment.
 * Throws OnexError `SUBCONTRACT_INVALID` with every complaint, `FILE_MISSING`, `MANIFEST_INVALID`, and what loading the models throws.
 */
export async function writeSubcontracts(folder: string, importer: Importer = importModule): Promise<readonly string[]> {
  const drafts: { readonly file: string; readonly text: string }[] = [];
  const complaints: string[] = [];
  for (const manifest of manifestsAt(folder))
    for (const file of contractFiles(manifest).filter(isSubcontract)) {
      const findings = new Findings(file);
      const text = await rewritten(file, manifest, findings, importer);
      complaints.push(...findings.sorted().map(sentence));
      if (text !== undefined) drafts.push({ file, text });
    }
  if (complaints.length > 0)
    throw new OnexError(
      "SUBCONTRACT_INVALID",
      `nothing was written, since not everything can be read:\n${complaints.map((line) => `  ${line}`).join("\n")}`,
    );
  for (const { file, text } of drafts) replace(file, text);
  return drafts.map(({ file }) => file);
}

/** The new text of a subcontract; undefined when it is as it should be, or cannot be read. */
async function rewritten(file: string, manifest: Manifest, findings: Findings, importer: Importer): Promise<string | undefined> {
  const link = [file, dirname(file)].find((path) => lstatSync(path).isSymbolicLink());
  if (link !== undefined) {
    const what = link === file ? "file" : "folder";
    const message = `the ${what} is a link, which is not written through; put the ${what} itself here`;
    findings.error("SUBCONTRACT_INVALID", { line: 0, column: 0 }, message);
    return undefined;
  }
  const own = new Findings(file);
  const read = await readSubcontract(file, own, importer);
  // A missing schema is what is written here; anything else that is wrong is for a person.
  for (const { level, code, message, line, column } of own.all)
    if (level === "error" && !/needs `(?:schema|name|version)`$/.test(message)) findings.error(code, { line, column }, message);
  if (!read || findings.failed) return undefined;
  const { root, described } = read;
  const schema = root.get("schema");
  const same = (["name", "version"] as const).every((key) => root.get(key)?.value === manifest[key]);
  if (same && schema && differences(schema, described, "the model").length === 0) return undefined;
  const document = parseDocument(readFileSync(file, "utf8"), { version: "1.2" });
  document.set("name", manifest.name);
  document.set("version", manifest.version);
  document.set("schema", document.createNode(described));
  order(document);
  return document.toString({ lineWidth: 0 });
}

/** The keys in their usual order; a comment above the first one stays at the head of the file. */
function order({ contents }: Document): void {
  if (!isMap(contents)) return;
  const items = contents.items as Pair[];
  const place = ({ key }: Pair): number => subcontractKeys.indexOf(String(isScalar(key) ? key.value : key) as SubcontractKey);
  const [first] = items;
  items.sort((a, b) => place(a) - place(b));
  const [head] = items;
  if (first === head || !isScalar(first?.key) || !isScalar(head?.key) || first.key.commentBefore == null) return;
  head.key.commentBefore = first.key.commentBefore;
  first.key.commentBefore = null;
}

/** Beside it, then over it: nobody ever reads half a file. */
function replace(file: string, text: string): void {
  const draft = `${file}.${process.pid}.new`;
  try {
    writeFileSync(draft, text, { flag: "wx", mode: statSync(file).mode });
    renameSync(draft, file);
  } catch (error) {
    // One that was there before is somebody else's.
    if ((error as { readonly code?: unknown }).code !== "EEXIST") rmSync(draft, { force: true });
    throw error;
  }
}
