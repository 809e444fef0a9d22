import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts", "bench/**/*.test.ts", "examples/**/*.test.ts"],
    // The tests that start programs run the built package.
    reporters: ["default", "./test/closing-line.ts"],
    globalSetup: ["./test/build.ts"],
    // On two cores one would stand idle: what waits for processes and disks leaves room for another file.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
