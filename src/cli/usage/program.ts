/** All commands, in the groups and the order in which `onex --help` lists them. */
import { Command } from "commander";
import { checking } from "./checking.ts";
import { control } from "./control.ts";
import type { AddCommand, Done } from "./kit.ts";
import { looking } from "./looking.ts";
import { making } from "./making.ts";
import { running } from "./running.ts";

const groups = [
  ["Make:", making],
  ["Check before it runs:", checking],
  ["Run:", running],
  ["Look at runs:", looking],
  ["Control a run:", control],
] as const;

const epilogue = `
Begin with:  onex new project my-shop
In a project, where a message says onex, type npx onex.

Exit codes: 0 done · 1 the run failed, was cancelled or is unknown; check --strict: warnings · 2 usage · 3 the run paused
            65 a bad contract or module · 70 the store failed · 130, 143 stopped by a signal
Data is written to stdout, everything else to stderr. NO_COLOR turns colours off.`;

/** The program; parsing runs a command, and `done` is told its exit code. What is typed wrong throws CommanderError. */
export function programOf(version: string, done: Done): Command {
  const program = new Command("onex")
    .description("Durable workflows: a crash loses nothing.")
    .version(version, "--version", "print the version")
    .helpOption("-h, --help", "show this help")
    .addHelpCommand(
      new Command("help").argument("[command]").description("show the options of a command, with examples").helpGroup("Help:"),
    )
    .showHelpAfterError("(--help shows what can be typed)")
    .addHelpText("after", epilogue)
    // Behind a command `--version` is the command's own.
    .enablePositionalOptions()
    .exitOverride();
  const command: AddCommand = (usage, summary, examples) =>
    program
      .command(usage)
      .summary(summary)
      .description(summary)
      .option("--verbose", "say more, and show where errors come from")
      .showHelpAfterError("(--help shows what can be typed)")
      .addHelpText("after", `\nExamples:\n${examples.map((example) => `  $ ${example}`).join("\n")}`);
  for (const [heading, add] of groups) {
    program.commandsGroup(heading);
    add(command, done);
  }
  return program;
}
