/** What the placeholders of a template stand for. */

/** Names as they were typed and found good, in kebab-case; the version in three numbers. */
export interface Chosen {
  /** The name of the project: its package, and the folder below `src`. */
  readonly project: string;
  readonly domain: string;
  readonly name: string;
  readonly version: string;
}

export const placeholders = [
  "project",
  "projectSnake",
  "domain",
  "domainSnake",
  "domainPascal",
  "name",
  "nameSnake",
  "nameCamel",
  "namePascal",
  "version",
  "versionFolder",
  "onexVersion",
  "toRoot",
] as const;
export type Values = Readonly<Record<(typeof placeholders)[number], string>>;

/** Every value but `toRoot`, which is each file's own: the way from its folder up to the project's, such as `../../`. */
export function valuesOf({ project, domain, name, version }: Chosen, onexVersion: string): Omit<Values, "toRoot"> {
  return {
    project,
    projectSnake: snake(project),
    domain,
    domainSnake: snake(domain),
    domainPascal: pascal(domain),
    name,
    nameSnake: snake(name),
    nameCamel: camel(name),
    namePascal: pascal(name),
    version,
    versionFolder: `v${version.replaceAll(/[^0-9A-Za-z]/g, "_")}`,
    onexVersion,
  };
}

export function snake(kebab: string): string {
  return kebab.replaceAll("-", "_");
}
function pascal(kebab: string): string {
  return kebab.replaceAll(/(?:^|-)([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}
export function camel(kebab: string): string {
  return kebab.replaceAll(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}
