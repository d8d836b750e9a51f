import { type Command, CommanderError } from "commander";
import type { Parsed } from "./flag-values.ts";

/** Arguments that lead to no run: help was asked for, or something is wrong with them. */
export type FlagsEnd =
  | { readonly kind: "help"; readonly text: string }
  | { readonly kind: "errors"; readonly errors: readonly string[] };

/** Splits arguments into flags. Returns null when that worked and the command's options can be read. */
export function runCommander(command: Command, args: readonly string[]): FlagsEnd | null {
  let help = "";
  command.exitOverride().configureOutput({ writeOut: (text) => (help += text), writeErr: () => undefined });
  try {
    command.parse(args, { from: "user" });
    return null;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.code === "commander.helpDisplayed") return { kind: "help", text: help };
    return { kind: "errors", errors: [error.message.replace(/^error: /, "")] };
  }
}

/** Turns texts into values and collects what is wrong with them, so that one run reports every mistake. */
export class FlagReader {
  readonly errors: string[] = [];

  read<T>(flag: string, text: string, parse: (text: string) => Parsed<T>, fallback: T): T {
    const parsed = parse(text);
    if ("value" in parsed) return parsed.value;
    this.errors.push(`${flag} ${JSON.stringify(text)} is not valid: ${parsed.reason}`);
    return fallback;
  }

  required<T>(flag: string, text: string | undefined, parse: (text: string) => Parsed<T>, fallback: T): T {
    if (text !== undefined) return this.read(flag, text, parse, fallback);
    const parsed = parse("");
    this.errors.push(`${flag} is not set: ${"reason" in parsed ? parsed.reason : "it is needed"}`);
    return fallback;
  }

  /** Comma-separated and repeatable; empty items are passed over, repeated ones count once. */
  list<T>(flag: string, texts: readonly string[], parse: (text: string) => Parsed<T | null>): T[] {
    const unique = new Map<string, T>();
    for (const item of texts.flatMap((text) => text.split(",")).filter((text) => text.trim() !== "")) {
      const value = this.read(flag, item, parse, null);
      if (value !== null) unique.set(JSON.stringify(value), value);
    }
    return [...unique.values()];
  }
}
