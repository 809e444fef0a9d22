import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Rendered } from "./render.ts";
import { existing, writeTree } from "./write.ts";

let base: string;
let outside: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "onex-write-"));
  outside = mkdtempSync(join(tmpdir(), "onex-outside-"));
});
afterEach(() => {
  for (const folder of [base, outside]) rmSync(folder, { recursive: true, force: true });
});

const tree: readonly Rendered[] = [
  { path: "README.md", text: "read me" },
  { path: "src/a/one.ts", text: "one" },
  { path: "src/a/two.ts", text: "two" },
];
/** All that is in a folder, folders with `/`; the text of files. */
const everything = (folder: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(folder, { recursive: true, encoding: "utf8" })
      .sort()
      .map((name) => [name, statSync(join(folder, name)).isDirectory() ? "/" : readFileSync(join(folder, name), "utf8")]),
  );
const codeOf = (run: () => unknown): string => {
  try {
    run();
    return "";
  } catch (error) {
    return `${(error as { code: string }).code} ${(error as Error).message}`;
  }
};

/** To root nothing is read-only: then it is somebody else who does it. */
function asNobody<T>(run: () => T): T {
  const root = process.geteuid?.() === 0;
  if (root) process.seteuid?.(65_534);
  try {
    return run();
  } finally {
    if (root) process.seteuid?.(0);
  }
}

test("writes a tree, in folders that are there or not", () => {
  mkdirSync(join(base, "src"));
  expect(writeTree(base, tree, false)).toEqual([]);
  expect(everything(base)).toEqual({ "README.md": "read me", src: "/", "src/a": "/", "src/a/one.ts": "one", "src/a/two.ts": "two" });
});

describe("what is there already", () => {
  test("is not overwritten: all of it is named, and nothing is written", () => {
    mkdirSync(join(base, "src/a"), { recursive: true });
    writeFileSync(join(base, "src/a/two.ts"), "mine");
    writeFileSync(join(base, "README.md"), "mine");
    const before = everything(base);
    expect(codeOf(() => writeTree(base, tree, false))).toMatch(/^FILE_EXISTS [\s\S]*README\.md\nsrc\/a\/two\.ts\n[\s\S]*--force/);
    expect(everything(base)).toEqual(before);
  });

  test("is overwritten by force, each named; what is beside it stays", () => {
    mkdirSync(join(base, "src/a"), { recursive: true });
    for (const file of ["two.ts", "three.ts"]) writeFileSync(join(base, "src/a", file), "mine");
    expect(writeTree(base, tree, true)).toEqual(["src/a/two.ts"]);
    expect(everything(join(base, "src/a"))).toEqual({ "one.ts": "one", "three.ts": "mine", "two.ts": "two" });
  });

  test("keeps its text elsewhere, where it is a hard link", () => {
    writeFileSync(join(outside, "theirs"), "theirs");
    linkSync(join(outside, "theirs"), join(base, "README.md"));
    writeTree(base, tree, true);
    expect(readFileSync(join(outside, "theirs"), "utf8")).toBe("theirs");
    expect(readFileSync(join(base, "README.md"), "utf8")).toBe("read me");
  });
});

describe("a link is not followed, whether to a folder, a file or nothing", () => {
  test.each([
    { what: "src is a link", link: "src", to: () => outside },
    { what: "src leads back into the base", link: "src", to: () => base },
    { what: "a folder deeper is a link", link: "src/a", to: () => outside },
    { what: "the file is a link", link: "README.md", to: () => join(outside, "theirs") },
    { what: "the file is a link to what is not there", link: "README.md", to: () => join(outside, "nothing") },
  ])("$what", ({ link, to }) => {
    writeFileSync(join(outside, "theirs"), "theirs");
    if (link.includes("/")) mkdirSync(join(base, "src"));
    symlinkSync(to(), join(base, link));
    const before = readdirSync(base);
    for (const force of [false, true])
      expect(codeOf(() => writeTree(base, tree, force))).toBe(
        `PATH_REFUSED nothing was written: ${link} is a link, which is not followed, and a ${link === "README.md" ? "file would stand there" : "folder is needed there"}`,
      );
    expect(readdirSync(base)).toEqual(before);
    expect(everything(outside)).toEqual({ theirs: "theirs" });
  });

  test("one that turns up while the tree is written", () => {
    const racing: readonly Rendered[] = [
      tree[0] as Rendered,
      {
        path: "b/first.ts",
        get text() {
          symlinkSync(outside, join(base, "src"));
          return "first";
        },
      },
      ...tree.slice(1),
    ];
    expect(codeOf(() => writeTree(base, racing, false))).toMatch(/^WRITE_FAILED src is a link.*taken back$/);
    expect(everything(outside)).toEqual({});
    expect(readdirSync(base)).toEqual(["src"]);
  });

  test("a file that turns up meanwhile is not overwritten", () => {
    const racing: readonly Rendered[] = [
      {
        path: "first.ts",
        get text() {
          writeFileSync(join(base, "README.md"), "mine");
          return "first";
        },
      },
      ...tree,
    ];
    expect(codeOf(() => writeTree(base, racing, true))).toMatch(/^WRITE_FAILED EEXIST/);
    expect(everything(base)).toEqual({ "README.md": "mine" });
  });
});

test("a file where a folder must be, and a folder where a file must be, are both named", () => {
  writeFileSync(join(base, "src"), "mine");
  mkdirSync(join(base, "README.md"));
  const said = codeOf(() => existing(base, tree));
  expect(said).toContain("src is a file, and a folder is needed there");
  expect(said).toContain("README.md is a folder, and a file would stand there");
});

test.each(["../evil", "/evil", "a/../../evil", "a//b", "", ".", "a\\..\\b", "c:evil", "a\0b"])(
  "a path %j leads out and is refused",
  (path) => {
    expect(codeOf(() => writeTree(base, [...tree, { path, text: "" }], true))).toMatch(/^PATH_REFUSED/);
    expect(everything(base)).toEqual({});
  },
);

describe("a write that fails half way", () => {
  const failing: readonly Rendered[] = [
    ...tree,
    {
      path: "src/b/three.ts",
      get text(): string {
        throw new Error("the disk is full");
      },
    },
  ];

  test("leaves nothing", () => {
    expect(codeOf(() => writeTree(base, failing, false))).toBe("WRITE_FAILED the disk is full; what was written before it was taken back");
    expect(everything(base)).toEqual({});
  });

  test("leaves what was overwritten as it was", () => {
    mkdirSync(join(base, "src/a"), { recursive: true });
    writeFileSync(join(base, "src/a/one.ts"), "mine");
    const before = everything(base);
    expect(codeOf(() => writeTree(base, failing, true))).toContain("taken back");
    expect(everything(base)).toEqual(before);
  });

  test("in a folder that cannot be written to", () => {
    mkdirSync(join(base, "src"), { mode: 0o555 });
    chmodSync(base, 0o755);
    expect(asNobody(() => codeOf(() => writeTree(base, tree.slice(1), false)))).toMatch(
      /^WRITE_FAILED EACCES: permission denied, mkdir .*src\/a'; .*taken back$/,
    );
    // Nor looked into.
    chmodSync(base, 0o700);
    chmodSync(join(base, "src"), 0o000);
    if (process.geteuid?.() === 0)
      expect(asNobody(() => codeOf(() => writeTree(base, tree, false)))).toMatch(/^PATH_REFUSED nothing was written: EACCES/);
    chmodSync(join(base, "src"), 0o755);
    expect(everything(base)).toEqual({ src: "/" });
  });
});
