import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts", "bench/**/*.test.ts", "examples/**/*.test.ts"],
    // The tests that start programs run the built package.
    reporters: ["default", "./test/closing-line.ts"],
    globalSetup: ["./test/build.ts"],
    // One more than cores: what waits for processes, disks and clocks leaves room for another file.
    maxWorkers: availableParallelism() + 1,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
