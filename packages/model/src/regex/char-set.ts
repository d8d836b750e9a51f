/**
 * Sets of characters: a table for ASCII, which nearly all that is matched consists of, and a test for the rest, for
 * which Unicode's properties are asked from the runtime.
 */

const ASCII_END = 0x80;

export class CharSet {
  static readonly NONE: CharSet = new CharSet(() => false);
  static readonly ANY: CharSet = new CharSet(() => true);
  static readonly ANY_BUT_NEWLINE: CharSet = new CharSet((code) => code !== 10);

  #ascii: Uint8Array;
  #test: (code: number) => boolean;

  constructor(test: (code: number) => boolean) {
    this.#ascii = Uint8Array.from({ length: ASCII_END }, (_, code) => (test(code) ? 1 : 0));
    this.#test = test;
  }

  static range(low: number, high: number): CharSet {
    return new CharSet((code) => code >= low && code <= high);
  }

  has(code: number): boolean {
    return code < ASCII_END ? this.#ascii[code] === 1 : this.#test(code);
  }

  or(other: CharSet): CharSet {
    return new CharSet((code) => this.has(code) || other.has(code));
  }

  and(other: CharSet): CharSet {
    return new CharSet((code) => this.has(code) && other.has(code));
  }

  not(): CharSet {
    return new CharSet((code) => !this.has(code));
  }

  /** With the other case of every letter in it. */
  ignoringCase(): CharSet {
    return new CharSet((code) => {
      if (this.has(code)) return true;
      const char = String.fromCodePoint(code);
      return this.#hasChar(char.toLowerCase()) || this.#hasChar(char.toUpperCase());
    });
  }

  #hasChar(char: string): boolean {
    const code = char.codePointAt(0);
    return code !== undefined && String.fromCodePoint(code) === char && this.has(code);
  }
}

/** The code that a backslash and this character stand for; null when they stand for none. */
export function escapedCode(char: string): number | null {
  const control = CONTROL_ESCAPES.get(char);
  if (control !== undefined) return control;
  // Any punctuation may be escaped.
  return /^[\x20-\x2f\x3a-\x40\x5b-\x60\x7b-\x7e]$/.test(char) ? (char.codePointAt(0) ?? null) : null;
}

const CONTROL_ESCAPES = new Map([
  ["n", 10],
  ["r", 13],
  ["t", 9],
  ["f", 12],
  ["v", 11],
  ["a", 7],
]);

/** \d, \s, \w and their opposites, of Unicode as in Rust; null for other letters. */
export function perlSet(char: string): CharSet | null {
  const set = PERL.get(char.toLowerCase()) ?? null;
  return set !== null && char !== char.toLowerCase() ? set.not() : set;
}

/** What \w matches, and \b takes for a part of a word. */
export const WORD: CharSet = byRegExp(/^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]$/u);

const PERL = new Map([
  ["d", byRegExp(/^\p{Nd}$/u)],
  ["s", byRegExp(/^\p{White_Space}$/u)],
  ["w", WORD],
]);

/** A general category, a script or a property by its name; null when there is none of that name. */
export function propertySet(name: string): CharSet | null {
  if (!/^\w+(=\w+)?$/.test(name)) return null;
  for (const property of [name, `Script=${name}`]) {
    try {
      return byRegExp(new RegExp(`^\\p{${property}}$`, "u"));
    } catch {
      // Not a property of this kind; the next one may know it.
    }
  }
  return null;
}

/** [:name:], which is of ASCII; null when there is none of that name. */
export function posixSet(name: string): CharSet | null {
  const regex = POSIX.get(name);
  return regex === undefined ? null : byRegExp(regex);
}

const POSIX = new Map([
  ["alnum", /^[0-9A-Za-z]$/],
  ["alpha", /^[A-Za-z]$/],
  ["ascii", /^\p{ASCII}$/u],
  ["blank", /^[\t ]$/],
  ["cntrl", /^(?=\p{ASCII})\p{Cc}$/u],
  ["digit", /^[0-9]$/],
  ["graph", /^[\x21-\x7e]$/],
  ["lower", /^[a-z]$/],
  ["print", /^[\x20-\x7e]$/],
  ["punct", /^[\x21-\x2f\x3a-\x40\x5b-\x60\x7b-\x7e]$/],
  ["space", /^[\t\n\v\f\r ]$/],
  ["upper", /^[A-Z]$/],
  ["word", /^[0-9A-Za-z_]$/],
  ["xdigit", /^[0-9A-Fa-f]$/],
]);

/** The characters an expression of the runtime for one character matches. */
function byRegExp(regex: RegExp): CharSet {
  return new CharSet((code) => regex.test(String.fromCodePoint(code)));
}
