/** What a user installs with onex: few packages, none of them with an install script, all under permissive licences. */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";

const root = resolve(import.meta.dirname, "..");
interface Locked {
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly hasInstallScript?: boolean;
}
const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as { packages: Record<string, Locked> };
const installed = Object.entries(lock.packages).filter(([path, { dev }]) => path !== "" && !dev);

test("the runtime closure has at most 20 packages, optional ones apart", () => {
  const needed = installed.filter(([, { optional }]) => !optional).map(([path]) => path.replace("node_modules/", ""));
  expect(needed.length, needed.join(" ")).toBeLessThanOrEqual(20);
  expect(needed).toContain("yaml");
});

test("nothing that is installed needs a script", () => {
  // The SQLite driver of Node 20 has one, for platforms without a prebuilt binary; this repository installs it with scripts off.
  const withScript = installed.filter(([, { hasInstallScript, optional }]) => hasInstallScript && !optional).map(([path]) => path);
  expect(withScript).toEqual([]);
  expect(readFileSync(join(root, ".npmrc"), "utf8")).toContain("ignore-scripts=true");
});

test("every licence is permissive", () => {
  for (const [path, { optional }] of installed) {
    const manifest = (() => {
      try {
        return JSON.parse(readFileSync(join(root, path, "package.json"), "utf8")) as { license?: string };
      } catch (error) {
        // An optional package of another platform is not installed here.
        if (optional) return undefined;
        throw error;
      }
    })();
    if (manifest) expect(manifest.license, path).toMatch(/^\(?(MIT|ISC|Apache-2\.0|BSD-[23]-Clause|0BSD)\b/);
  }
});

test("the exports are what the API names, and nothing that is not built", async () => {
  const onex = Object.keys(await import("onex")).sort();
  const expected =
    "Fatal OnexError RetryLater RunCancelled RunFailed Sanitizer StepError all attempt compensate compute createNodeHost createOrchestrator duration each effect loadWorkflow memory now onexReducer planWorkflow preset race random reducer restart service signal sleep sleepUntil sqlite stream uuid workflow";
  expect(onex.join(" ")).toBe(expected);
  expect(Object.keys(await import("onex/postgres")).sort()).toEqual(["postgres"]);
  expect(Object.keys(await import("onex/testing")).sort()).toEqual(["readSubcontract", "storeSuite", "stub", "testOrchestrator"]);
});
