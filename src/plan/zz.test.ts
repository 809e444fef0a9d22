import { test } from "vitest";
import { z } from "zod";
import { workflow } from "../node/workflow.ts";
import { compute } from "../node/compute.ts";
import { sleep } from "../core/verbs.ts";
import { testOrchestrator } from "../testing/index.ts";
const c = compute({ name: "c", input: z.any() }, () => ({ n: 1 }));
const s = workflow({ name: "s", input: z.any(), timeout: "30d" }, function* () { yield* sleep("90s"); return 1; });
const l = workflow({ name: "l", input: z.any(), timeout: "30d" }, function* () { for (let i = 0; i < 5000; i++) yield* c({ i }); return 1; });
test.each([["s", s, "6h"], ["s2", s, "2m"], ["long", l, "1h"], ["long no advance", l, undefined]] as const)("%s", async (_, w, adv) => {
  const t = testOrchestrator({ nodes: [w] });
  const r = await t.start(w as typeof s, {});
  if (adv) await t.advance(adv);
  const out = await Promise.race([r.result().catch((e) => e.code), new Promise((f) => setTimeout(() => f("HUNG"), 3000))]);
  console.log(_, out, (await r.facts()).length, (await r.status()).status);
}, 10_000);
