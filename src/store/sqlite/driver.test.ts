import { describe, expect, test } from "vitest";
import { atLeast, loadDriver, readOnce } from "./driver.ts";

describe("the driver", () => {
  test("is missing with a sentence that names both remedies", () => {
    const none = (): undefined => undefined;
    expect(() => loadDriver(none, none)).toThrow(
      expect.objectContaining({
        code: "STORE_DRIVER_MISSING",
        message: expect.stringMatching(/npm install @photostructure\/sqlite.*node:sqlite/),
      }),
    );
  });

  test("versions are compared by their numbers", () => {
    expect([atLeast("3.51.3", "3.51.3"), atLeast("3.53.0", "3.51.3"), atLeast("4.0.0", "3.51.3")]).toEqual([true, true, true]);
    expect([atLeast("3.51.2", "3.51.3"), atLeast("3.9.0", "3.51.3"), atLeast("3.51", "3.51.3")]).toEqual([false, false, false]);
  });

  test("reads a row without leaving a statement open, so that closing closes", () => {
    const db = loadDriver()(":memory:", { readOnly: false });
    expect(readOnce(db, "1, 'a', NULL")).toEqual([1, "a", null]);
    expect(readOnce(db, "2")).toEqual([2]);
    db.close();
  });
});
