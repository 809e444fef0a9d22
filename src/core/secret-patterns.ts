/**
 * What has the shape of a secret in a text, whatever its key. Every pattern takes time that is linear in the text: what may
 * repeat is bounded, or is taken as a match once it is long, or can begin at one place only.
 */
import { type NameVerdict, nameVerdict } from "./secret-names.ts";

export const redacted = "[redacted]";

/** Not inside a word; what follows the `\n` of a text within a text is no such thing. */
const edge = String.raw`(?:(?<![A-Za-z0-9])|(?<=\\[nrtbf]))`;

/** Tokens that say by their beginning what they are. */
const tokens = new RegExp(
  `${edge}(?:${[
    // AWS, GitHub, GitLab, Slack, Stripe
    "A(?:KIA|SIA)[0-9A-Z]{16}",
    "gh[pousr]_[0-9A-Za-z]{36,}",
    "github_pat_[0-9A-Za-z_]{22,}",
    "gl(?:pat|ptt|dt|rt|cbt|soat|ffct|agent)-[0-9A-Za-z_-]{20,}",
    "xox[abeoprs]-[0-9A-Za-z-]{10,}",
    "xapp-[0-9A-Za-z-]{20,}",
    "[srp]k_(?:live|test)_[0-9A-Za-z]{16,}",
    "whsec_[0-9A-Za-z+/=]{20,}",
    // Google, npm, PyPI, OpenAI and those like it, Hugging Face
    "AIza[0-9A-Za-z_-]{35}",
    String.raw`ya29\.[0-9A-Za-z_-]{20,}`,
    "GOCSPX-[0-9A-Za-z_-]{20,}",
    "npm_[0-9A-Za-z]{36}",
    "pypi-[0-9A-Za-z_-]{50,}",
    "sk-[0-9A-Za-z_-]{20,}",
    "hf_[0-9A-Za-z]{30,}",
    // SendGrid, DigitalOcean, Shopify, Databricks, Vault, age
    String.raw`SG\.[0-9A-Za-z_-]{16,64}\.[0-9A-Za-z_-]{16,}`,
    "do[opr]_v1_[0-9a-f]{64}",
    "shp(?:at|ca|pa|ss)_[0-9A-Fa-f]{32}",
    "dapi[0-9a-f]{32}",
    String.raw`hv[sb]\.[0-9A-Za-z_-]{20,}`,
    "AGE-SECRET-KEY-1[0-9A-Z]{50,}",
  ].join("|")})`,
  "g",
);
// At most one letter before it: of a long word only one place can be its beginning.
const jwt = /(?<![\w-]{2})eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*/g;
const pemStart = /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----/g;
const scheme = /(?<![A-Za-z])(bearer|basic)(\s{1,4})([\w.~+/=-]{6,})/gi;
const url = /(:\/\/[^\s/:@"'<>]{0,100}:)([^\s/"'<>]{1,200})@/g;
const card =
  /(?:(?<![\w.-])|(?<=\\[nrtbf]))(?:\d{13,19}|\d{4}([ -])\d{4}\1\d{4}\1\d{4}(?:\1\d{3})?|3\d{3}([ -])\d{6}\2\d{5})(?![\w-]|\.\d)/g;
const ssn = /(?:(?<![\w-])|(?<=\\[nrtbf]))(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])/g;
/** The head of `name=value`, of `"name": "value"`, also as text within a text; the name says whether the value is secret. */
const head = /(?<![\w-])([A-Za-z][\w-]{1,40})(?:\\{0,3}["'])?\s{0,2}[:=](\s{0,2})/g;
/** What may follow it: quoted within a text, in double quotes, in single quotes, bare. */
const tail = /(\\{1,3}["'])([^"'\\\n]+)|(")((?:[^"\\\n]|\\.){1,4096})|(')((?:[^'\\\n]|\\.){1,4096})|()([^\s"'\\,;&<>(){}[\]]+)/y;

/** A cheap look that passes over every text in which no pattern can match. */
const hint =
  /AKIA|ASIA|gh[pousr]_|_pat_|gl[a-z]{2,5}-|xox|xapp|[srp]k_(?:live|test)_|whsec_|AIza|ya29|GOCSPX|npm_|pypi-|sk-|hf_|SG\.|_v1_|shp|dapi|hv[sb]\.|AGE-|eyJ|-----B|bearer|basic|:\/\/[^\s/]*@|\d[ -]?\d{4}[ -]?\d{3}|\d{3}-\d\d-\d{4}|[a-z][\\"']{0,4}\s{0,2}[:=]/i;

/** The text with what looks secret in it replaced. */
export function redactPatterns(text: string): string {
  if (text.length < 6 || !hint.test(text)) return text;
  const clean = withoutKeys(text)
    .replace(url, (whole, head: string, given: string) => (given === redacted ? whole : `${head}${redacted}@`))
    .replace(scheme, (whole, name: string, space: string, given: string) =>
      isCredential(name.toLowerCase(), given) ? `${name}${space}${redacted}` : whole,
    )
    .replace(tokens, redacted)
    .replace(jwt, redacted)
    // Before cards: what it leaves behind a point is no part of a number any more.
    .replace(ssn, redacted)
    .replace(card, (found) => (isCard(found.replace(/\D/g, "")) ? redacted : found));
  return withoutPairs(clean);
}

/** The values of pairs whose name is that of a secret. A value is looked at only then, for it may hold pairs itself. */
function withoutPairs(text: string): string {
  let clean = "";
  let from = 0;
  head.lastIndex = 0;
  for (let found = head.exec(text); found; found = head.exec(text)) {
    const verdict = nameVerdict(found[1] as string);
    if (verdict === "nothing") continue;
    tail.lastIndex = head.lastIndex;
    const parts = tail.exec(text);
    if (!parts) continue;
    const quote = parts[1] ?? parts[3] ?? parts[5] ?? "";
    const value = parts[2] ?? parts[4] ?? parts[6] ?? parts[8] ?? "";
    if (!isGiven(value, verdict, quote === "", found[2] !== "")) continue;
    clean += text.slice(from, parts.index) + quote + redacted;
    from = tail.lastIndex;
    head.lastIndex = from;
  }
  return from === 0 ? text : clean + text.slice(from);
}

/** Whether the value of a pair is one, and not a word of a sentence. */
function isGiven(value: string, verdict: NameVerdict, bare: boolean, spaced: boolean): boolean {
  if (value.startsWith("[red") || /^(?:null|true|false|undefined|none)$/i.test(value)) return false;
  if (verdict === "uncounted" && /^\d+\.?$/.test(value)) return false;
  // "password: Invalid input" is a sentence; "password: hunter2" is not.
  if (bare && spaced && /^[A-Za-z.!?]+$/.test(value)) return false;
  // "Authorization: Bearer …" was seen to already.
  return !(verdict === "text" && bare && /^(?:bearer|basic)$/i.test(value));
}

/** Private keys in PEM form, up to their last line, or to the end when that is missing. */
function withoutKeys(text: string): string {
  let clean = "";
  let from = 0;
  for (;;) {
    pemStart.lastIndex = from;
    const start = pemStart.exec(text);
    if (!start) return from === 0 ? text : clean + text.slice(from);
    clean += text.slice(from, start.index) + redacted;
    const end = text.indexOf("-----END", start.index);
    if (end < 0) return clean;
    const close = text.indexOf("-----", end + 8);
    from = close < 0 || close - end > 60 ? end + 8 : close + 5;
  }
}

/** What follows `Bearer` and `Basic` in a header, and not in a sentence. */
function isCredential(kind: string, given: string): boolean {
  if (kind === "bearer") return given.length >= 16 || /\d/.test(given);
  return decodesToPair(given.replace(/[.,;]+$/, ""));
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** Whether base64 text holds a colon with only printable bytes before it, as `user:password` does. */
function decodesToPair(text: string): boolean {
  let bits = 0;
  let held = 0;
  for (const char of text) {
    const value = alphabet.indexOf(char);
    if (value < 0) return false;
    held = ((held << 6) | value) & 0xffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    const byte = (held >> bits) & 0xff;
    if (byte === 58) return true;
    if (byte < 32) return false;
  }
  return false;
}

/** A number of a card network's range, with the right check digit (Luhn). */
function isCard(digits: string): boolean {
  if (!/^(?:4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}|3(?:0[0-5]|[689]\d)\d{11}|35\d{14}|6\d{15,18})$/.test(digits))
    return false;
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    let digit = Number(digits[digits.length - 1 - i]);
    if (i % 2 === 1) digit = digit > 4 ? digit * 2 - 9 : digit * 2;
    sum += digit;
  }
  return sum % 10 === 0;
}
