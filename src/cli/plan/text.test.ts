/** A plan as people read it: in 80 columns, and short however long the workflow is. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { z } from "zod";
import { effect } from "../../node/effect.ts";
import { Registry } from "../../node/registry.ts";
import { Findings } from "../../plan/finding.ts";
import { openContract } from "../../plan/load.ts";
import { outlookOf } from "../../plan/outlook/outlook.ts";
import { parsePlan } from "../../plan/parse.ts";
import { styleOf } from "../output.ts";
import { outlookLines } from "./text.ts";

const style = styleOf({}, {});
const any = z.any();
const back = effect({ name: "back", input: any, idempotent: true, irreversible: "an undo" }, async () => null);
const act = effect({ name: "act", input: any, timeout: "10s", idempotent: true, undo: () => back({}) }, async () => null);
const nodes = new Registry([back, act]);

function outlook(steps: object) {
  const findings = new Findings("plan");
  const flow = parsePlan(
    { onex: "v1", kind: "workflow", name: "flow", version: "1.0.0", timeout: "3600s", signals: { go: true }, steps } as never,
    findings,
  );
  if (!flow) throw new Error(JSON.stringify(findings.all));
  return outlookOf(flow, nodes);
}
const text = (steps: object, width = 80, all = false) => outlookLines(outlook(steps), { style, width, all }).join("\n");
const chain = (length: number) =>
  Object.fromEntries(Array.from({ length }, (_, i) => [`s${i}`, { effect: "act", ...(i > 0 ? { needs: [`s${i - 1}`] } : {}) }]));

test("conditions go on under themselves, and below where there is no room", () => {
  const steps = {
    answer: { race: { approved: { wait: "go" }, expired: { sleep: "1d" } } },
    refuse: { when: "answer != null && answer.winner == 'expired'", fail: { code: "NOT_APPROVED" } },
    charge: { effect: "act", needs: ["refuse"], timeout: "30000ms", retry: false },
  };
  expect(text(steps)).toMatchInlineSnapshot(`
    "flow 1.0.0: 5 steps, at most 16 calls at once, timeout 1h

    ORDER  steps of one number can begin together
      1  answer      race               the first to settle decides
           approved  wait go
           expired   sleep              1d
      2  refuse      fail NOT_APPROVED  after answer · when answer != null &&
                                        answer.winner == 'expired'
      3  charge      effect act         after refuse · timeout 30s

    TIME  at most, as declared; waiting for a slot, computes and undoing are not
          counted
      longest way  1d 30s: longer than the run may take, the run is ended after 1h
        answer  1d   its shortest branch
        charge  30s  one attempt of 30s

    UNDO  what is taken back when a step fails for good, newest first
      refuse fails
        nothing is taken back
      charge fails
        take back   itself if it may have happened"
  `);
  expect(text(steps, 50).split("\n\n")[1]).toMatchInlineSnapshot(`
    "ORDER  steps of one number can begin together
      1  answer      race
             the first to settle decides
           approved  wait go
           expired   sleep
             1d
      2  refuse      fail NOT_APPROVED
             after answer · when answer != null &&
             answer.winner == 'expired'
      3  charge      effect act
             after refuse · timeout 30s"
  `);
});

test("what is taken back by many steps is told in few lines; --all tells it whole", () => {
  const short = text(chain(40));
  expect(short.slice(short.indexOf("TIME"))).toMatchInlineSnapshot(`
    "TIME  at most, as declared; waiting for a slot, computes and undoing are not
          counted
      longest way  22m; the run is ended after 1h
        s0 and 39 more  33s each  3 attempts of 10s, up to 3s between them

    UNDO  what is taken back when a step fails for good, newest first
      s0 fails
        take back   itself if it may have happened
      s1 fails
        take back   itself if it may have happened · s0
      s2 fails
        take back   itself if it may have happened · s1 · s0
      s3 fails
        take back   itself if it may have happened · s2 · s1 · s0
      s4 fails
        take back   itself if it may have happened · s3 · s2 · s1 · s0
      s5 fails
        take back   itself if it may have happened · s4 · s3 · s2 · s1 · s0
      s6 fails
        take back   itself if it may have happened · s5 · s4 · s3 · s2 · s1 · s0
      s7 fails
        take back   itself if it may have happened · s6 · s5 · s4 · s3 · s2 · s1 ·
                    s0
      s8 fails
        take back   itself if it may have happened · s7 · s6 · s5 · s4 · s3 ·
                    2 more · s0
      s9 fails
        take back   itself if it may have happened · s8 · s7 · s6 · s5 · s4 ·
                    3 more · s0
      … and 29 more between these
      s39 fails
        take back   itself if it may have happened · s38 · s37 · s36 · s35 · s34 ·
                    33 more · s0
      --all tells what is left out here"
  `);
  expect(text(chain(300)).split("\n").length).toBeLessThan(360);
  const whole = text(chain(300), 80, true);
  for (let i = 0; i < 300; i++) expect(whole).toContain(`  s${i} fails\n    take back   itself if it may have happened`);
  expect(whole).not.toMatch(/ more|--all/);
});

const root = join(import.meta.dirname, "../../..");
const files = ["test/check/right", "test/onex/contracts", "../shared/api/yaml"]
  .map((folder) => join(root, folder))
  .filter((folder) => existsSync(folder))
  .flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)))
  .filter((file) => file.endsWith(".yaml") && !file.endsWith(".schema.yaml"));

test.each(files)("%s is told in 80 columns", async (file) => {
  const { read } = await openContract(file);
  if (!read) throw new Error(`${file} is not right`);
  for (const line of outlookLines(outlookOf(read.flow), { style, width: 80 })) {
    expect(line.length).toBeLessThanOrEqual(80);
    expect(line).toBe(line.trimEnd());
  }
});
