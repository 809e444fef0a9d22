/** Every field of the templates' configuration: what it does, its range, and what is said when it does not fit. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { OnexError } from "../core/failure.ts";
import { elsewhere, type OrchestratorConfig } from "./config.ts";
import { fullRetry, longestRetriesMs } from "./config-check.ts";
import { preset } from "./config-presets.ts";
import { settingsOf } from "./config-settings.ts";

function complaints(config: unknown, storeKind = "memory"): string[] {
  try {
    settingsOf(config as OrchestratorConfig, storeKind);
  } catch (error) {
    const { code, details } = error as OnexError;
    expect(code).toBe("CONFIG_INVALID");
    return (details as unknown as { path: string; given: string; allowed: string }[]).map(
      ({ path, given, allowed }) => `${path} is ${given}: ${allowed}`,
    );
  }
  return [];
}

test("without a configuration everything is as built in", () => {
  const builtIn = settingsOf(undefined, "memory");
  expect(builtIn).toEqual({
    runDefaults: undefined,
    runTimeoutMs: undefined,
    shutdownMs: 10_000,
    performanceThresholdMs: 5_000,
    maxConcurrentWorkflows: undefined,
    circuitBreaker: undefined,
    lease: undefined,
    provide: [],
  });
  expect(settingsOf({}, "memory")).toEqual(builtIn);
});

test("each field reaches what it sets", () => {
  const settings = settingsOf(
    {
      retry: { maxRetries: 2, retryDelayMs: 200, exponentialBackoff: false, backoffMultiplier: 3, maxRetryDelayMs: 4_000 },
      parallel: { maxParallelSteps: 7, loadBalancingEnabled: false, stepIsolation: false },
      timeouts: { globalMs: 60_000, stepMs: 5_000, shutdownMs: 0 },
      failureStrategy: "fail_fast",
      dependencyResolutionEnabled: true,
      cycleDetectionEnabled: true,
      trackActions: true,
      maxActionsPerWorkflow: 1_000,
      circuitBreakerThreshold: 5,
      circuitBreakerTimeoutSeconds: 60,
      orchestrationTimeoutMs: 60_000,
      performanceThresholdMs: 250,
      maxConcurrentWorkflows: 100,
    },
    "sqlite",
  );
  expect(settings).toEqual({
    runDefaults: {
      retry: { maxAttempts: 3, backoff: "fixed", delay: "200ms", maxDelay: "4000ms", factor: 3 },
      stepTimeout: "5000ms",
      onFailure: "stop",
      concurrency: 7,
      maxActions: 1_000,
    },
    runTimeoutMs: 60_000,
    shutdownMs: 0,
    performanceThresholdMs: 250,
    maxConcurrentWorkflows: 100,
    circuitBreaker: { failureThreshold: 5, openMs: 60_000 },
    lease: undefined,
    provide: [],
  });
  expect(settingsOf({ orchestrationTimeoutMs: 1_000 }, "memory").runTimeoutMs).toBe(1_000);
});

test("the strategies", () => {
  const defaultsOf = (failureStrategy: OrchestratorConfig["failureStrategy"] & string) =>
    settingsOf({ failureStrategy }, "memory").runDefaults;
  expect(defaultsOf("fail_fast")).toEqual({ onFailure: "stop" });
  expect(defaultsOf("compensate")).toEqual({ onFailure: "compensate" });
  expect(defaultsOf("continue_on_error")).toEqual({ onFailure: "compensate", goOn: true });
  expect(defaultsOf("retry")).toEqual({
    onFailure: "compensate",
    retry: { maxAttempts: 4, backoff: "exponential", delay: "1000ms", maxDelay: "30000ms", factor: 2 },
  });
});

test("one error lists every complaint with its path, what was given and what is allowed", () => {
  expect(
    complaints({
      retry: { maxRetries: 11, retryDelayMs: 99, exponentialBackoff: "yes", backoffMultiplier: 6, maxRetryDelayMs: 1.5 },
      parallel: { maxParallelSteps: 0, loadBalancingEnabled: true, stepIsolation: true, batchSize: 10 },
      timeouts: { globalMs: 999, stepMs: 300_001, shutdownMs: -1 },
      failureStrategy: "carry_on",
      dependencyResolutionEnabled: false,
      cycleDetectionEnabled: false,
      trackActions: false,
      maxActionsPerWorkflow: 0,
      domain: { when: new Date(0) },
      circuitBreakerThreshold: 0,
      circuitBreakerTimeoutSeconds: Number.NaN,
      orchestrationTimeoutMs: "1m",
      performanceThresholdMs: 0,
      maxConcurrentWorkflows: 0,
      lease: { ttlSeconds: 0, renewMarginSeconds: -1 },
    }).map((line) => line.slice(0, line.indexOf(":"))),
  ).toEqual([
    "retry.maxRetries is 11",
    "retry.retryDelayMs is 99",
    'retry.exponentialBackoff is "yes"',
    "retry.backoffMultiplier is 6",
    "retry.maxRetryDelayMs is 1.5",
    "parallel.maxParallelSteps is 0",
    "parallel.loadBalancingEnabled is true",
    "parallel.stepIsolation is true",
    "parallel.batchSize is 10",
    "timeouts.globalMs is 999",
    "timeouts.stepMs is 300001",
    "timeouts.shutdownMs is -1",
    'failureStrategy is "carry_on"',
    "dependencyResolutionEnabled is false",
    "cycleDetectionEnabled is false",
    "trackActions is false",
    "maxActionsPerWorkflow is 0",
    'domain is {"when"',
    "circuitBreakerThreshold is 0",
    "circuitBreakerTimeoutSeconds is NaN",
    'orchestrationTimeoutMs is "1m"',
    "performanceThresholdMs is 0",
    "maxConcurrentWorkflows is 0",
    "lease.ttlSeconds is 0",
    "lease.renewMarginSeconds is -1",
  ]);
  expect(() => settingsOf({ retry: { maxRetries: 11 }, parallel: { maxParallelSteps: 0 } }, "memory")).toThrow(
    "the configuration has 2 errors:\n  retry.maxRetries is 11: give a whole number from 0 to 10\n  parallel.maxParallelSteps is 0: give a whole number from 1 to 100",
  );
});

test.each<[unknown, string]>([
  [null, "config is null: give an object"],
  [[], "config is []: give an object"],
  [{ retry: 3 }, "retry is 3: give an object"],
  [{ rety: {} }, 'rety is {}: there is no such field. Did you mean "retry"?'],
  [{ retry: { max_retries: 3 } }, 'retry.max_retries is 3: there is no such field. Did you mean "retry.maxRetries"?'],
  [{ stateConfig: {} }, "stateConfig is {}: there is no such field; state is configured by the option `store`"],
  [{ trackActions: false }, "trackActions is false: only true is possible: every action is a fact of its run"],
  [{ constructor: 1 }, "constructor is 1: there is no such field"],
])("%j", (config, complaint) => {
  expect(complaints(config)).toEqual([complaint]);
});

test("a field that has another home is refused with that home", () => {
  for (const [path, home] of Object.entries(elsewhere)) {
    const config = path.split(".").reduceRight<unknown>((value, key) => ({ [key]: value }), 1);
    expect(complaints(config)).toEqual([`${path} is 1: there is no such field; ${home}`]);
  }
});

test("across fields", () => {
  const one = (config: OrchestratorConfig, storeKind?: string) => complaints(config, storeKind)[0];
  expect(one({ timeouts: { globalMs: 5_000, stepMs: 6_000 } })).toMatch(/^timeouts.globalMs is 5000: .*timeouts.stepMs = 6000/);
  expect(one({ timeouts: { stepMs: 6_000 }, orchestrationTimeoutMs: 5_000 })).toMatch(/^orchestrationTimeoutMs is 5000/);
  expect(one({ timeouts: { globalMs: 5_000 }, orchestrationTimeoutMs: 6_000 })).toMatch(/give one of them/);
  expect(one({ retry: { retryDelayMs: 2_000, maxRetryDelayMs: 1_000 } })).toMatch(/^retry.maxRetryDelayMs is 1000: .*2000/);
  // 1 + 2 + 4 s of waiting do not fit into 7.
  expect(one({ retry: {}, timeouts: { globalMs: 7_000 } })).toMatch(/^timeouts.globalMs is 7000: .*7000 ms together/);
  expect(one({ failureStrategy: "retry", timeouts: { globalMs: 7_000 } })).toMatch(/7000 ms together/);
  expect(one({ retry: {}, timeouts: { globalMs: 7_001 } })).toBeUndefined();
  expect(one({ timeouts: { globalMs: 1_000 } })).toBeUndefined();
  expect(one({ failureStrategy: "retry", retry: { maxRetries: 0 } })).toMatch(/^retry.maxRetries is 0/);
  expect(one({ lease: { ttlSeconds: 60 } })).toMatch(/^lease.renewMarginSeconds is 60: give less than lease.ttlSeconds = 60/);
  for (const kind of ["memory", "sqlite"])
    expect(one({ lease: { ttlSeconds: 300 } }, kind)).toMatch(/owned through a lock .* leave it out/);
  expect(settingsOf({ lease: { ttlSeconds: 100 } }, "another").lease).toEqual({ ttlSeconds: 100, renewMarginSeconds: 60 });
  expect(one({ retry: { retryDelayMs: 60_000 } })).toBeUndefined();
});

test("the longest time of all retries is the sum of the capped waits", () => {
  expect(longestRetriesMs(fullRetry())).toBe(7_000);
  expect(longestRetriesMs(fullRetry({ maxRetries: 10 }))).toBe(1_000 + 2_000 + 4_000 + 8_000 + 16_000 + 5 * 30_000);
  expect(longestRetriesMs(fullRetry({ exponentialBackoff: false }))).toBe(3_000);
  expect(longestRetriesMs(fullRetry({ maxRetries: 0 }))).toBe(0);
});

test("the environments have the templates' numbers", () => {
  expect(preset("production")).toEqual({
    retry: { maxRetries: 5, retryDelayMs: 500, exponentialBackoff: true },
    parallel: { maxParallelSteps: 10 },
    timeouts: { globalMs: 180_000 },
  });
  expect(preset("staging")).toEqual({
    retry: { maxRetries: 3, retryDelayMs: 1_000, exponentialBackoff: true },
    parallel: { maxParallelSteps: 5 },
    timeouts: { globalMs: 300_000 },
    failureStrategy: "continue_on_error",
  });
  expect(preset("development")).toEqual({
    retry: { maxRetries: 1, retryDelayMs: 100, exponentialBackoff: false },
    parallel: { maxParallelSteps: 2 },
    timeouts: { globalMs: 600_000 },
  });
  for (const name of ["production", "staging", "development"] as const) expect(complaints(preset(name))).toEqual([]);
  expect(() => preset("prod" as never)).toThrow(/there is no preset "prod": give production, staging or development\./);
});

test("own values win over those of the environment, one by one", () => {
  const own = preset("production", { retry: { maxRetries: 2 }, timeouts: { stepMs: 1_000 }, failureStrategy: "fail_fast" });
  expect(own).toEqual({
    retry: { maxRetries: 2, retryDelayMs: 500, exponentialBackoff: true },
    parallel: { maxParallelSteps: 10 },
    timeouts: { globalMs: 180_000, stepMs: 1_000 },
    failureStrategy: "fail_fast",
  });
  expect(complaints(preset("production", { orchestrationTimeoutMs: 20_000 }))).toEqual([]);
  expect(preset("production").retry?.maxRetries).toBe(5);
});

test("every field that the interface declares has a rule", () => {
  const source = readFileSync(new URL("config.ts", import.meta.url), "utf8");
  const declared = [...source.matchAll(/^ {2}readonly (\w+)\?:/gm)].map(([, name]) => name as string);
  expect(declared.length).toBeGreaterThan(25);
  const rules = readFileSync(new URL("config-check.ts", import.meta.url), "utf8");
  for (const name of declared) expect(rules, name).toMatch(new RegExp(`(?:\\.|^ {2}"?)${name}(?:"?:|\\.)`, "m"));
});
