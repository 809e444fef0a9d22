import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

/** What differs most on a store for many owners; `ONEX_MANY=all` plays all of them. */
const manyOwners =
  process.env.ONEX_MANY === "all"
    ? ["test/semantics/*.test.ts"]
    : [
        "reducers",
        "children",
        "undo",
        "fork",
        "migrate",
        "start",
        "concurrency-keys",
        "admission-limits",
        "seams-moving",
        "streams-failing",
      ].map((name) => `test/semantics/${name}.test.ts`);

/** How many times as often each property is tried. */
const propertyRuns = Number(process.env.PROPERTY_RUNS ?? 1);
const soaked = propertyRuns > 1 ? ["./test/soak.ts"] : [];

export default defineConfig({
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: "onex",
          include: ["src/**/*.test.ts", "test/**/*.test.ts", "bench/**/*.test.ts", "examples/**/*.test.ts"],
          setupFiles: soaked,
        },
      },
      { extends: true, test: { name: "many-owners", include: manyOwners, setupFiles: ["./test/many-owners.ts", ...soaked] } },
    ],
    // The files of a project share their processes, and what they import is loaded once in each. So what a file changes of its
    // process it puts back, and a helper cleans up by `onTestFinished`: its hooks would be those of the first file that imports it.
    isolate: false,
    // The tests that start programs run the built package.
    reporters: ["default", "./test/closing-line.ts"],
    globalSetup: ["./test/build.ts"],
    // One more than cores: what waits for processes, disks and clocks leaves room for another file.
    maxWorkers: availableParallelism() + 1,
    // Only what hangs is to meet them: a machine that is busy with other things may take many times as long.
    testTimeout: 300_000 * propertyRuns,
    hookTimeout: 300_000,
    // What is polled for is an event, however slow the machine: a second would be a bound of speed.
    expect: { poll: { timeout: 60_000 } },
  },
});
