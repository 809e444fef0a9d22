import { describe, expect, test } from "vitest";
import { openable, storeUrl, withLease, withListen } from "./store.ts";

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

describe("--listen", () => {
  const pooled = () => storeUrl("postgres://shop@pooler:6432/shop?schema=dev", "", "");
  test("names the server behind a pooler; the store is still that of the pooler", async () => {
    const at = withListen(pooled(), "postgres://shop:s3cret@db:5432/shop?schema=other");
    expect(at).toEqual({ ...pooled(), database: { ...pooled().database, listenUrl: "postgres://shop:s3cret@db:5432/shop" } });
    expect(withLease(at, "3s").database).toMatchObject({ listenUrl: "postgres://shop:s3cret@db:5432/shop", leaseMs: 3_000 });
    expect((await openable(at)).kind).toBe("postgres");
  });
  test("stands before ONEX_LISTEN, which is for a database alone", () => {
    const at = storeUrl("postgres://pooler/shop", "", "postgres://db/shop");
    expect(at.database).toMatchObject({ url: "postgres://pooler/shop", listenUrl: "postgres://db/shop" });
    expect(withListen(at, undefined)).toBe(at);
    expect(withListen(at, "postgres://other/shop").database).toMatchObject({ listenUrl: "postgres://other/shop" });
    expect(storeUrl("sqlite:a.db", "", "postgres://db/shop").database).toBe(undefined);
    expect(() => storeUrl("postgres://pooler/shop", "", "db:5432")).toThrow(/^ONEX_LISTEN is no URL of a PostgreSQL database/);
  });
  test("is of PostgreSQL alone, must be one of its URLs, and is shown by no message", () => {
    expect(() => withListen(storeUrl("sqlite:a.db", ""), "postgres://db/shop")).toThrow(/--listen is of PostgreSQL alone.*sqlite:a\.db/);
    expect(() => withListen(pooled(), "sqlite:a.db")).toThrow(/^--listen is no URL of a PostgreSQL database/);
    expect(() => withListen(pooled(), "postgres://shop:s3cret@db")).toThrow(/^--listen (?!.*s3cret).*names no database/);
  });
});
