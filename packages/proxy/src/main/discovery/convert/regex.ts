import { InvalidMessage } from "./invalid-message.ts";

/** A regular expression as text, which must compile. */
export function convertRegex(regex: string): string {
  try {
    new RegExp(regex);
  } catch (error) {
    throw new InvalidMessage(error instanceof Error ? error.message : String(error));
  }
  return regex;
}
