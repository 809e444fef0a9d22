/** What the groups of commands are made with: how a command is added, and the options that several have. */
import { type Command, Option } from "commander";
import type { ExitCode } from "../exit.ts";

/** Adds a command that can be typed as `usage`, with one line for the list of commands, and examples for its own help. */
export type AddCommand = (usage: string, summary: string, examples: readonly string[]) => Command;
/** Takes the exit code of a command that has ended. */
export type Done = (code: ExitCode) => void;

export const collect = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];
export const store = () =>
  new Option(
    "--store <url>",
    "where runs are kept: sqlite:FILE, postgres://USER@HOST/DATABASE or memory: (default: $ONEX_STORE, else sqlite:onex.db)",
  );
export const listen = () =>
  new Option(
    "--listen <url>",
    "PostgreSQL behind a pooler: the URL of the server itself, for notices and the lease (default: $ONEX_LISTEN)",
  );
export const nodes = () =>
  new Option("--nodes <module>", "a module whose exports are the nodes and services to use (may be given again)").argParser(collect);
export const jsonFlag = (what: string) => new Option("--json", what);
