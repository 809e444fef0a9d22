/** Installs what the lockfile says, if that is not there yet: so that every command works on a fresh clone. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const marker = `${root}node_modules/.installed`;
const wanted = createHash("sha256")
  .update(readFileSync(`${root}package-lock.json`))
  .digest("hex");

if (!existsSync(marker) || readFileSync(marker, "utf8") !== wanted) {
  // npm names itself to the scripts it runs; by hand, the one on the path does.
  const npm = process.env.npm_execpath;
  const args = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
  const options = { cwd: root, stdio: "inherit" };
  if (npm) execFileSync(process.execPath, [npm, ...args], options);
  else execFileSync("npm", args, options);
  writeFileSync(marker, wanted);
}
