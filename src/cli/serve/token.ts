/** The token that callers of `onex serve` must know: from a file or the environment, since `ps` shows arguments to everybody. */
import { readFileSync, statSync } from "node:fs";
import { OnexError } from "../../core/failure.ts";

const shortest = 16;

/**
 * The token, or undefined where there is none. Throws OnexError `FILE_MISSING`; `SERVE_UNSAFE` for one that can be guessed or
 * not be sent.
 */
export function tokenOf(file: string | undefined, env: string | undefined, warn: (message: string) => void): string | undefined {
  if (file === undefined && (env === undefined || env === "")) return undefined;
  const where = file === undefined ? "ONEX_TOKEN" : `--token-file ${file}`;
  const token = file === undefined ? (env ?? "") : readToken(file, warn);
  if (token.length < shortest)
    throw new OnexError(
      "SERVE_UNSAFE",
      `${where}: the token has ${token.length} characters and can be guessed: write at least ${shortest}, such as those of \`openssl rand -hex 32\``,
    );
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new OnexError(
      "SERVE_UNSAFE",
      `${where}: the token holds a space or a character that a header cannot carry: write letters and digits`,
    );
  return token;
}

function readToken(file: string, warn: (message: string) => void): string {
  try {
    const text = readFileSync(file, "utf8").trim();
    if (process.platform !== "win32" && (statSync(file).mode & 0o077) !== 0)
      warn(`other users of this machine may read ${file}: chmod 600 ${file}`);
    return text;
  } catch (error) {
    const { code } = error as { readonly code?: string };
    const why = code === "ENOENT" ? "there is no such file" : code === "EISDIR" ? "it is a folder" : (error as Error).message;
    throw new OnexError("FILE_MISSING", `--token-file ${file}: ${why}`);
  }
}
