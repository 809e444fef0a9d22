import { expect, test } from "vitest";
import { z } from "zod";
import type { EffectContract } from "../node/contract.ts";
import { effect } from "../node/effect.ts";
import { service } from "../node/service.ts";
import { Services } from "./services.ts";

const bank = service<{ name: string }>("bank");
const shop = service<string>("shop");
const both = effect({ name: "both", input: z.any(), uses: { bank, shop } }, async () => null).contract as unknown as EffectContract;
const none = effect({ name: "none", input: z.any() }, async () => null).contract as unknown as EffectContract;

test("the first that is missing is named; a stand-in needs none", () => {
  expect(new Services([]).missing(both)).toBe("bank");
  expect(new Services([bank.from({ name: "b" })]).missing(both)).toBe("shop");
  expect(new Services([bank.from({ name: "b" }), shop.from("s")]).missing(both)).toBeUndefined();
  expect(new Services([]).missing(none)).toBeUndefined();
  expect(new Services([], (name) => name === "both").missing(both)).toBeUndefined();
});

test("each is made once, however many ask at once; then it is given at once", async () => {
  let made = 0;
  const services = new Services([
    bank.from(async () => {
      made++;
      return { name: "b" };
    }),
    shop.from("s"),
  ]);
  const [one, two] = await Promise.all([services.of(both), services.of(both)]);
  expect(one).toEqual({ bank: { name: "b" }, shop: "s" });
  expect(two.bank).toBe(one.bank);
  expect(made).toBe(1);
  expect(services.of(both)).not.toBeInstanceOf(Promise);
  expect(services.of(none)).toEqual({});
});

test("one that could not be made is tried again by the next who needs it", async () => {
  let tries = 0;
  const services = new Services([
    bank.from(() => {
      if (++tries === 1) throw new Error("down");
      return { name: "b" };
    }),
    shop.from("s"),
  ]);
  await expect(services.of(both)).rejects.toThrow("down");
  expect(await services.of(both)).toMatchObject({ bank: { name: "b" } });
});

test("closing closes what was made, and tells what could not be", async () => {
  const closed: string[] = [];
  const services = new Services([
    bank.from({ name: "b", close: () => closed.push("bank") } as never),
    shop.from({
      close: async () => {
        throw new Error("stuck");
      },
    } as never),
    service("unused").from({ close: () => closed.push("unused") }),
  ]);
  await services.of(both);
  expect(await services.close()).toMatchObject([{ service: "shop", error: { message: "stuck" } }]);
  expect(closed).toEqual(["bank"]);
  expect(await services.close()).toEqual([]);
});
