/** How wide text is: in columns of a terminal, and in pixels of a sans-serif font, near enough to draw boxes around it. */

const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;
const none = /[\p{Mn}\p{Me}\p{Cf}]/u;

/** Columns that a text takes on a terminal. */
export function columns(text: string): number {
  let sum = 0;
  for (const char of text) sum += none.test(char) ? 0 : wide.test(char) ? 2 : 1;
  return sum;
}

/** Pixels that a text takes at most in common sans-serif fonts of this size. */
export function pixels(text: string, size: number): number {
  let sum = 0;
  for (const char of text) sum += none.test(char) ? 0 : em(char);
  return sum * size;
}
function em(char: string): number {
  if ("ijl|!.,:;'`".includes(char)) return 0.32;
  if ('ftrI()[]{}/\\- "'.includes(char)) return 0.42;
  if ("mwMW@%—…".includes(char)) return 0.96;
  if (wide.test(char)) return 1.05;
  if (/[A-Z]/.test(char)) return 0.72;
  return /[a-z0-9_]/.test(char) ? 0.6 : 0.8;
}

/** Cut so that it takes at most `most`, by `measure`; an ellipsis says so. */
export function cutTo(text: string, most: number, measure: (text: string) => number): string {
  if (measure(text) <= most) return text;
  let kept = "";
  for (const char of text) {
    if (measure(`${kept}${char}…`) > most) break;
    kept += char;
  }
  return `${kept}…`;
}

/** Broken at spaces into lines of at most `most`; of more than `lines`, the last one is cut. */
export function linesOf(text: string, most: number, lines: number, measure: (text: string) => number): string[] {
  const out: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line === "" || measure(longer) <= most) line = longer;
    else {
      out.push(line);
      line = word;
    }
  }
  out.push(line);
  const shown = out.length <= lines ? out : [...out.slice(0, lines - 1), out.slice(lines - 1).join(" ")];
  return shown.map((each) => cutTo(each, most, measure));
}
