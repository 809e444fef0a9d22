/**
 * Text as PostgreSQL can keep it. It refuses NUL and takes UTF-8 alone, while an id or a reducer's key may be any string:
 * such a one is kept as JSON behind a mark that no other text begins with. Facts and other payloads are JSON already.
 */
const mark = "\u0001";

export function encodeText(text: string): string {
  return text.includes("\0") || text.startsWith(mark) || /\p{Surrogate}/u.test(text) ? mark + JSON.stringify(text) : text;
}

export function decodeText(text: string): string {
  return text.startsWith(mark) ? (JSON.parse(text.slice(mark.length)) as string) : text;
}
