/** A picture for Graphviz. A group is a cluster; an edge to it goes to its first step and ends at its border. */
import { clean } from "../output.ts";
import { edgesIn, type Level, nodesIn, type Picture, type PictureEdge, type PictureNode } from "./picture.ts";

export function dotOf(picture: Picture): string {
  const lines = [
    "digraph {",
    `  graph [compound=true, label=${quoted([picture.title, picture.subtitle])}, labelloc=t, fontname="sans-serif"]`,
    '  node [shape=box, style="rounded,filled", fillcolor=white, fontname="sans-serif", fontsize=11]',
    '  edge [fontname="sans-serif", fontsize=10]',
  ];
  level(picture, "  ", lines);
  const nodes = new Map([...nodesIn(picture)].map((node) => [node.id, node]));
  for (const edge of edgesIn(picture)) lines.push(`  ${arrow(edge, nodes)}`);
  return `${[...lines, "}"].join("\n")}\n`;
}

function level({ nodes }: Level, indent: string, lines: string[]): void {
  for (const node of nodes) {
    const tip = `tooltip=${quoted([node.tip])}`;
    const fill = node.state ? `, fillcolor="${fills[node.state.name]}"` : "";
    if (node.inner) {
      lines.push(`${indent}subgraph cluster_${node.id} {`, `${indent}  graph [label=${labelOf(node)}, style=rounded, ${tip}]`);
      level(node.inner, `${indent}  `, lines);
      lines.push(`${indent}}`);
    } else lines.push(`${indent}${node.id} [label=${labelOf(node)}, ${tip}${fill}]`);
  }
}

function labelOf(node: PictureNode): string {
  return quoted([node.label, node.detail, ...node.notes, ...(node.state ? [`${node.state.name} ${node.state.note}`.trim()] : [])]);
}

function arrow({ from, to, kind, label }: PictureEdge, nodes: ReadonlyMap<string, PictureNode>): string {
  const style = [
    ...(label === "" ? [] : [`label=${quoted([label])}`]),
    ...(kind === "order" ? ["style=dashed"] : kind === "any" ? ["style=dotted"] : kind === "error" ? ["style=dashed", "color=red"] : []),
    ...(nodes.get(from)?.inner ? [`ltail=cluster_${from}`] : []),
    ...(nodes.get(to)?.inner ? [`lhead=cluster_${to}`] : []),
  ];
  return `${leafOf(from, nodes)} -> ${leafOf(to, nodes)}${style.length > 0 ? ` [${style.join(", ")}]` : ""}`;
}

/** Edges need nodes at their ends: of a group its first. */
function leafOf(id: string, nodes: ReadonlyMap<string, PictureNode>): string {
  let node = nodes.get(id);
  while (node?.inner?.nodes[0]) node = node.inner.nodes[0];
  return node?.id ?? id;
}

/** Lines in double quotes; a backslash means itself. */
function quoted(lines: readonly string[]): string {
  const text = lines.filter((line) => line !== "").map((line) => clean(line).replaceAll("\\", "\\\\").replaceAll('"', '\\"'));
  return `"${text.join("\\n")}"`;
}

const fills = {
  completed: "#d7f5dd",
  running: "#d8ecff",
  retrying: "#fff1c2",
  waiting: "#fff8e0",
  paused: "#fff1c2",
  failed: "#ffe0dd",
  aborted: "#ffe0dd",
  undone: "#f0e6ff",
  skipped: "#f2f2f2",
  "not begun": "#ffffff",
} as const;
