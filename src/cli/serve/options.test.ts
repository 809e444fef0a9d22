import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { type ServeOptions, settingsOf } from "./options.ts";

const folder = mkdtempSync(join(tmpdir(), "onex-serve-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const token = "0123456789abcdef0123456789abcdef";
function file(text: string, mode = 0o600): string {
  const path = join(folder, `token-${mode}`);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}
const settings = (options: ServeOptions, env: NodeJS.ProcessEnv = {}, warnings: string[] = []) =>
  settingsOf(options, env, (warning) => warnings.push(warning));

test("by default it is this machine's alone, and asks for nothing", () => {
  expect(settings({})).toEqual({ host: "127.0.0.1", port: 3300, token: undefined, allowHosts: [], allowOrigins: [], graceMs: 10_000 });
});

test("an address that others reach needs a token", () => {
  for (const host of ["0.0.0.0", "::", "192.0.2.1", "example"]) {
    expect(() => settings({ host })).toThrow(
      expect.objectContaining({ code: "SERVE_UNSAFE", message: expect.stringContaining("--token-file") }),
    );
    expect(settings({ host }, { ONEX_TOKEN: token })).toMatchObject({ host, token });
  }
});

test("the token is that of the file, else of the environment; an empty one there is none", () => {
  expect(settings({ tokenFile: file(`${token}\n`) }, { ONEX_TOKEN: "x" }).token).toBe(token);
  expect(settings({}, { ONEX_TOKEN: "" }).token).toBeUndefined();
  const warnings: string[] = [];
  settings({ tokenFile: file(token, 0o644) }, {}, warnings);
  expect(warnings.join()).toContain("chmod 600");
});

test.each<[ServeOptions, NodeJS.ProcessEnv, string, string]>([
  [{ port: "http" }, {}, "USAGE", "65535"],
  [{ port: "65536" }, {}, "USAGE", "65535"],
  [{ grace: "10" }, {}, "INVALID_DURATION", "--grace"],
  [{ allowOrigin: ["shop.example"] }, {}, "USAGE", "https://shop.example"],
  [{ allowOrigin: ["https://shop.example/"] }, {}, "USAGE", "write https://shop.example"],
  [{ allowOrigin: ["*"] }, {}, "USAGE", "an origin"],
  [{ allowHost: ["https://shop.example"] }, {}, "USAGE", "orders.example"],
  [{ tokenFile: "nowhere" }, {}, "FILE_MISSING", "nowhere"],
  [{}, { ONEX_TOKEN: "short" }, "SERVE_UNSAFE", "5 characters"],
  [{}, { ONEX_TOKEN: "with a space in it, and long" }, "SERVE_UNSAFE", "space"],
])("%j is refused", (options, env, code, word) => {
  expect(() => settings(options, env)).toThrow(expect.objectContaining({ code, message: expect.stringContaining(word) }));
});
