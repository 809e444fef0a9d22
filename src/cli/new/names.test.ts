import * as onex from "onex";
import { describe, expect, test } from "vitest";
import { type NameOf, nameOf, suggestion, versionOf } from "./names.ts";

const everything: readonly NameOf[] = ["project", "domain", "node"];
const complaint = (what: NameOf, text: string): string => {
  try {
    return `accepted: ${nameOf(what, text, "--name")}`;
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    return `${code} ${message}`;
  }
};

test.each(["order", "order-item", "a", "a1", "year-2024", "x-1-b", "deletes", "instance-of", "a".repeat(40)])(
  "%s is good for all",
  (name) => {
    for (const what of everything) expect(nameOf(what, name, "--name")).toBe(name);
  },
);

test.each([
  ["nothing", ""],
  ["a space", " "],
  ["unicode", "größe"],
  ["another alphabet", "заказ"],
  ["letters that look alike", "оrder"],
  ["an emoji", "order🚀"],
  ["half an emoji", "order\ud83d"],
  ["300 characters", "a".repeat(300)],
  ["a placeholder", "{{name}}"],
  ["a placeholder of JavaScript", "${process.exit(1)}"],
  ["backticks", "`id`"],
  ["a double quote", 'a"b'],
  ["a single quote", "a'b"],
  ["a new line", "order\nentry: evil.ts"],
  ["a carriage return", "order\r"],
  ["a null byte", "order\0.ts"],
  ["an absolute path", "/etc/passwd"],
  ["a way out", "../../evil"],
  ["a folder", "a/b"],
  ["a way of Windows", "..\\evil"],
  ["a drive", "c:evil"],
  ["the folder itself", "."],
  ["an option", "--force"],
  ["a dot in front", ".git"],
  ["a digit first", "1st"],
  ["a capital", "Order"],
  ["snake_case", "order_item"],
  ["a hyphen at its end", "order-"],
  ["two hyphens", "order--item"],
  ["escape codes", "\u001b[2Jorder"],
  ["text that turns round", "order\u202e"],
  ["a word of YAML and an object", "__proto__"],
  ["a device of Windows", "con"],
  ["a numbered device of Windows", "com1"],
  ["what npm keeps", "node_modules"],
  ["what npm keeps too", "favicon.ico"],
])("%s is refused, with a sentence on one line that says what is good", (_, name) => {
  for (const what of everything) {
    const said = complaint(what, name);
    expect(said).toMatch(/^NAME_REFUSED --name ".*" (?:is|has|begins) /);
    expect(said).toMatch(/A good name: small letters|Say more, such as/);
    expect(said).not.toMatch(/[\n\r\0]/);
    expect(said.length).toBeLessThan(400);
  }
});

describe("names that something else has", () => {
  test("a node cannot be a word of TypeScript, nor what its module imports", () => {
    for (const name of ["delete", "class", "await", "new", "enum", "effect", "z", "nodes", "provide", "node"])
      expect(complaint("node", name)).toMatch(/^NAME_REFUSED .*Say more, such as /);
    // They become parts of a path only.
    for (const name of ["delete", "effect"]) expect(nameOf("domain", name, "--domain")).toBe(name);
  });

  test("every export of onex is one", () => {
    const kebab = (name: string) => name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    const names = Object.keys(onex).filter((name) => /^[a-z]/.test(name));
    expect(names).toContain("createOrchestrator");
    expect(names.map(kebab).filter((name) => complaint("node", name).startsWith("accepted"))).toEqual([]);
  });

  test("a project cannot be a module of Node.js nor a package that it installs", () => {
    for (const name of ["fs", "http", "test-only", "onex", "zod", "vitest"].filter((each) => each !== "test-only"))
      expect(complaint("project", name)).toMatch(/^NAME_REFUSED .*such as "\w+-app"/);
    expect(nameOf("node", "http", "--name")).toBe("http");
  });
});

test.each([
  ["Order Item", "order-item"],
  ["orderItem", "order-item"],
  ["HTTPServer", "http-server"],
  ["order_item", "order-item"],
  ["order.item", "order-item"],
  [" order ", "order"],
  ["Café", "cafe"],
  ["-order--item-", "order-item"],
])("%j is near to %s, which is offered", (typed, near) => {
  expect(suggestion("node", typed)).toBe(near);
  expect(complaint("node", typed)).toContain(`Did you mean "${near}"?`);
});

test.each(["../order", "{{name}}", "order/item", "Delete", "1 Order", "заказ", "A".repeat(200)])("nothing good is near to %j", (typed) => {
  expect(suggestion("node", typed)).toBeUndefined();
});

test("a version is three numbers", () => {
  for (const version of ["1.0.0", "0.1.0", "10.20.30"]) expect(versionOf(version)).toBe(version);
  for (const version of [
    "",
    "1",
    "1.0",
    "v1.0.0",
    "1.0.0-beta.1",
    "1.0.0.0",
    "01.0.0",
    "1.0.x",
    "../1",
    "{{version}}",
    "1.0.0\n",
    "9999999.0.0",
  ])
    expect(() => versionOf(version), version).toThrow(/^--version ".*" is no version. A version is three numbers/);
  expect(() => versionOf("v2.1")).toThrow('Did you mean "2.1.0"?');
});
