import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { fenceTests, type Subject, storeSuite } from "../suite.ts";
import { sqlite } from "./sqlite.ts";

function make(paranoid: boolean): Subject {
  const folder = mkdtempSync(join(tmpdir(), "onex-"));
  const path = join(folder, "test.db");
  return {
    store: sqlite(path, { paranoid }),
    // Who removes the file that carries the lock lets a second owner in, while the first goes on.
    loseOwner: () => rmSync(`${path}-owner`),
    cleanup: () => rmSync(folder, { recursive: true }),
  };
}

const runner = { describe, test, expect, skip: (name: string) => test.skip(name, () => {}) };

storeSuite(runner, "sqlite, paranoid", { make: () => make(true) });

storeSuite(runner, "sqlite", {
  make: () => make(false),
  skip: [{ reason: "the file has one owner, proven by its lock, so turns are inserted without the predicate", tests: fenceTests }],
});
