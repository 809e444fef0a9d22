/** A picture as a Mermaid flowchart. Whatever is not plain is written as an entity, so no name can end its label. */
import { clean } from "../output.ts";
import { edgesIn, type Level, nodesIn, type Picture, type PictureEdge, type PictureNode } from "./picture.ts";
import { marks } from "./text.ts";

export function mermaidOf(picture: Picture): string {
  const lines = ["flowchart TD", `  %% ${plain(picture.title)}`];
  level(picture, "  ", lines);
  for (const edge of edgesIn(picture)) lines.push(`  ${arrow(edge)}`);
  const states = new Map<string, string[]>();
  for (const { id, state } of nodesIn(picture)) if (state) states.set(state.name, [...(states.get(state.name) ?? []), id]);
  for (const [name, ids] of states) {
    const style = styles[name];
    if (style === undefined) continue;
    const key = name.replaceAll(" ", "_");
    lines.push(`  classDef ${key} ${style}`, `  class ${ids.join(",")} ${key}`);
  }
  return `${lines.join("\n")}\n`;
}

function level({ nodes }: Level, indent: string, lines: string[]): void {
  for (const node of nodes) {
    if (node.inner) {
      lines.push(`${indent}subgraph ${node.id}["${labelOf(node)}"]`);
      level(node.inner, `${indent}  `, lines);
      lines.push(`${indent}end`);
    } else lines.push(`${indent}${node.id}["${labelOf(node)}"]`);
  }
}

function labelOf(node: PictureNode): string {
  const { state } = node;
  const first = `${state ? `${marks[state.name]} ` : ""}${node.label}`;
  const parts = [first, node.detail, ...node.notes, ...(state ? [`${state.name} ${state.note}`.trim()] : [])];
  return parts.map(escaped).join("<br/>");
}

function arrow({ from, to, kind, label }: PictureEdge): string {
  const line = kind === "data" || kind === "time" ? "-->" : "-.->";
  return `${from} ${line}${label === "" ? "" : `|"${escaped(label)}"|`} ${to}`;
}

/** Text in a quoted label: letters and digits of any script, and what means nothing to Mermaid. */
function escaped(text: string): string {
  const safe = clean(text).replaceAll(/[^\p{L}\p{N} _.,:/+-]/gu, (char) => `#${char.codePointAt(0)};`);
  // What looks like the item of a list is not drawn.
  return safe.replace(/^(\d+)\.(?=\s)/, "$1#46;").replace(/^([-+])(?=\s)/, (sign) => `#${sign.charCodeAt(0)};`);
}
function plain(text: string): string {
  return clean(text).replaceAll(/[^\p{L}\p{N} _.-]/gu, "");
}

const styles: Readonly<Record<string, string>> = {
  completed: "fill:#d7f5dd,stroke:#1a7f37,color:#0b3d1c",
  running: "fill:#d8ecff,stroke:#0969da,color:#05294f",
  retrying: "fill:#fff1c2,stroke:#9a6700,color:#4a3200",
  waiting: "fill:#fff8e0,stroke:#9a6700,color:#4a3200",
  paused: "fill:#fff1c2,stroke:#9a6700,color:#4a3200",
  failed: "fill:#ffe0dd,stroke:#cf222e,color:#5c0a12",
  aborted: "fill:#ffe0dd,stroke:#cf222e,color:#5c0a12",
  undone: "fill:#f0e6ff,stroke:#8250df,color:#2e1460",
  skipped: "fill:#f2f2f2,stroke:#8c959f,color:#57606a,stroke-dasharray:3 3",
  "not begun": "fill:#ffffff,stroke:#8c959f,color:#57606a",
};
