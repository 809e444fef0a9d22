#!/usr/bin/env node
/** `npm create onex NAME`: as `onex new project NAME`, with all that follows. */
import { readFileSync } from "node:fs";

const manifest = import.meta.resolve("onex/package.json");
const { bin } = JSON.parse(readFileSync(new URL(manifest), "utf8"));
process.argv.splice(2, 0, "new", "project");
await import(new URL(bin.onex, manifest).href);
