/** What a value parser returns instead of a value; the reason completes `NAME="value" is not valid: …`. */
export class BadValue {
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

/** Turns the text of one variable into a value. Pure: no environment, no clock, no files. */
export type Parser<T> = (text: string) => T | BadValue;
