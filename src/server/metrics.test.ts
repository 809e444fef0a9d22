import { expect, test } from "vitest";
import { stand } from "../../test/server/kit.ts";
import { Histogram } from "../engine/metrics/histogram.ts";
import { Exposition } from "./exposition.ts";

interface Family {
  readonly type: string;
  readonly help: string;
  readonly samples: { readonly name: string; readonly labels: Record<string, string>; readonly value: number }[];
}

/** Reads the text format strictly, as a scraper does. */
function parsed(text: string): Map<string, Family> {
  const families = new Map<string, Family>();
  const lines = text.split("\n");
  expect(lines.pop()).toBe("");
  let current: [string, Family] | undefined;
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] ?? "";
    const [, helped, help] = /^# HELP (\S+) (.+)$/.exec(line) ?? [];
    if (helped !== undefined) {
      const [, typed, type = ""] = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(lines[++i] ?? "") ?? [];
      expect(typed).toBe(helped);
      expect(families.has(helped)).toBe(false);
      current = [helped, { type, help: help ?? "", samples: [] }];
      families.set(...current);
      continue;
    }
    const [, name = "", labels = "", value] = /^([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\S+)$/.exec(line) ?? [];
    expect(value, line).toBeDefined();
    expect(name.startsWith(current?.[0] ?? "none"), line).toBe(true);
    const pairs = [...labels.matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"/g)].map(([, label = "", text = ""]): [string, string] => [
      label,
      text.replaceAll(/\\(.)/g, (_, char: string) => (char === "n" ? "\n" : char)),
    ]);
    current?.[1].samples.push({ name, labels: Object.fromEntries(pairs), value: Number(value?.replace("+Inf", "Infinity")) });
  }
  return families;
}

test("counters, gauges and histograms of what was done", async () => {
  const { start, get, orchestrator } = stand();
  for (let i = 0; i < 3; i++) await orchestrator.run(await start("quick", { amount: i })).result();
  await orchestrator
    .run(await start("failing", { amount: 1 }))
    .result()
    .catch(() => {});
  const response = await get("/metrics");
  expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  const families = parsed(await response.text());
  const value = (name: string, labels: object = {}) =>
    [...families.values()]
      .flatMap(({ samples }) => samples)
      .find((one) => one.name === name && Object.entries(labels).every(([k, v]) => one.labels[k] === v))?.value;
  expect(value("onex_info", { version: "1.2.3" })).toBe(1);
  expect(value("onex_owner")).toBe(1);
  expect(value("onex_health")).toBe(1);
  expect(value("onex_steps_executed_total")).toBe(4);
  expect(value("onex_runs_active")).toBe(0);
  expect(value("onex_run_duration_seconds_count", { workflow: "quick", outcome: "completed" })).toBe(3);
  expect(value("onex_run_duration_seconds_count", { workflow: "failing", outcome: "failed" })).toBe(1);
  expect(value("onex_call_duration_seconds_count", { node: "act" })).toBe(4);
  expect(value("onex_http_requests_total", { method: "POST", route: "/api/v1/runs", status: "201" })).toBe(4);
  for (const [name, { type, samples }] of families) {
    if (type === "counter") expect(name).toMatch(/_total$/);
    if (type !== "histogram") continue;
    const series = new Map<string, number[]>();
    for (const one of samples.filter((sample) => sample.name.endsWith("_bucket"))) {
      const { le: _le, ...others } = one.labels;
      series.set(JSON.stringify(others), [...(series.get(JSON.stringify(others)) ?? []), one.value]);
    }
    for (const [labels, counts] of series) {
      expect(counts).toEqual([...counts].sort((a, b) => a - b));
      expect(counts.at(-1)).toBe(samples.find((one) => one.name === `${name}_count` && JSON.stringify(one.labels) === labels)?.value);
    }
  }
});

test("values of labels are escaped", () => {
  const out = new Exposition();
  out.gauge("a_gauge", "line\nand \\", [{ labels: { name: 'a"b\\c\nd' }, value: Number.NaN }]);
  expect(out.toString()).toBe('# HELP a_gauge line\\nand \\\\\n# TYPE a_gauge gauge\na_gauge{name="a\\"b\\\\c\\nd"} NaN\n');
  expect(parsed(out.toString().replace("NaN", "1")).get("a_gauge")?.samples[0]?.labels.name).toBe('a"b\\c\nd');
});

test("the buckets of a histogram count what was at most so long", () => {
  const histogram = new Histogram();
  for (const ms of [0, 1, 1.28, 1.29, 5, 100, 1e12]) histogram.add(ms);
  const { buckets, count, sumMs } = histogram.buckets();
  expect([count, sumMs]).toEqual([7, 1e12 + 108.57]);
  expect(buckets.map(({ leMs }) => Math.round(leMs * 100) / 100).slice(0, 4)).toEqual([1.28, 5.12, 20.48, 81.92]);
  expect(buckets.map(({ count }) => count).slice(0, 5)).toEqual([3, 5, 5, 5, 6]);
  expect(buckets.at(-1)?.count).toBe(6);
});

test("made-up methods are one in the counts", async () => {
  const { app, get } = stand();
  for (const method of ["BREW", "WHEN"]) await app.fetch(new Request("http://localhost/x", { method }));
  const text = await (await get("/metrics")).text();
  expect(text).toContain('onex_http_requests_total{method="other",route="none",status="404"} 2');
});
