import { expect, test } from "vitest";
import { contentsOf } from "./load.ts";
import { Places } from "./places.ts";

const [here, there] = ["http://127.0.0.1:3400/nodes", "http://127.0.0.1:3401/nodes"];

test("a module says where nodes live, by an export or in its default export", () => {
  expect(contentsOf({ endpoints: { pay: here } }).endpoints).toEqual({ pay: here });
  expect(contentsOf({ default: { endpoints: { pay: here } }, endpoints: { refund: there } }).endpoints).toEqual({
    pay: here,
    refund: there,
  });
  expect(contentsOf({}).endpoints).toEqual({});
});

test("what several modules say is put together; two places for one node are refused, with both files", () => {
  const places = new Places();
  places.take({ pay: here }, "pay.ts");
  places.take({ pay: here, refund: there }, "shop.ts");
  expect(places.all).toEqual({ pay: here, refund: there });
  expect(() => places.take({ pay: there }, "other.ts")).toThrow(
    expect.objectContaining({ code: "OPTION_INVALID", message: expect.stringMatching(/pay\.ts and other\.ts.*for pay/) }),
  );
});
