/** What makes a good name: it becomes a folder, a file, an identifier and the name of a node, so little is allowed. */
import { builtinModules } from "node:module";
import { OnexError } from "../../core/failure.ts";
import { camel } from "./values.ts";

/** `node` is the name of a node, which becomes an identifier too. */
export type NameOf = "project" | "domain" | "node";

/** Names stand three times in one path, and Windows takes paths of 260 characters. */
const longest = 40;
const form = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/;
const good = `small letters a-z and digits in words joined by "-", a letter first, at most ${longest} characters, such as "order-item"`;

/** Windows keeps them for devices, with any ending. */
const devices = /^(?:con|prn|aux|nul|com\d|lpt\d)$/;

/** Words that no variable of a module in TypeScript can have, or that would hide what everybody means by them. */
const words = new Set(
  (
    "arguments as async await boolean break case catch class const constructor continue debugger declare default delete do else enum " +
    "eval export extends false finally for from function get if implements import in infer instanceof interface is keyof let module " +
    "namespace never new null number object of package private prototype protected public readonly require return satisfies set " +
    "static string super switch symbol target this throw true try type typeof undefined unique unknown using var void while with yield"
  ).split(" "),
);

/** What generated modules import, and what the command line reads from them. */
const taken = new Set(
  (
    "all attempt compensate compute createNodeHost createOrchestrator duration each effect loadWorkflow memory now onexReducer " +
    "planWorkflow preset race random reducer restart service signal sleep sleepUntil sqlite stream uuid workflow " +
    "client config contract expect index main node nodes process provide registry secrets stub test testOrchestrator workflows z"
  ).split(" "),
);

/** Packages that a project installs: npm refuses one inside another of its name. */
const installed = new Set(["onex", "typescript", "vitest", "zod"]);

/** The name, when it is good. Throws OnexError `NAME_REFUSED`; `where` says where it was typed, such as "--name". */
export function nameOf(what: NameOf, text: string, where: string): string {
  const malformed = wrongForm(text);
  const kept = malformed === undefined ? keptFor(what, text) : undefined;
  if (malformed === undefined && kept === undefined) return text;
  const near = suggestion(what, text);
  const instead = near === undefined ? "" : ` Did you mean "${near}"?`;
  const cure = malformed === undefined ? `Say more, such as "${text}-${what === "project" ? "app" : "order"}"` : `A good name: ${good}`;
  throw new OnexError("NAME_REFUSED", `${where} ${quoted(text)} ${malformed ?? kept}. ${cure}.${instead}`);
}

/** The nearest good name to what was typed, where there is one. */
export function suggestion(what: NameOf, text: string): string | undefined {
  if (text.length > 2 * longest) return undefined;
  const near = text
    .normalize("NFKD")
    .replaceAll(/\p{Mn}/gu, "")
    .trim()
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1-$2")
    .replaceAll(/([A-Z])([A-Z][a-z])/g, "$1-$2")
    .replaceAll(/[ _.-]+/g, "-")
    .replaceAll(/^-|-$/g, "")
    .toLowerCase();
  return near !== text && wrongForm(near) === undefined && keptFor(what, near) === undefined ? near : undefined;
}

function wrongForm(text: string): string | undefined {
  if (text === "") return "is empty";
  if (text.length > longest) return `has ${text.length} characters`;
  if (/^\d/.test(text)) return "begins with a digit";
  const [wrong] = /[^a-z0-9-]/u.exec(text) ?? [];
  if (wrong !== undefined) return /[A-Z]/.test(wrong) ? "has a capital letter in it" : `has ${JSON.stringify(wrong)} in it`;
  return form.test(text) ? undefined : 'has a "-" that joins no words';
}

/** Whose a well-formed name is already. */
function keptFor(what: NameOf, text: string): string | undefined {
  if (devices.test(text)) return "is a device on Windows, where no file can have that name";
  if (what === "project" && builtinModules.includes(text)) return "is a module of Node.js, which npm refuses as the name of a package";
  if (what === "project" && installed.has(text)) return "is a package that every project installs, and npm refuses one inside itself";
  if (what === "node" && words.has(camel(text))) return "is a word of JavaScript or TypeScript, and the node's variable would have it";
  if (what === "node" && taken.has(camel(text))) return "is a name that generated modules use themselves";
  return undefined;
}

/** The version, when it is three numbers. Throws OnexError `NAME_REFUSED`. */
export function versionOf(text: string): string {
  const wanted = /^(?:0|[1-9]\d{0,5})(?:\.(?:0|[1-9]\d{0,5})){2}$/;
  if (wanted.test(text)) return text;
  const near = `${text.replace(/^v/i, "")}.0.0`.split(".").slice(0, 3).join(".");
  const instead = wanted.test(near) ? ` Did you mean "${near}"?` : "";
  throw new OnexError("NAME_REFUSED", `--version ${quoted(text)} is no version. A version is three numbers, such as "1.0.0".${instead}`);
}

/** What was typed, short and on one line. */
function quoted(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
