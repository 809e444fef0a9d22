/** Builds the package and the examples once, before the tests that run them. */
import { execFileSync } from "node:child_process";

export default function build(): void {
  execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-b"], { stdio: "inherit" });
}
