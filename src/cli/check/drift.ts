/**
 * Contracts that no longer say what the code says: the subcontracts of a generated node and its models, its workflow in
 * YAML and in code, its manifest and its files.
 */
import { existsSync } from "node:fs";
import { basename, resolve } from "node:path";
import type { Finding } from "../../plan/finding.ts";
import { importModule, shown } from "../load.ts";
import type { Manifest } from "../manifest.ts";
import { checkContract } from "./contract-drift.ts";
import type { Importer } from "./models.ts";
import { checkSubcontract, contractFiles, isSubcontract } from "./subcontract.ts";

export { writeSubcontracts } from "./write-subcontracts.ts";

/**
 * Every place where the contracts of a node differ from its code. `importer` loads a module of the user.
 * Throws what loading the node's modules throws.
 */
export async function checkDrift(manifest: Manifest, importer: Importer = importModule): Promise<Finding[]> {
  const findings: Finding[] = [];
  const files = contractFiles(manifest);
  const drifted = new Set<string>();
  for (const file of files.filter(isSubcontract)) {
    const found = await checkSubcontract(file, manifest, importer);
    if (found.some(({ code }) => code === "SUBCONTRACT_DRIFT")) drifted.add(basename(file));
    findings.push(...found);
  }
  const refers = new Set<string>();
  for (const file of manifest.contracts) {
    if (!existsSync(file)) {
      findings.push({
        level: "error",
        code: "MANIFEST_INVALID",
        file: manifest.file,
        line: 0,
        column: 0,
        message: `there is no file ${shown(file)}`,
      });
      continue;
    }
    const { findings: found, refers: names } = await checkContract(file, manifest, drifted, importer);
    findings.push(...found);
    for (const name of names) refers.add(name);
  }
  const listed = new Set(manifest.contracts.map((file) => resolve(file)));
  for (const file of files)
    if (!isSubcontract(file) && !listed.has(resolve(file)) && !refers.has(basename(file)))
      findings.push({
        level: "warning",
        code: "CONTRACT_UNLISTED",
        file,
        line: 0,
        column: 0,
        message: `nobody reads this file: list it in \`contracts\` of ${shown(manifest.file)}, or remove it`,
      });
  return findings;
}
