/** A picture for a terminal: a tree, what can begin together side by side, each step with what it waits for. */
import { clean, type Style, statusPaint } from "../output.ts";
import type { Level, Picture, PictureNode, StateName } from "./picture.ts";
import { columns, cutTo } from "./widths.ts";

export const marks: Readonly<Record<StateName, string>> = {
  completed: "✔",
  running: "▶",
  retrying: "↻",
  waiting: "◷",
  paused: "‖",
  failed: "✖",
  aborted: "✖",
  skipped: "↷",
  undone: "↶",
  "not begun": "○",
};

interface Row {
  readonly wave: string;
  /** The branches of the tree before it. */
  readonly tree: string;
  readonly node: PictureNode;
  readonly notes: string;
}

/** @param width columns: what is longer goes on in the next line; Infinity breaks nothing. */
export function textOf(picture: Picture, style: Style, width: number): string {
  const rows: Row[] = [];
  levelRows(picture, "", "", rows);
  const most = Math.min(40, Number.isFinite(width) ? Math.max(16, Math.floor(width / 2)) : 40);
  const nameWidth = Math.min(most, Math.max(0, ...rows.map((row) => columns(nameOf(row)))));
  const waveWidth = Math.max(0, ...rows.map(({ wave }) => wave.length));
  const room = Math.max(10, width - waveWidth - nameWidth - 6);
  const lines = rows.flatMap((row, i) => {
    const state = row.node.state;
    const name = padded(cutTo(nameOf(row), nameWidth, columns), nameWidth);
    const said = [state && clean(`${state.name} ${state.note}`.trim()), row.notes].filter(Boolean).join(" · ");
    const does = clean(row.node.detail);
    const [first = "", ...more] = broken(`${does}${said === "" ? "" : `  ${said}`}`, room);
    const detail = first.slice(0, does.length);
    const paint = (state && statusPaint(style, state.name)) ?? ((text: string) => text);
    const lead = `  ${" ".repeat(waveWidth)}  ${padded(cutTo(stemOf(row, rows[i + 1]), nameWidth, columns), nameWidth)}    `;
    return [
      `  ${style.dim(padded(row.wave, waveWidth))}  ${paint(name)}  ${detail}${style.dim(first.slice(detail.length))}`.trimEnd(),
      ...more.map((line) => `${lead}${style.dim(line)}`),
    ];
  });
  const title = `${style.bold(clean(picture.title))}${picture.subtitle === "" ? "" : `  ${clean(picture.subtitle)}`}`;
  return [title, ...lines].join("\n");
}

function nameOf({ tree, node }: Row): string {
  return `${tree}${node.state ? `${marks[node.state.name]} ` : ""}${clean(node.label)}`;
}

/** The branches of the tree that go on below a row. */
function stemOf({ tree }: Row, next: Row | undefined): string {
  const stem = tree.replaceAll("├─", "│ ").replaceAll("└─", "  ");
  return next !== undefined && next.tree.length > tree.length ? `${stem}${stem === "" ? " " : ""}│` : stem;
}

/** Broken at spaces; lines after the first are indented by two. */
function broken(text: string, room: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/(?<=[^◂] )(?! )/)) {
    if (line !== "" && columns((line + word).trimEnd()) > room - (lines.length > 0 ? 2 : 0)) {
      lines.push(line.trimEnd());
      line = "";
    }
    line += word;
  }
  lines.push(line);
  return lines.map((each, i) => cutTo(each, room - (i > 0 ? 2 : 0), columns));
}

function levelRows(level: Level, wave: string, tree: string, rows: Row[]): void {
  const byId = new Map(level.nodes.map((node) => [node.id, node]));
  const waits = new Map<string, { readonly names: string[]; any: string }>();
  for (const { from, to, kind, label } of level.edges) {
    const wait = waits.get(to) ?? { names: [], any: "" };
    const name = byId.get(from)?.label ?? "";
    wait.names.push(kind === "error" ? `when ${name} fails` : name);
    if (kind === "any") wait.any = `${label}: `;
    waits.set(to, wait);
  }
  const ordered = [...level.nodes].sort((a, b) => a.wave - b.wave);
  const deep = tree !== "" || wave !== "";
  ordered.forEach((node, i) => {
    const last = i === ordered.length - 1;
    const number = node.wave === 0 ? "" : `${wave}${node.wave}`;
    const shown = number !== "" && ordered[i - 1]?.wave === node.wave ? "" : number;
    const wait = waits.get(node.id);
    rows.push({
      wave: shown,
      tree: deep ? `${tree}${last ? "└─ " : "├─ "}` : "",
      node,
      notes: clean([...(wait ? [`◂ ${wait.any}${wait.names.join(", ")}`] : []), ...node.notes].join(" · ")),
    });
    if (node.inner) levelRows(node.inner, number === "" ? wave : `${number}.`, deep ? `${tree}${last ? "   " : "│  "}` : " ", rows);
  });
}

function padded(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - columns(text)));
}
