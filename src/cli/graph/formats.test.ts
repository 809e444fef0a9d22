/** Pictures in every format: each step once, edges between what is there, and no name that breaks out of its place. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Findings } from "../../plan/finding.ts";
import type { Flow } from "../../plan/flow.ts";
import { openContract } from "../../plan/load.ts";
import { spotsIn, spotsOf } from "../../plan/outlook/spot.ts";
import { parsePlan } from "../../plan/parse.ts";
import { styleOf } from "../output.ts";
import { draw, type Format } from "./formats.ts";
import { flowPicture } from "./from-flow.ts";
import { edgesIn, type Level, nodesIn, type Picture } from "./picture.ts";
import { columns, cutTo, linesOf } from "./widths.ts";

const root = join(import.meta.dirname, "../../..");
const page = { style: styleOf({}, {}), width: Number.POSITIVE_INFINITY };

function flowOf(steps: object): Flow {
  const findings = new Findings("plan");
  const flow = parsePlan(
    { onex: "v1", kind: "workflow", name: "flow", version: "1.0.0", timeout: "1h", signals: { go: true }, steps } as never,
    findings,
  );
  if (!flow) throw new Error(JSON.stringify(findings.all));
  return flow;
}
const drawn = (picture: Picture, format: Format, width = page.width) => draw(picture, format, { ...page, width });

/** Reads XML strictly, as far as our SVG goes; answers the names of its elements. Throws for what is not well formed. */
function xml(text: string): string[] {
  const open: string[] = [];
  const names: string[] = [];
  // biome-ignore lint/suspicious/noControlCharactersInRegex: XML has no place for them
  if (/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Cs}/u.test(text)) throw new Error("a character that XML has no place for");
  const token = /<\/([a-z]+)>|<([a-zA-Z]+)((?: [a-zA-Z-]+(?::[a-z]+)?="[^"<]*")*)(\/?)>|([^<]+)/y;
  while (token.lastIndex < text.length) {
    const at = token.lastIndex;
    const found = token.exec(text);
    if (!found) throw new Error(`not XML at: ${text.slice(at, at + 60)}`);
    const [all, closed, opened, , empty, words] = found;
    if (/&(?!(?:amp|lt|gt|quot|#39);)/.test(all)) throw new Error(`a bare & in ${all}`);
    if (words?.includes("]]>")) throw new Error("]]> in text");
    if (opened !== undefined) {
      names.push(opened);
      if (empty === "") open.push(opened);
    }
    if (closed !== undefined && open.pop() !== closed) throw new Error(`</${closed}> closes nothing`);
  }
  if (open.length > 0) throw new Error(`not closed: ${open.join()}`);
  return names;
}

function levels(level: Level): Level[] {
  return [level, ...level.nodes.flatMap((node) => (node.inner ? levels(node.inner) : []))];
}

/** What holds for every picture and format. */
async function holds(picture: Picture): Promise<void> {
  const nodes = [...nodesIn(picture)];
  expect(new Set(nodes.map(({ id }) => id)).size).toBe(nodes.length);
  for (const level of levels(picture)) {
    const ids = new Set(level.nodes.map(({ id }) => id));
    for (const { from, to } of level.edges) expect([ids.has(from), ids.has(to)]).toEqual([true, true]);
  }
  const svg = await drawn(picture, "svg");
  expect(xml(svg).filter((name) => name === "script")).toEqual([]);
  expect(svg.match(/<g class="(?:step|group)/g) ?? []).toHaveLength(nodes.length);
  expect(svg.match(/<path class="wire [a-z]+" d="M[^"]*" marker-end="[^"]*"\/>/g)?.length ?? 0).toBeGreaterThanOrEqual(
    [...edgesIn(picture)].length,
  );
  expect(svg).not.toMatch(/NaN|undefined|Infinity|href/);

  const mermaid = (await drawn(picture, "mermaid")).trimEnd().split("\n");
  const shapes = mermaid.slice(2).filter((line) => /^\s*(?:subgraph )?n\d+\["[^"[\]{}<>|\\]*(?:<br\/>[^"[\]{}<>|\\]*)*"\]$/.test(line));
  expect(shapes).toHaveLength(nodes.length);
  const arrows = mermaid.filter((line) => /^ {2}n\d+ (?:-->|-\.->)(?:\|"[^"|<>]*"\|)? n\d+$/.test(line));
  expect(arrows).toHaveLength([...edgesIn(picture)].length);
  const rest = mermaid.slice(2).filter((line) => !shapes.includes(line) && !arrows.includes(line));
  for (const line of rest) expect(line).toMatch(/^\s*(?:end|classDef \w+ [\w:#, -]+|class [n\d,]+ \w+)$/);

  const dot = await drawn(picture, "dot");
  // Without its quoted texts nothing but our own words is left.
  const bare = dot.replaceAll(/"(?:[^"\\\n]|\\.)*"/g, '""');
  expect(bare).toMatch(/^[\w\s{}[\]=,>"-]+$/);
  expect(bare.match(/^\s*(?:n\d+ \[label=|subgraph cluster_n\d+ \{)/gm) ?? []).toHaveLength(nodes.length);

  const text = (await drawn(picture, "text")).trimEnd().split("\n");
  expect(text).toHaveLength(nodes.length + 1);
  const narrow = (await drawn(picture, "text", 60)).trimEnd().split("\n");
  for (const line of narrow.slice(1)) expect(columns(line)).toBeLessThanOrEqual(60);
}

const folders = ["test/check/right", "src/plan/fixtures", "test/onex/contracts", "../shared/api/yaml"].map((folder) => join(root, folder));
const files = folders
  .filter((folder) => existsSync(folder))
  .flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)))
  .filter((file) => file.endsWith(".yaml") && !file.endsWith(".schema.yaml"));
if (!existsSync(join(root, "../shared/api/yaml"))) console.warn("../shared/api/yaml is not there: its contracts are not drawn");

describe("a contract", () => {
  test.each(files)("%s is drawn in every format, each step once", async (file) => {
    const { read } = await openContract(file);
    if (!read) throw new Error(`${file} is not right`);
    const picture = flowPicture(read.flow);
    expect([...nodesIn(picture)]).toHaveLength([...spotsIn(spotsOf(read.flow))].length - 1);
    await holds(picture);
  });
});

test("no name, condition or description breaks out of its place", async () => {
  const hostile = [
    '"]; evil',
    "</text><script>alert(1)</script>",
    "a\nb\r\u0000\u001b[2J",
    "]]> & &amp; <!--",
    '\\"] -> x; //',
    "\ud800 \ufffe",
    "1. list",
    "- item",
    "end",
    "`md` **b** | x",
    "#quot;",
    "\u202e olleh",
  ];
  const node = (text: string, i: number) => ({
    id: `n${i}`,
    label: text,
    detail: text,
    notes: [text],
    tip: text,
    wave: 1,
    state: { name: "failed" as const, note: text },
    inner: undefined,
  });
  const nodes = hostile.map(node);
  const edges = nodes.slice(1).map(({ id, label }) => ({ from: "n0", to: id, kind: "any" as const, label }));
  await holds({ title: hostile.join(), subtitle: hostile.join(), nodes, edges });
  const group = { ...node('"]; evil', 100), inner: { nodes: nodes.slice(1), edges: [] } };
  await holds({ title: "t", subtitle: "", nodes: [group], edges: [] });
});

test("a description is text in the picture, whatever it says", async () => {
  const flow = flowOf({ a: { set: 1, description: "</title><script>" }, b: { set: 2, when: `"<b>" == "\\"]"`, needs: ["a"] } });
  await holds(flowPicture(flow));
  expect(await drawn(flowPicture(flow), "svg")).toContain("&lt;/title&gt;&lt;script&gt;");
});

test("a thousand steps are drawn", async () => {
  const steps = Object.fromEntries(
    Array.from({ length: 1000 }, (_, i) => [`s${i}`, { set: i, ...(i < 10 ? {} : { needs: [`s${i - 10}`] }) }]),
  );
  await holds(flowPicture(flowOf(steps)));
});

test("text shows waves, what is waited for, and what stands in blocks", async () => {
  const flow = flowOf({
    stock: { effect: "reserve" },
    price: { compute: "price-cart" },
    answer: { needs: ["price"], race: { yes: { wait: "go" }, no: { sleep: "1d" } }, onError: { set: null } },
    load: {
      needs: ["stock"],
      each: "[1, 2]",
      concurrency: 2,
      do: { steps: { read: { effect: "read-file", timeout: "5s" }, save: { effect: "save-file", needs: ["read"] } } },
    },
    told: { set: true, needs: { any: ["answer", "load"] } },
  });
  expect(await drawn(flowPicture(flow), "text")).toMatchInlineSnapshot(`
    "flow 1.0.0
      1    stock         effect reserve
           price         compute price-cart
      2    answer        race  ◂ price · the first to settle decides
            ├─ yes       wait go
            └─ no        sleep  1d
           answer~error  set  ◂ when answer fails
           load          each of [1, 2]  ◂ stock · 2 at once
            └─ steps     group
      2.1      ├─ read   effect read-file  timeout 5s
      2.2      └─ save   effect save-file  ◂ read
      3    told          set  ◂ 1 of 2: answer, load
    "
  `);
  expect(await drawn(flowPicture(flow), "text", 48)).toMatchInlineSnapshot(`
    "flow 1.0.0
      1    stock         effect reserve
           price         compute price-cart
      2    answer        race  ◂ price · the first
            │              to settle decides
            ├─ yes       wait go
            └─ no        sleep  1d
           answer~error  set  ◂ when answer fails
           load          each of [1, 2]  ◂ stock · 2
            │              at once
            └─ steps     group
      2.1      ├─ read   effect read-file  timeout
               │           5s
      2.2      └─ save   effect save-file  ◂ read
      3    told          set  ◂ 1 of 2: answer, load
    "
  `);
});

test("text is measured as it stands on the screen, and cut with an ellipsis", () => {
  expect([columns("abc"), columns("日本"), columns("e\u0301"), columns("")]).toEqual([3, 4, 1, 0]);
  expect(cutTo("日本語", 5, columns)).toBe("日本…");
  expect(cutTo("abc", 3, columns)).toBe("abc");
  expect(linesOf("one two three four", 9, 2, columns)).toEqual(["one two", "three fo…"]);
});
