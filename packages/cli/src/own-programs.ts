import { join } from "node:path";

/** True in the executable that scripts/build.ts makes: its modules live in a file system of its own. */
const COMPILED = import.meta.dir.startsWith("/$bunfs");

/** How the programs of this project are started by others: the executable itself, or the runtime with the sources. */
export function ownPrograms(): { readonly bowline: readonly string[]; readonly demo: readonly string[] } {
  const bowline = COMPILED ? [process.execPath] : [process.execPath, join(import.meta.dir, "main.ts")];
  return { bowline, demo: [...bowline, "demo-app"] };
}
