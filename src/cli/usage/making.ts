/** Commands that make something new. */
import { Option } from "commander";
import { type AddCommand, type Done, jsonFlag } from "./kit.ts";

export function making(command: AddCommand, done: Done): void {
  command("new", "make a project, or a node in one", [
    "onex new project my-shop",
    "onex new orchestrator --domain shop --name order",
    "onex new effect --domain shop --name charge-card --version 1.1.0",
  ])
    .argument("[kind]", "project, orchestrator, compute, effect or reducer")
    .argument("[name]", "its name, in kebab-case, such as charge-card")
    .addOption(new Option("--name <name>", "the same"))
    .addOption(new Option("--domain <name>", "the field of business that a node belongs to, such as shop"))
    .addOption(new Option("--version <version>", "of a node, three numbers (default: 1.0.0)"))
    .addOption(new Option("--dir <folder>", "the folder to stand in (default: the current one)"))
    .addOption(new Option("-y, --yes", "ask nothing: defaults where there are any"))
    .addOption(new Option("--dry-run", "show the files, and write nothing"))
    .addOption(new Option("--force", "overwrite the files of this tree that are there"))
    .addOption(jsonFlag("print the files as one JSON array"))
    .action(async (kind, name, options) => done(await (await import("../commands/new.ts")).make(kind, name, options)));
}
