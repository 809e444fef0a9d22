/**
 * User modules, whatever Node: TypeScript is stripped of its types where Node does not do it itself (before 22.18),
 * and `import "onex"` finds the copy that this command line runs on, so that there is one engine in a process.
 */
import * as nodeModule from "node:module";

let registered = false;

/** Installs the loader hooks, once. */
export function registerHooks(): void {
  if (registered) return;
  registered = true;
  // The extension is that of this file: .js where it is built, .ts where Node strips types itself.
  const hooks = new URL(`./typescript-hooks${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url);
  nodeModule.register(hooks.href, { data: { strip: !stripsTypes() } });
}

function stripsTypes(): boolean {
  const { typescript } = process.features as { readonly typescript?: unknown };
  return typescript !== undefined && typescript !== false;
}
