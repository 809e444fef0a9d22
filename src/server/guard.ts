/**
 * Who may ask: checked before a route is looked for, for every path alike.
 *
 * G1 A page of another site reaches nothing: its name is in `Host` after a rebinding of DNS, its address in `Origin`, and the
 *    browser says `Sec-Fetch-Site`. Any one of them refuses.
 * G2 With a token, everything but the open routes asks for it, also on this machine.
 * G3 How long a comparison takes says nothing about the token.
 */
import { OnexError } from "../core/failure.ts";
import { sha256 } from "../engine/system.ts";

export interface GuardOptions {
  /** What callers must know: `Authorization: Bearer TOKEN`. */
  readonly token?: string;
  /** Names, besides localhost and the bound address, by which callers may know this server. */
  readonly allowHosts: readonly string[];
  /** Origins ("https://shop.example") whose pages may call it. */
  readonly allowOrigins: readonly string[];
  /** The address that is bound. */
  readonly host: string;
}

const here = ["localhost", "127.0.0.1", "[::1]"];
const anyAddress = ["0.0.0.0", "[::]"];

export class Guard {
  readonly #tokenDigest: string | undefined;
  readonly #hosts: ReadonlySet<string>;
  readonly #anyAddress: boolean;
  readonly #origins: ReadonlySet<string>;

  constructor(options: GuardOptions) {
    const bound = bracketed(options.host.toLowerCase());
    this.#tokenDigest = options.token === undefined ? undefined : sha256(options.token);
    this.#hosts = new Set([...here, bound, ...options.allowHosts.map((host) => nameOf(host) ?? host)]);
    // Whoever names an address was not led here by a name.
    this.#anyAddress = anyAddress.includes(bound);
    this.#origins = new Set(options.allowOrigins);
  }

  /** The origin of a page that may read the answer; undefined for callers that are no pages of another origin. Throws OnexError `HOST_REFUSED`, `ORIGIN_REFUSED`. */
  origin(request: Request): string | undefined {
    const { headers } = request;
    const said = new URL(request.url).host;
    const host = headers.get("host") ?? said;
    for (const name of new Set([host, said]))
      if (!this.#isOurs(name))
        throw new OnexError(
          "HOST_REFUSED",
          `this server is not ${JSON.stringify(name.slice(0, 255))}: call it by its address or localhost, or start it with --allow-host NAME`,
        );
    const origin = headers.get("origin");
    if (origin !== null && this.#origins.has(origin)) return origin;
    if (origin !== null && !isSame(origin, host))
      throw new OnexError("ORIGIN_REFUSED", "a page of another origin may not call this server: start it with --allow-origin ORIGIN");
    const site = headers.get("sec-fetch-site");
    if (site !== null && site !== "same-origin" && site !== "none")
      throw new OnexError("ORIGIN_REFUSED", "a page of another site may not call this server: start it with --allow-origin ORIGIN");
    return undefined;
  }

  /** Throws OnexError `TOKEN_REFUSED`. */
  token(request: Request): void {
    if (this.#tokenDigest === undefined) return;
    const [, given] = /^Bearer +(\S+) *$/i.exec(request.headers.get("authorization") ?? "") ?? [];
    if (given === undefined) throw new OnexError("TOKEN_REFUSED", "this server asks for its token: send Authorization: Bearer TOKEN");
    if (!sameText(sha256(given), this.#tokenDigest))
      throw new OnexError("TOKEN_REFUSED", "the token is not that of this server: send the one of its --token-file or ONEX_TOKEN");
  }

  #isOurs(host: string): boolean {
    const name = nameOf(host);
    return name !== undefined && (this.#hosts.has(name) || (this.#anyAddress && isAddress(name)));
  }
}

/** The name in `host:port`, in lower case; the port says nothing about who asks. */
function nameOf(host: string): string | undefined {
  return /^(\[[0-9a-f:.]+\]|[^:[\]]+)(?::\d{1,5})?$/i.exec(host)?.[1]?.toLowerCase();
}
function bracketed(host: string): string {
  return host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
}
function isAddress(name: string): boolean {
  return name.startsWith("[") || /^\d{1,3}(?:\.\d{1,3}){3}$/.test(name);
}

function isSame(origin: string, host: string): boolean {
  try {
    return new URL(origin).host === new URL(`${new URL(origin).protocol}//${host}`).host;
  } catch {
    return false;
  }
}

/** G3: two digests of one length, all of it looked at. */
function sameText(a: string, b: string): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
}

/** Whether an address is that of this machine alone. */
export function isLoopback(host: string): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|\[?::1\]?)$/i.test(host);
}
