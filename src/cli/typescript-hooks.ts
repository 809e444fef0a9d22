/** Runs on Node's loader thread: see typescript.ts. */
import { readFile } from "node:fs/promises";
import type { InitializeHook, LoadHook, ResolveHook } from "node:module";
import { fileURLToPath } from "node:url";

let strip = false;

export const initialize: InitializeHook<{ readonly strip: boolean }> = (data) => {
  strip = data.strip;
};

/** `onex` and `onex/…` are the package that this file belongs to. */
export const resolve: ResolveHook = (specifier, context, next) =>
  specifier === "onex" || specifier.startsWith("onex/")
    ? next(specifier, { ...context, parentURL: import.meta.url })
    : next(specifier, context);

export const load: LoadHook = async (url, context, next) => {
  const path = strip && url.startsWith("file:") ? url.replace(/[?#].*$/, "") : "";
  if (!/\.m?ts$/.test(path) || path.includes("/node_modules/")) return next(url, context);
  const file = fileURLToPath(path);
  return { format: "module", source: await stripTypes(await readFile(file, "utf8"), file), shortCircuit: true };
};

/** What swc throws: plain data. Lines count from 1, columns from 0. */
interface SwcError {
  readonly code: string;
  readonly message: string;
  readonly snippet?: string;
  readonly startLine?: number;
  readonly startColumn?: number;
}

/** Replaces types by spaces: every line and column stays where it was. */
export async function stripTypes(source: string, file: string): Promise<string> {
  const { transformSync } = await import("@swc/wasm-typescript");
  try {
    return transformSync(source, { mode: "strip-only", module: true, filename: file, deprecatedTsModuleAsError: true }).code;
  } catch (thrown) {
    throw new SyntaxError(sentence(thrown as SwcError, file));
  }
}

function sentence({ code, message, snippet, startLine = 1, startColumn = 0 }: SwcError, file: string): string {
  const what = code === "UnsupportedSyntax" ? `${message}: only types that can be erased run here; ${instead(message)}` : advised(message);
  const excerpt = snippet === undefined ? "" : `\n${snippet.replace(/^\s*\n/, "").trimEnd()}`;
  return `${file}:${startLine}:${startColumn + 1}: ${what}${excerpt}`;
}

function advised(message: string): string {
  return message.includes("await isn't allowed") ? `${message}; in a workflow write \`yield*\` for it` : message;
}

function instead(message: string): string {
  if (message.includes("enum")) return "write a union of literals, or an object `as const`";
  if (message.includes("parameter property")) return "declare the field and assign it in the constructor";
  if (message.includes("namespace")) return "write a module";
  return "write it as JavaScript with types";
}
