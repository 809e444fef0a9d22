import { describe, expect, test } from "vitest";
import { storeSuite } from "../suite.ts";
import { servers } from "./testing.ts";

const server = servers();
const runner = { describe, test, expect, skip: (name: string) => test.skip(name, () => {}) };

if (server) storeSuite(runner, "postgres", { make: () => server.subject() });
else test.skip("PostgreSQL is not installed here: the store is not tested", () => {});
