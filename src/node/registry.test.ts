import { expect, test } from "vitest";
import { z } from "zod";
import { compute } from "./compute.ts";
import { effect } from "./effect.ts";
import { Registry } from "./registry.ts";

const at = (version: string) => compute({ name: "price", version, input: z.any() }, (x) => x);
const mail = effect({ name: "mail", input: z.any() }, async (x) => x);
const versions = ["1.0.0", "1.10.0", "1.2.0", "2.0.0-beta.1", "2.0.0"].map(at);
const registry = new Registry([...versions, mail]);
const found = (reference: string) => registry.find("compute", reference)?.contract.version;

test("the newest that fits", () => {
  expect(found("price")).toBe("2.0.0");
  expect(found("price@1")).toBe("1.10.0");
  expect(found("price@1.2")).toBe("1.2.0");
  expect(found("price@1.0.0")).toBe("1.0.0");
});
test("by the whole part of a version, not by how it begins", () => {
  expect(found("price@1.1")).toBeUndefined();
  expect(found("price@10")).toBeUndefined();
  expect(found("price@3")).toBeUndefined();
});
test("a pre-release is older than its release", () => {
  expect(new Registry([at("2.0.0"), at("2.0.0-beta.1")]).find("compute", "price@2")?.contract.version).toBe("2.0.0");
  expect(found("price@2.0.0-beta.1")).toBe("2.0.0-beta.1");
});
test("by kind and name", () => {
  expect(registry.find("effect", "price")).toBeUndefined();
  expect(registry.find("compute", "nobody")).toBeUndefined();
  expect(registry.names("compute")).toEqual(["price"]);
  expect(registry.names("effect")).toEqual(["mail"]);
  expect(registry.contracts()).toHaveLength(6);
});
test("two of one name and version are refused, one twice is one", () => {
  expect(() => new Registry([at("1.0.0"), at("1.0.0")])).toThrow(expect.objectContaining({ code: "NODE_DUPLICATE" }));
  expect(new Registry([mail, mail]).contracts()).toHaveLength(1);
});
