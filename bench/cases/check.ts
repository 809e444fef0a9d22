/** What checking takes for a plan of 1,000 steps, each an effect with types: in a row, side by side, and under conditions. */
import { writeFileSync } from "node:fs";
import { effect, loadWorkflow } from "onex";
import { z } from "zod";
import { inFolder } from "../folder.ts";
import { type Figures, timed } from "../stats.ts";

const Row = z.object({ n: z.number(), tag: z.string() });
const load = effect(
  { name: "load", input: Row.extend({ of: z.object({ lines: z.array(z.string()) }) }), output: Row, readonly: true },
  async () => ({ n: 1, tag: "a" }),
);
const nodes = { find: () => load, names: () => ["load"] };

const head = `onex: v1
kind: workflow
name: big
version: 1.0.0
timeout: 1d
input: { type: object, required: [n, tag], properties: { n: { type: number }, tag: { type: string } } }
steps:
`;

function step(i: number, from: string, more = ""): string {
  return `  s${i}:
    effect: load
${more}    with: { n: "\${ ${from}.n + 1 }", tag: "no. \${ ${from}.n }", of: { lines: ["\${ ${from}.tag }", last] } }
`;
}
function plan(steps: number, of: (i: number) => string): string {
  return head + Array.from({ length: steps }, (_, i) => of(i)).join("");
}
const before = (i: number): string => (i === 0 ? "input" : `s${i - 1}`);

const shapes: Readonly<Record<string, (steps: number) => string>> = {
  chain: (steps) => plan(steps, (i) => step(i, before(i))),
  wide: (steps) => plan(steps, (i) => step(i, "input")),
  guarded: (steps) => plan(steps, (i) => step(i, before(i), `    when: ${before(i)}.n < ${i}\n    default: { n: 0, tag: none }\n`)),
  switch: (steps) =>
    `${head}  one:\n    switch:\n${Array.from({ length: steps }, (_, i) => `      - { when: input.n == ${i} && input.tag != 'x', set: ${i} }\n`).join("")}`,
};

export function check(): Promise<Figures> {
  return inFolder(async (database) => {
    const figures: Record<string, number> = {};
    for (const [name, shape] of Object.entries(shapes))
      for (const steps of [500, 1_000]) {
        const file = `${database}-${name}.yaml`;
        writeFileSync(file, shape(steps));
        figures[`${name}${steps === 1_000 ? "" : "Half"}Ms`] = await timed(async () =>
          (await loadWorkflow(file)).contract.plan?.bind(nodes),
        );
      }
    return figures;
  });
}
