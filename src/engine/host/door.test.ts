import { describe, expect, test } from "vitest";
import { signatureHeaders } from "../signature.ts";
import { sha256, systemSigner } from "../system.ts";
import { Door } from "./door.ts";
import { Refusal } from "./refusal.ts";

const secret = "sixteen letters.";
const old = "the one before that";
let now = 1_000_000_000;
const doorOf = (secrets: readonly string[] = [secret], most = 100) =>
  new Door(secrets, { signer: systemSigner, hash: sha256, now: () => now }, most);
const signed = { method: "POST", path: "/nodes?x=1", actionId: "a-1", epoch: 3 };

interface How {
  readonly body?: string;
  readonly key?: string;
  readonly time?: number;
  readonly nonce?: string;
  readonly change?: Readonly<Record<string, string>>;
  readonly path?: string;
}
function request({ body = "{}", key = secret, time = now, nonce = systemSigner.nonce(), change = {}, path = signed.path }: How = {}) {
  const headers = signatureHeaders(systemSigner, key, { ...signed, time, nonce, bodyDigest: sha256(body) });
  return { method: "POST", path, headers: new Headers({ ...headers, ...change }), body };
}
function codeOf(act: () => unknown): unknown {
  try {
    act();
    return "in";
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return [error.status, error.answer.error.code, error.answer.outcome, error.answer.final].filter((part) => part !== undefined);
  }
}
const out = (code: string) => [401, code, "none"];

test("who signs is let in, and what it said is told", () => {
  expect(doorOf().enter(request())).toMatchObject({ actionId: "a-1", epoch: 3 });
});

test("while a secret is changed both open", () => {
  const door = doorOf([secret, old]);
  expect(codeOf(() => door.enter(request({ key: old })))).toBe("in");
  expect(codeOf(() => door.enter(request()))).toBe("in");
  expect(codeOf(() => doorOf().enter(request({ key: old })))).toEqual(out("SIGNATURE_INVALID"));
});

describe("what was changed on the way does not fit", () => {
  test.each([
    ["the body", () => ({ ...request(), body: "{ }" })],
    ["the path", () => request({ path: "/nodes?x=2" })],
    ["the method", () => ({ ...request(), method: "PUT" })],
    ["the action", () => request({ change: { "onex-action": "a-2" } })],
    ["the epoch", () => request({ change: { "onex-epoch": "4" } })],
    ["the time", () => request({ change: { "onex-time": String(now + 1) } })],
    ["the nonce", () => request({ change: { "onex-nonce": systemSigner.nonce() } })],
    ["the form", () => request({ change: { "onex-signature": "v1=AB" } })],
    ["the form of the time", () => request({ change: { "onex-time": "soon" } })],
  ])("%s", (_what, made) => {
    expect(codeOf(() => doorOf().enter(made()))).toEqual(out("SIGNATURE_INVALID"));
  });
});

test.each(["onex-signature", "onex-time", "onex-nonce", "onex-action", "onex-epoch"])("without %s nobody is let in", (name) => {
  const asked = request();
  asked.headers.delete(name);
  expect(codeOf(() => doorOf().knock(asked.headers))).toEqual(out("SIGNATURE_MISSING"));
});

test("clocks may differ by five minutes; beyond, both are told", () => {
  for (const apart of [-300_000, 300_000]) expect(codeOf(() => doorOf().enter(request({ time: now + apart })))).toBe("in");
  for (const apart of [-300_001, 300_001]) {
    const asked = request({ time: now + apart });
    expect(codeOf(() => doorOf().knock(asked.headers))).toEqual(out("SIGNATURE_EXPIRED"));
    try {
      doorOf().knock(asked.headers);
    } catch (error) {
      expect((error as Refusal).answer.error.details).toEqual({ signed_at: now + apart, host_time: now });
    }
  }
});

test("a nonce comes once, as long as its request could come again", () => {
  const door = doorOf();
  // Its clock goes ahead: it stays good for ten minutes.
  const asked = request({ time: now + 300_000 });
  expect(codeOf(() => door.enter(asked))).toBe("in");
  for (const later of [0, 300_000, 600_000]) {
    now += later;
    expect(codeOf(() => door.enter(asked))).toEqual(out("SIGNATURE_REPLAYED"));
    now -= later;
  }
  now += 600_001;
  expect(codeOf(() => door.enter(asked))).toEqual(out("SIGNATURE_EXPIRED"));
});

test("full, it forgets nothing early and lets nobody in; who has no secret fills nothing", () => {
  const door = doorOf([secret], 2);
  const first = request();
  for (let i = 0; i < 10; i++) expect(codeOf(() => door.enter(request({ key: old })))).toEqual(out("SIGNATURE_INVALID"));
  expect(codeOf(() => door.enter(first))).toBe("in");
  expect(codeOf(() => door.enter(request()))).toBe("in");
  expect(codeOf(() => door.enter(request()))).toEqual([503, "NODE_BUSY", "none"]);
  expect(codeOf(() => door.enter(first))).toEqual(out("SIGNATURE_REPLAYED"));
  now += 302_000;
  expect(codeOf(() => door.enter(request()))).toBe("in");
});
