import { createServer } from "node:net";
import { startEmoji } from "./emoji.ts";
import type { Program } from "./program.ts";
import { type Env, SettingError } from "./settings.ts";
import { startVoteBot } from "./vote-bot.ts";
import { startVoting } from "./voting.ts";
import { startWeb } from "./web.ts";

export const EMOJI_PROGRAMS = ["web", "emoji", "voting", "vote-bot"] as const;

/**
 * Runs one of the emoji voting application's programs until SIGTERM or SIGINT comes, or it has done its work.
 *
 * @param args the program's name
 * @returns the exit code: 0 after an orderly end, 2 when arguments or settings make no sense
 */
export async function runEmoji(args: readonly string[], env: Env): Promise<number> {
  const [name] = args;
  const { promise: signalled, resolve: onSignal } = Promise.withResolvers<void>();
  process.once("SIGTERM", onSignal);
  process.once("SIGINT", onSignal);
  try {
    const program = await start(name, env);
    if (program === undefined) {
      console.error(`usage: ${EMOJI_PROGRAMS.join(" | ")}`);
      return 2;
    }
    console.log(program.greeting);
    await Promise.race([signalled, program.ended]);
    await program.stop();
    return 0;
  } catch (error) {
    if (!(error instanceof SettingError)) throw error;
    console.error(error.message);
    return 2;
  } finally {
    process.off("SIGTERM", onSignal);
    process.off("SIGINT", onSignal);
  }
}

/** What to listen on for every address there is: of both families, where the machine has both. */
async function anyHost(): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const probe = createServer();
  probe.once("error", () => resolve("0.0.0.0"));
  probe.listen(0, "::", () => probe.close(() => resolve("::")));
  return await promise;
}

async function start(name: string | undefined, env: Env): Promise<Program | undefined> {
  switch (name) {
    case "web":
      return await startWeb(env, await anyHost());
    case "emoji":
      return await startEmoji(env, await anyHost());
    case "voting":
      return await startVoting(env, await anyHost());
    case "vote-bot":
      return startVoteBot(env, console.log);
    default:
      return undefined;
  }
}
