import { OnexError } from "../core/failure.ts";

/** What modules say of where nodes live, put together. */
export class Places {
  readonly #said = new Map<string, { readonly url: unknown; readonly from: string }>();

  /** Throws OnexError `OPTION_INVALID` when two modules name two places for one node. */
  take(endpoints: Readonly<Record<string, unknown>>, from: string): void {
    for (const [name, url] of Object.entries(endpoints)) {
      const before = this.#said.get(name);
      if (before && before.url !== url)
        throw new OnexError(
          "OPTION_INVALID",
          `${before.from} and ${from} export different \`endpoints\` for ${name}, and a node lives in one place: take one of them out`,
        );
      if (!before) this.#said.set(name, { url, from });
    }
  }
  /** What is no URL is refused where they are used. */
  get all(): Readonly<Record<string, string>> {
    return Object.fromEntries([...this.#said].map(([name, { url }]) => [name, url as string]));
  }
}
