/** Plays the scenarios of the semantics on a store for many owners: behind promises, as a database is. */
import { vi } from "vitest";

vi.mock("../src/store/memory.ts", async (original) => ({
  ...(await original<typeof import("../src/store/memory.ts")>()),
  memory: (await import("../src/store/shared-memory.ts")).sharedMemory,
}));
