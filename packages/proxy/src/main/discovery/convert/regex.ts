import { compilePattern } from "@bowline/model";
import { InvalidMessage } from "./invalid-message.ts";

/** A regular expression as text, which must be one that the model can match by. */
export function convertRegex(regex: string): string {
  const compiled = compilePattern(regex);
  if ("fault" in compiled) throw new InvalidMessage(compiled.fault);
  return regex;
}
