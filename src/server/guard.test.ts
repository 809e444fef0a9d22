import { describe, expect, test } from "vitest";
import { stand, told } from "../../test/server/kit.ts";
import { isLoopback } from "./guard.ts";

const token = "a-token-of-thirty-two-characters";

describe("the Host header", () => {
  test.each([
    ["127.0.0.1:3300", 200],
    ["localhost", 200],
    ["LOCALHOST:9", 200],
    ["[::1]:3300", 200],
    ["evil.example", 421],
    ["evil.example:3300", 421],
    ["127.0.0.1.evil.example", 421],
    ["localhost.evil.example", 421],
    ["localhost@evil.example", 421],
    ["", 421],
    ["10.0.0.1", 421],
  ])("%j is %i", async (host, status) => {
    for (const path of ["/healthz", "/api/v1/runs", "/nothing"]) {
      const response = await stand().get(path, { host });
      if (status === 421) expect(await told(response), path).toMatchObject({ status, code: "HOST_REFUSED" });
      else expect(response.status, path).toBe(path === "/nothing" ? 404 : 200);
    }
  });

  test("names and addresses that were allowed", async () => {
    const named = stand({ allowHosts: ["orders.example", "other.example:8080"] });
    expect((await named.get("/healthz", { host: "orders.example" })).status).toBe(200);
    expect((await named.get("/healthz", { host: "other.example" })).status).toBe(200);
    expect((await named.get("/healthz", { host: "10.0.0.1" })).status).toBe(421);
    const anywhere = stand({ host: "0.0.0.0", token });
    expect((await anywhere.get("/healthz", { host: "10.0.0.1:3300" })).status).toBe(200);
    expect((await anywhere.get("/healthz", { host: "evil.example" })).status).toBe(421);
    expect((await stand({ host: "::1", token }).get("/healthz", { host: "[::1]" })).status).toBe(200);
  });
});

describe("pages of other sites", () => {
  test.each<[Record<string, string>, number]>([
    [{ origin: "http://evil.example" }, 403],
    [{ origin: "null" }, 403],
    [{ origin: "http://localhost:3000" }, 403],
    [{ origin: "nonsense" }, 403],
    [{ "sec-fetch-site": "cross-site" }, 403],
    [{ "sec-fetch-site": "same-site" }, 403],
    [{ "sec-fetch-site": "same-origin" }, 200],
    [{ "sec-fetch-site": "none" }, 200],
    [{ origin: "http://127.0.0.1:3300" }, 200],
  ])("%j is %i", async (headers, status) => {
    const { get, start } = stand();
    const id = await start("quick", { amount: 1 });
    for (const path of ["/api/v1/runs", `/api/v1/runs/${id}/facts`, `/api/v1/runs/${id}/events`, "/metrics"]) {
      const response = await get(path, { host: "127.0.0.1:3300", ...headers });
      expect(response.status, path).toBe(status);
      expect(response.headers.get("access-control-allow-origin"), path).toBeNull();
    }
  });

  test("an origin that was allowed may ask and read", async () => {
    const { app, get } = stand({ allowOrigins: ["https://shop.example"], token });
    const origin = { origin: "https://shop.example", "sec-fetch-site": "cross-site" };
    const preflight = await app.fetch(new Request("http://localhost/api/v1/runs", { method: "OPTIONS", headers: origin }));
    expect(preflight.status).toBe(204);
    expect(Object.fromEntries(preflight.headers)).toMatchObject({
      "access-control-allow-origin": "https://shop.example",
      "access-control-allow-methods": "POST, GET, HEAD",
      vary: "Origin",
    });
    const response = await get("/api/v1/runs", { ...origin, authorization: `Bearer ${token}` });
    expect([response.status, response.headers.get("access-control-allow-origin")]).toEqual([200, "https://shop.example"]);
    expect((await get("/api/v1/runs", { origin: "https://shop.example.evil" })).status).toBe(403);
    const foreign = await app.fetch(
      new Request("http://localhost/api/v1/runs", { method: "OPTIONS", headers: { origin: "http://evil.example" } }),
    );
    expect(foreign.status).toBe(403);
  });
});

describe("the token", () => {
  test("is asked for by every route but the open ones, and of what there is not", async () => {
    const { app, get } = stand({ token });
    for (const route of app.routes) {
      const path = route.path.replaceAll(/\{\w+\}/g, "x");
      const response = await app.fetch(new Request(`http://localhost${path}`, { method: route.method }));
      expect(response.status === 401, `${route.method} ${route.path}`).toBe(!route.open);
    }
    expect(app.routes.filter(({ open }) => open).map(({ path }) => path)).toEqual(["/healthz", "/readyz", "/version"]);
    expect((await get("/nothing")).status).toBe(401);
    const refused = await get("/api/v1/runs");
    expect(refused.headers.get("www-authenticate")).toBe('Bearer realm="onex"');
  });

  test.each([
    [`Bearer ${token}`, 200],
    [`bearer  ${token}`, 200],
    [`Bearer ${token}x`, 401],
    [`Bearer ${token.slice(1)}`, 401],
    [`Basic ${token}`, 401],
    [`Bearer`, 401],
    [token, 401],
  ])("%j is %i", async (authorization, status) => {
    const response = await stand({ token }).get("/api/v1/runs", { authorization });
    expect(response.status).toBe(status);
    expect(await response.text()).not.toContain(token);
  });
});

test("addresses of this machine alone", () => {
  for (const host of ["localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]"]) expect(isLoopback(host), host).toBe(true);
  for (const host of ["0.0.0.0", "::", "10.0.0.1", "127.0.0.1.example", "example"]) expect(isLoopback(host), host).toBe(false);
});
