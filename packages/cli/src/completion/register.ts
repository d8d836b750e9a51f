import type { Command } from "commander";
import { CommandFailure, type Io } from "../io.ts";
import { candidates } from "./candidates.ts";
import { COMPLETION_SCRIPTS, SHELLS } from "./scripts.ts";

/** `bowline completion SHELL`. */
export function register(program: Command, io: Io): void {
  program
    .command("completion")
    .description("print a script that completes commands and flags: source <(bowline completion bash)")
    .argument("<shell>", SHELLS.join(", "))
    .action((name: string) => {
      const shell = SHELLS.find((known) => known === name);
      if (shell === undefined)
        throw new CommandFailure(`completion ${name}: there are scripts for ${SHELLS.join(", ")}`);
      io.out(COMPLETION_SCRIPTS[shell]);
    });
  program
    .command("__complete", { hidden: true })
    .argument("[words...]")
    .action((words: string[]) => {
      io.out(
        candidates(program, words.length === 0 ? [""] : words)
          .map((word) => `${word}\n`)
          .join(""),
      );
    });
}
