#!/usr/bin/env node
/** The command line: what can be typed. Each command is loaded when it is asked for; exit codes stand in exit.ts. */
import { readFileSync } from "node:fs";
import { type ExitCode, exit, exitOf } from "./exit.ts";

// Answered before anything else is loaded: scripts and editors ask often.
if (process.argv.length === 3 && process.argv[2] === "--version")
  await new Promise(() => process.stdout.write(`${version()}\n`, () => process.exit()));
const { Argument, Command, CommanderError, Option } = await import("commander");

const epilogue = `
Exit codes: 0 done · 1 the run failed, was cancelled or is unknown; check --strict: warnings · 2 usage · 3 the run paused
            65 a bad contract or module · 70 the store failed · 130, 143 stopped by a signal
Data is written to stdout, everything else to stderr. NO_COLOR turns colours off.`;

const statuses = ["pending", "running", "waiting", "paused", "compensating", "completed", "failed", "cancelled"];

let code: ExitCode = exit.done;

function version(): string {
  return (JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { version: string }).version;
}

const collect = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];
const store = () => new Option("--store <url>", "where runs are kept: sqlite:FILE or memory: (default: $ONEX_STORE, else sqlite:onex.db)");
const nodes = () =>
  new Option("--nodes <module>", "a module whose exports are the nodes and services to use (may be given again)").argParser(collect);
const jsonFlag = (what: string) => new Option("--json", what);

function build() {
  const program = new Command("onex")
    .description("Durable workflows: a crash loses nothing.")
    .version(version(), "--version", "print the version")
    .helpOption("-h, --help", "show this help")
    .showHelpAfterError("(--help shows what can be typed)")
    .addHelpText("after", epilogue)
    // Behind a command `--version` is the command's own.
    .enablePositionalOptions()
    .exitOverride();
  const command = (usage: string, summary: string, examples: readonly string[]) =>
    program
      .command(usage)
      .summary(summary)
      .description(summary)
      .option("--verbose", "say more, and show where errors come from")
      .showHelpAfterError("(--help shows what can be typed)")
      .addHelpText("after", `\nExamples:\n${examples.map((example) => `  $ ${example}`).join("\n")}`);

  command("run", "start a workflow, show it, print its output", [
    "onex run checkout.yaml --nodes nodes.ts --input @order.json",
    `onex run shop.ts#checkout --input '{"amount": 12}' --run-id order-7`,
    "cat order.json | onex run shop.ts --input - --json",
  ])
    .argument("<file>", "a YAML workflow, or a module that exports one; of several FILE#name")
    .addOption(new Option("--input <json>", "the input: JSON, @FILE, or - for standard input (default: {})"))
    .addOption(nodes())
    .addOption(store())
    .addOption(new Option("--run-id <id>", "the id of the run: the same id is the same run"))
    .addOption(new Option("--at <time>", "begin then and not before: an ISO time, such as 2030-01-31T06:00Z"))
    .addOption(new Option("--priority <n>", "1 to 1000, lower goes first (default: 100)"))
    .addOption(jsonFlag("print the run as one JSON object instead of its output"))
    .action(async (file, options) => {
      code = await (await import("./commands/run.ts")).run(file, options);
    });

  command("work", "drive the runs in the store", ["onex work shop.ts", "onex work checkout.yaml --nodes nodes.ts --until-idle"])
    .argument("[files...]", "modules and YAML workflows: the code of the runs to drive")
    .addOption(nodes())
    .addOption(store())
    .addOption(new Option("--until-idle", "end when there is nothing to do now"))
    .action(async (files, options) => {
      code = await (await import("./commands/work.ts")).work(files, options);
    });

  command("dev", "drive the runs of a project while it is written", ["onex dev", "onex dev shop.ts --store sqlite:dev.db"])
    .argument("[files...]", "folders of generated nodes, modules, YAML workflows (default: this folder)")
    .addOption(nodes())
    .addOption(store())
    .action(async (files, options) => {
      code = await (await import("./commands/dev.ts")).dev(files, options);
    });

  command("ls", "list runs, newest first", ["onex ls", "onex ls --status failed --json"])
    .alias("list")
    .addOption(new Option("--status <status>", "only these").choices(statuses))
    .addOption(new Option("--workflow <name>", "only of this workflow"))
    .addOption(new Option("--limit <n>", "at most so many (default: 50)"))
    .addOption(store())
    .addOption(jsonFlag("print one JSON array"))
    .action(async (options) => {
      code = await (await import("./commands/ls.ts")).ls(options);
    });

  command("schedules", "list schedules, and when they tick", ["onex schedules", "onex schedules --json"])
    .addOption(store())
    .addOption(jsonFlag("print one JSON array"))
    .action(async (options) => {
      code = await (await import("./commands/schedules.ts")).schedules(options);
    });

  command("show", "show a run: steps, errors, how it goes on", ["onex show order-7", "onex show order-7 --facts"])
    .argument("<run>", "the id of the run")
    .addOption(new Option("--facts", "list what happened, one fact a line"))
    .addOption(store())
    .addOption(jsonFlag("print the run as one JSON object; with --facts one object a line"))
    .action(async (run, options) => {
      code = await (await import("./commands/show.ts")).show(run, options);
    });

  command("signal", "send a signal to a run", [
    `onex signal order-7 approval '{"by": "bob"}'`,
    "onex signal order-7 approval @answer.json --id mail-31",
  ])
    .argument("<run>", "the id of the run")
    .argument("<name>", "the name of the signal")
    .addArgument(new Argument("[payload]", "its payload: JSON, @FILE, or - for standard input (default: null)"))
    .addOption(new Option("--id <message-id>", "the same id counts once, however often it is sent"))
    .addOption(store())
    .action(async (run, name, payload, options) => {
      code = await (await import("./commands/signal.ts")).signal(run, name, payload, options);
    });

  command("cancel", "ask a run to stop and take back what it did", [`onex cancel order-7 --reason "out of stock"`])
    .argument("<run>", "the id of the run")
    .addOption(new Option("--reason <text>", "kept with the run"))
    .addOption(store())
    .action(async (run, options) => {
      code = await (await import("./commands/cancel.ts")).cancel(run, options);
    });

  command("pause", "begin nothing new in a run until it is resumed", [`onex pause order-7 --reason "the bank is down"`])
    .argument("<run>", "the id of the run")
    .addOption(new Option("--reason <text>", "shown with the run"))
    .addOption(store())
    .action(async (run, options) => {
      code = await (await import("./commands/pause.ts")).pause(run, options);
    });

  command("resume", "go on with a paused run, or settle a step that is in doubt", [
    "onex resume order-7",
    "onex resume order-7 --step charge-card --retry",
    `onex resume order-7 --step charge-card --output '{"receipt": "r-1"}'`,
  ])
    .argument("<run>", "the id of the run")
    .addOption(new Option("--step <step>", "the step to settle"))
    .addOption(new Option("--retry", "send it again"))
    .addOption(new Option("--fail", "count it as failed"))
    .addOption(new Option("--output <json>", "it happened: record this as its output (JSON, @FILE, or -)"))
    .addOption(store())
    .action(async (run, options) => {
      code = await (await import("./commands/resume.ts")).resume(run, options);
    });

  command("fork", "start a run that shares the past of another one, up to a step", [
    "onex fork order-7 --from charge-card",
    `onex fork order-7 --from charge-card --input '{"amount": 10}' --run-id order-7b`,
  ])
    .argument("<run>", "the id of a run that has ended, or is paused")
    .addOption(new Option("--from <step>", "the step that is done anew, and all that follows it (default: everything)"))
    .addOption(new Option("--input <json>", "another input of that step, or of the run: JSON, @FILE, or -"))
    .addOption(new Option("--run-id <id>", "the id of the new run"))
    .addOption(store())
    .action(async (run, options) => {
      code = await (await import("./commands/fork.ts")).fork(run, options);
    });

  command("retry", "try a failed or cancelled run again, from what failed", ["onex retry order-7", "onex retry order-7 --from charge-card"])
    .argument("<run>", "the id of a run that has ended, or is paused")
    .addOption(new Option("--from <step>", "do this step anew, and all that follows it (default: what failed or was taken back)"))
    .addOption(new Option("--run-id <id>", "the id of the new run"))
    .addOption(store())
    .action(async (run, options) => {
      code = await (await import("./commands/retry.ts")).retry(run, options);
    });

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
    .action(async (kind, name, options) => {
      code = await (await import("./commands/new.ts")).make(kind, name, options);
    });

  command("check", "find mistakes in workflows, modules and folders of them before they run", [
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
    .action(async (targets, options) => {
      code = await (await import("./commands/check.ts")).check(targets, options);
    });

  command("schema", "print the JSON Schema of a YAML document, for editors", ["onex schema", "onex schema manifest > manifest.schema.json"])
    .addArgument(new Argument("[what]", "contract, manifest or subcontract; with --write a folder").default("contract"))
    .addOption(new Option("--write", "write the subcontracts of the generated nodes in a folder anew, from their models"))
    .action(async (what, options) => {
      code = await (await import("./commands/schema.ts")).schema(what, options);
    });

  command("diff", "show what changed in meaning between two definitions of a workflow", [
    "onex diff checkout-v1.yaml checkout-v2.yaml --nodes nodes.ts",
    "onex diff old.yaml new.yaml --nodes nodes.ts --store sqlite:onex.db",
  ])
    .argument("<old>", "a YAML workflow or a module; of several workflows FILE#name")
    .argument("<new>", "what it became")
    .addOption(nodes())
    .addOption(new Option("--store <url>", "also judge the runs under way in this store: sqlite:FILE"))
    .addOption(new Option("--exit-code", "exit with 1 when there is a difference"))
    .addOption(jsonFlag("print the changes, and with --store all runs by their fate, as one JSON object"))
    .action(async (from, to, options) => {
      code = await (await import("./commands/diff.ts")).diff(from, to, options);
    });

  command("migrate", "move runs under way to another definition of their workflow, where that is safe", [
    "onex migrate old.yaml new.yaml --nodes nodes.ts --dry-run",
    "onex migrate old.yaml new.yaml --nodes nodes.ts --run order-7 --run order-8",
  ])
    .argument("<old>", "a YAML workflow or a module; of several workflows FILE#name")
    .argument("<new>", "the definition to go on with")
    .addOption(nodes())
    .addOption(new Option("--run <id>", "only this run (may be given again)").argParser(collect))
    .addOption(new Option("--dry-run", "only say what would be moved"))
    .addOption(store())
    .addOption(jsonFlag("print what becomes of each run as one JSON object"))
    .action(async (from, to, options) => {
      code = await (await import("./commands/migrate.ts")).migrate(from, to, options);
    });

  command("plan", "show what a workflow will do: its order, its times, and what is taken back when a step fails", [
    "onex plan checkout.yaml --nodes nodes.ts",
    "onex plan checkout.yaml --json",
  ])
    .argument("<file>", "a YAML workflow, or the folder of a generated node")
    .addOption(nodes())
    .addOption(new Option("--all", "leave nothing out, however long it gets"))
    .addOption(jsonFlag("print the plan as one JSON object"))
    .action(async (file, options) => {
      code = await (await import("./commands/plan.ts")).plan(file, options);
    });

  command("graph", "draw the graph of a workflow, or of a run with how far each step is", [
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
    .action(async (target, options) => {
      code = await (await import("./commands/graph.ts")).graph(target, options);
    });

  command("doctor", "find what is wrong with the installation, the configuration and the store", [
    "onex doctor",
    "onex doctor --store sqlite:shop.db --deep",
  ])
    .addOption(store())
    .addOption(new Option("--deep", "let SQLite check the whole file, indexes too: it takes a while"))
    .addOption(jsonFlag("print what was found as one JSON array"))
    .action(async (options) => {
      code = await (await import("./commands/doctor.ts")).doctor(options);
    });
  return program;
}

/** Ends the process with everything written. */
function end(): void {
  process.stdout.write("", () => process.exit(code));
}

async function fail(error: unknown, uncaught = false): Promise<void> {
  const { complaint, styleOf } = await import("./output.ts");
  const { placeOf } = await import("./load.ts");
  const verbose = process.argv.includes("--verbose");
  process.stderr.write(`${complaint(error, error instanceof Error ? placeOf(error) : undefined, styleOf(process.stderr), verbose)}\n`);
  if (uncaught)
    process.stderr.write("  nothing caught it (a promise without `await`?), so the process ends; what was begun is in the store\n");
  code = exitOf(error);
}

// A reader that has seen enough (`onex ls | head`) is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
});
// Node's own warnings that something it has is new (its SQLite, its TypeScript) are nobody's business here.
process.removeAllListeners("warning");
process.on("warning", (warning) => {
  if (warning.name !== "ExperimentalWarning") process.stderr.write(`warning ${warning.name}: ${warning.message}\n`);
});
process.on("uncaughtException", (error) => {
  void fail(error, true).then(end);
});

try {
  await build().parseAsync();
} catch (error) {
  // Commander has said it already.
  if (error instanceof CommanderError) code = error.exitCode === 0 ? exit.done : exit.usage;
  else await fail(error);
}
end();
