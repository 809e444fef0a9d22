/** Commands that look at a workflow before it runs. */
import { Argument, Option } from "commander";
import { type AddCommand, type Done, jsonFlag, nodes, store } from "./kit.ts";

export function checking(command: AddCommand, done: Done): void {
  command("check", "find mistakes in workflows, modules and projects, and say how to mend them", [
    "onex check checkout.yaml --nodes nodes.ts",
    "onex check src shop.ts --strict",
    "onex check . --format github",
    "onex check --explain STEP_CYCLE",
  ])
    .argument("[targets...]", "YAML workflows, modules, and folders: of generated nodes, else of YAML workflows")
    .addOption(nodes())
    .addOption(new Option("--format <format>", "how findings are printed (default: text)").choices(["text", "json", "github"]))
    .addOption(jsonFlag("the same as --format json: the findings as one JSON array"))
    .addOption(new Option("--strict", "end with exit code 1 when there are warnings and no errors"))
    .addOption(new Option("--explain <code>", "print what a code means, and what is right"))
    .action(async (targets, options) => done(await (await import("../commands/check.ts")).check(targets, options)));

  command("plan", "show what a workflow will do: order, times, and what a failure takes back", [
    "onex plan checkout.yaml --nodes nodes.ts",
    "onex plan checkout.yaml --json",
  ])
    .argument("<file>", "a YAML workflow, or the folder of a generated node")
    .addOption(nodes())
    .addOption(new Option("--all", "leave nothing out, however long it gets"))
    .addOption(jsonFlag("print the plan as one JSON object"))
    .action(async (file, options) => done(await (await import("../commands/plan.ts")).plan(file, options)));

  command("graph", "draw the graph of a workflow, or of a run and how far it is", [
    "onex graph checkout.yaml",
    "onex graph checkout.yaml --output checkout.svg",
    "onex graph order-7 --format mermaid",
  ])
    .argument("<file|run>", "a YAML workflow, the folder of a generated node, or the id of a run")
    .addOption(
      new Option("--format <format>", "how it is drawn (default: by the ending of --output, else text)").choices([
        "text",
        "svg",
        "mermaid",
        "dot",
      ]),
    )
    .addOption(new Option("--output <file>", "write it there instead of to stdout"))
    .addOption(new Option("--run", "it is a run, also when there is a file of that name"))
    .addOption(nodes())
    .addOption(store())
    .action(async (target, options) => done(await (await import("../commands/graph.ts")).graph(target, options)));

  command("schema", "print the JSON Schema of a YAML document, for editors", ["onex schema", "onex schema manifest > manifest.schema.json"])
    .addArgument(new Argument("[what]", "contract, manifest or subcontract; with --write a folder").default("contract"))
    .addOption(new Option("--write", "write the subcontracts of the generated nodes in a folder anew, from their models"))
    .action(async (what, options) => done(await (await import("../commands/schema.ts")).schema(what, options)));

  command("diff", "show what changed in meaning between two versions of a workflow", [
    "onex diff checkout-v1.yaml checkout-v2.yaml --nodes nodes.ts",
    "onex diff old.yaml new.yaml --nodes nodes.ts --store sqlite:onex.db",
  ])
    .argument("<old>", "a YAML workflow or a module; of several workflows FILE#name")
    .argument("<new>", "what it became")
    .addOption(nodes())
    .addOption(new Option("--store <url>", "also judge the runs under way in this store: sqlite:FILE or postgres://USER@HOST/DATABASE"))
    .addOption(new Option("--exit-code", "exit with 1 when there is a difference"))
    .addOption(jsonFlag("print the changes, and with --store all runs by their fate, as one JSON object"))
    .action(async (from, to, options) => done(await (await import("../commands/diff.ts")).diff(from, to, options)));
}
