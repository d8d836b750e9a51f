import type { Command } from "commander";
import { CommandFailure, type Io } from "./io.ts";

/** `bowline demo-app web|emoji|voting|vote-bot`: the sample application's programs, for image bowline/demo. */
export function register(program: Command, io: Io): void {
  program
    .command("demo-app", { hidden: true })
    .description("a program of the sample application: web, emoji, voting or vote-bot")
    .argument("<program>")
    .allowExcessArguments()
    .action(async (_name: string, _options: unknown, command: Command) => {
      const { runEmoji } = await import("@bowline/demo/emoji");
      const exitCode = await runEmoji(command.args, io.env);
      if (exitCode !== 0) throw new CommandFailure("", exitCode);
    });
}
