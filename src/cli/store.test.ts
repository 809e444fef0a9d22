import { describe, expect, test } from "vitest";
import { storeUrl, withLease } from "./store.ts";

const refused = (url: string) => {
  try {
    storeUrl(url, "");
  } catch (error) {
    return String((error as Error).message);
  }
  throw new Error(`${url} was taken`);
};

describe("a URL of PostgreSQL", () => {
  test("is shown without its password, which only what opens it has", () => {
    const at = storeUrl("postgres://shop:s3cret@db.internal:5433/shop?sslmode=verify-full", "");
    expect(at).toEqual({
      kind: "postgres",
      url: "postgres://db.internal:5433/shop",
      path: "",
      flag: " --store 'postgres://shop:PASSWORD@db.internal:5433/shop?sslmode=verify-full'",
      database: { url: "postgres://shop:s3cret@db.internal:5433/shop?sslmode=verify-full", schema: "onex" },
    });
  });
  test("may name a schema, and hold a password behind the ?", () => {
    const at = storeUrl("postgresql://h/d?password=s3cret&schema=dev", "");
    expect(at.url).toBe("postgres://h/d?schema=dev");
    expect(at.flag).not.toContain("s3cret");
    expect(at.database).toEqual({ url: "postgresql://h/d?password=s3cret", schema: "dev" });
  });
  test("of ONEX_STORE needs no flag", () => {
    expect(storeUrl(undefined, "postgres://u:s3cret@h/d")).toMatchObject({ kind: "postgres", flag: "" });
  });
  test.each([
    ["postgres:h/d", "// is missing"],
    ["postgres://h", "names no database"],
    ["postgres://u:s3/cret@h/d", "it cannot be read"],
    ["postgres://u:33#cret@h/d", "has an @ or #"],
    ["postgres://u:33?cret@h/d", "has an @ or #"],
    ["postgres://u:33/cret@h/d", "has an @ or #"],
    ["postgres://h/d?schema=A-b", "?schema= is"],
  ])("%s is refused, and nothing of it repeated", (url, why) => {
    const message = refused(url);
    expect(message).toContain(why);
    expect(message).toContain("postgres://USER@HOST:PORT/DATABASE");
    expect(message).not.toMatch(/cret|33/);
  });
  test("of another kind is refused without what may be a password", () => {
    expect(refused("mysql://u:s3cret@h/d")).toMatch(/^--store "mysql:\/\/…" is no store: write sqlite:FILE, postgres:/);
  });
});

describe("--lease", () => {
  const at = storeUrl("postgres://h/d", "");
  test("is a time", () => {
    expect(withLease(at, "3s").database).toMatchObject({ leaseMs: 3_000 });
    expect(withLease(at, undefined)).toBe(at);
  });
  test.each(["10", "0s", "900ms", "2h", "soon"])("%s is none", (lease) => {
    expect(() => withLease(at, lease)).toThrow(/write a time from 1s to 1h/);
  });
  test("is of PostgreSQL alone", () => {
    expect(() => withLease(storeUrl("sqlite:a.db", ""), "3s")).toThrow(/--lease is of PostgreSQL alone/);
  });
});
