import type { Command } from "commander";
import { CommandFailure, type Io } from "./io.ts";

type Program = (args: readonly string[], env: Io["env"]) => Promise<number>;

/** The destination service's program, which reads its flags itself. */
export function register(program: Command, io: Io): void {
  controller(program, io, "destination", "tell proxies where destinations are", async () => {
    const { runDestination } = await import("@bowline/control-plane");
    return runDestination;
  });
}

function controller(program: Command, io: Io, name: string, description: string, load: () => Promise<Program>): void {
  program
    .command(name, { hidden: true })
    .description(description)
    .allowUnknownOption()
    .allowExcessArguments()
    .helpOption(false)
    .action(async (_options: unknown, command: Command) => {
      const run = await load();
      const exitCode = await run(command.args, io.env);
      if (exitCode !== 0) throw new CommandFailure("", exitCode);
    });
}
