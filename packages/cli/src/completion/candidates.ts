import type { Command, Option } from "commander";

/**
 * What could stand where the cursor is.
 *
 * @param program the whole command line
 * @param words what was typed behind the program's name, the last being the one at the cursor, possibly empty
 * @returns words that begin with it, in alphabetical order
 */
export function candidates(program: Command, words: readonly string[]): string[] {
  const current = words.at(-1) ?? "";
  const path = commandPath(program, words.slice(0, -1));
  const command = path.at(-1) ?? program;
  if (expectsValue(path, words.at(-2))) return [];
  const names = current.startsWith("-") ? path.flatMap(optionNames) : subcommandNames(command);
  return [...new Set(names)].filter((name) => name.startsWith(current)).sort();
}

/** The commands that the words lead to, from the program on. Flags and their values are stepped over. */
function commandPath(program: Command, words: readonly string[]): Command[] {
  const path = [program];
  let skip = false;
  for (const word of words) {
    if (skip || word.startsWith("-")) {
      skip = !skip && expectsValue(path, word);
      continue;
    }
    const next = visible(path.at(-1) ?? program).find(
      (command) => command.name() === word || command.aliases().includes(word),
    );
    if (next === undefined) break;
    path.push(next);
  }
  return path;
}

function expectsValue(path: readonly Command[], word: string | undefined): boolean {
  if (word === undefined || !word.startsWith("-") || word.includes("=")) return false;
  return path.some(({ options }) =>
    options.some((option) => (option.short === word || option.long === word) && takesValue(option)),
  );
}

function takesValue(option: Option): boolean {
  return option.required;
}

function optionNames({ options }: Command): string[] {
  return [...options.filter(({ hidden }) => !hidden).flatMap(({ long, short }) => [long, short]), "--help"].filter(
    (name): name is string => typeof name === "string",
  );
}

function subcommandNames(command: Command): string[] {
  return visible(command).map((one) => one.name());
}

/** Those that help shows. */
function visible(command: Command): readonly Command[] {
  return command.createHelp().visibleCommands(command);
}
