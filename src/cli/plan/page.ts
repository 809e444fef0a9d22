/** Text that stays within the columns of a page. */
import type { Style } from "../output.ts";

export interface Page {
  readonly style: Style;
  /** Columns. */
  readonly width: number;
  /** Also what long lists leave out. */
  readonly all?: boolean;
}

/** Parts over as many lines as they need behind a lead; the lines after the first are indented to it. */
export function wrapped(lead: string, parts: readonly string[], { width }: Page, between = " · "): string[] {
  const indent = " ".repeat(visible(lead));
  const pieces = parts.flatMap((part, i) => {
    const piece = i === parts.length - 1 ? part : part + between;
    // One that has no room in a line of its own is broken at its spaces.
    return visible(piece.trimEnd()) > width - indent.length ? piece.split(/(?<= )(?=[^ ·])/) : [piece];
  });
  const lines: string[] = [];
  let line = lead;
  for (const [i, piece] of pieces.entries()) {
    if (i > 0 && visible(line) + visible(piece.trimEnd()) > width) {
      lines.push(line.trimEnd());
      line = indent;
    }
    line += piece;
  }
  return [...lines, line.trimEnd()];
}

function visible(text: string): number {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours take no columns
  return text.replaceAll(/\x1b\[\d+m/g, "").length;
}

export function wordsOf(text: string): string[] {
  return text.split(" ");
}
