import { runEmoji } from "./index.ts";

// The image's entry point: `bun run main.ts web|emoji|voting|vote-bot`.
process.exitCode = await runEmoji(process.argv.slice(2), process.env);
