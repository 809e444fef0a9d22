import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Watch, watchSources } from "./watch.ts";

let folder: string;
let watching: Watch;
let told: ((files: readonly string[]) => void) | undefined;
const heard: string[][] = [];
const next = () =>
  new Promise<readonly string[]>((resolve) => {
    const waiting = heard.shift();
    if (waiting) resolve(waiting);
    else told = resolve;
  });
const at = (...path: string[]) => join(folder, ...path);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "onex-watch-"));
  mkdirSync(at("src/deep"), { recursive: true });
  mkdirSync(at("node_modules/x"), { recursive: true });
  writeFileSync(at("src/a.ts"), "1");
  symlinkSync("/", at("src/link"));
  watching = watchSources([folder], (files) => {
    if (told) {
      told(files);
      told = undefined;
    } else heard.push([...files]);
  });
});
afterEach(() => {
  watching.close();
  heard.length = 0;
  told = undefined;
  rmSync(folder, { recursive: true, force: true });
});

test("a file that was saved, added, removed, and one in a new folder", async () => {
  writeFileSync(at("src/a.ts"), "2");
  expect(await next()).toEqual([at("src/a.ts")]);
  writeFileSync(at("src/deep/b.yaml"), "x: 1");
  expect(await next()).toEqual([at("src/deep/b.yaml")]);
  rmSync(at("src/deep/b.yaml"));
  expect(await next()).toEqual([at("src/deep/b.yaml")]);
  mkdirSync(at("src/new"));
  writeFileSync(at("src/new/c.ts"), "3");
  expect(await next()).toEqual([at("src/new/c.ts")]);
  writeFileSync(at("src/new/c.ts"), "4");
  expect(await next()).toEqual([at("src/new/c.ts")]);
});

test("the same text again, other files, and what is installed say nothing", async () => {
  utimesSync(at("src/a.ts"), 1, 1);
  writeFileSync(at("src/a.ts"), "1");
  writeFileSync(at("onex.db"), "rows");
  writeFileSync(at("node_modules/x/index.js"), "4");
  // What is heard next is this, alone: all that went before would have been heard with it or sooner.
  writeFileSync(at("src/z.ts"), "5");
  expect(await next()).toEqual([at("src/z.ts")]);
});
