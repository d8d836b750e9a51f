import { parseDurationMs } from "@bowline/contracts";
import { BadValue, type Parser } from "./bad-value.ts";

/** Exactly `true` or `false`, as Linkerd has it. */
export function parseBool(text: string): boolean | BadValue {
  if (text === "true") return true;
  if (text === "false") return false;
  return new BadValue("not true or false");
}

/** Milliseconds. */
export function parseDuration(text: string): number | BadValue {
  return parseDurationMs(text) ?? new BadValue("not a duration such as 500ms, 10s, 5m, 2h or 1d");
}

/** Milliseconds, or null for the empty text: how the limits of control streams are switched off. */
export function parseOptionalDuration(text: string): number | null | BadValue {
  return text === "" ? null : parseDuration(text);
}

/** Milliseconds that must be greater than zero: a deadline of 0 would fail everything it guards. */
export function parsePositiveDuration(text: string): number | BadValue {
  const ms = parseDuration(text);
  return ms === 0 ? new BadValue("must be longer than 0") : ms;
}

/** Milliseconds for a socket option, which the kernel takes as a signed 32-bit number. */
export function parseSocketDuration(text: string): number | BadValue {
  const ms = parseDuration(text);
  if (ms instanceof BadValue) return ms;
  return ms > 0x7fff_ffff ? new BadValue("longer than the 24 days a socket option can hold") : ms;
}

/** A parser of whole decimal numbers between min and max, both allowed. */
export function wholeNumber(min: number, max: number): Parser<number> {
  return (text) => {
    if (!/^[0-9]+$/.test(text)) return new BadValue("not a whole number");
    const value = Number(text);
    return value < min || value > max ? new BadValue(`not between ${min} and ${max}`) : value;
  };
}

/** The jitter of a backoff: a finite decimal number from 0 to 100. */
export function parseJitter(text: string): number | BadValue {
  const value = DECIMAL.test(text) ? Number(text) : Number.NaN;
  return value >= 0 && value <= 100 ? value : new BadValue("not a number between 0 and 100");
}

/** A share greater than 0, at most 1. */
export function parseRatio(text: string): number | BadValue {
  const value = DECIMAL.test(text) ? Number(text) : Number.NaN;
  return value > 0 && value <= 1 ? value : new BadValue("not a number above 0, at most 1");
}

/** A parser that takes one of the given words, exactly. */
export function oneOf<T extends string>(words: readonly T[]): Parser<T> {
  return (text) => words.find((word) => word === text) ?? new BadValue(`not one of ${words.join(", ")}`);
}

export function parseNonEmpty(text: string): string | BadValue {
  return text === "" ? new BadValue("must not be empty") : text;
}

export function parseAnyText(text: string): string {
  return text;
}

const DECIMAL = /^[0-9]+(\.[0-9]+)?$/;
