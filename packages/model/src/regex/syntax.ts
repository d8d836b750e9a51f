/**
 * Parses a regular expression as the control plane writes it: the syntax of Rust's regex crate, which profiles and
 * routes are validated with. Flags i, s, U and x; no look-around and no back-references, so that matching is linear.
 *
 *   alternation = concatenation { "|" concatenation }
 *   concatenation = { item [ "*" | "+" | "?" | "{" n [ "," [ m ] ] "}" ] [ "?" ] }
 *   item = "(" [ "?" … ] alternation ")" | "[" class "]" | "." | "^" | "$" | escape | character
 */
import { CharSet, escapedCode, perlSet, posixSet, propertySet } from "./char-set.ts";

/** Copies that counted repetition makes are states of the matcher, so their number is bounded. */
const REPEAT_MAX = 1000;
const NESTING_MAX = 100;

export type Node =
  | { readonly kind: "set"; readonly set: CharSet }
  | { readonly kind: "concat"; readonly nodes: readonly Node[] }
  | { readonly kind: "choice"; readonly nodes: readonly Node[] }
  /** max is infinite where there is none. */
  | { readonly kind: "repeat"; readonly node: Node; readonly min: number; readonly max: number }
  | { readonly kind: "start" }
  | { readonly kind: "end" }
  | { readonly kind: "boundary"; readonly negated: boolean };

/** @throws RegexSyntaxError */
export function parseRegex(source: string): Node {
  const parser = new Parser(source);
  const node = parser.choice();
  parser.expectEnd();
  return node;
}

/** Says in words what is wrong with a pattern, and where. */
export class RegexSyntaxError extends Error {}

interface Flags {
  readonly ignoreCase: boolean;
  readonly dotAll: boolean;
  readonly extended: boolean;
}

class Parser {
  #chars: string[];
  #at: number;
  #flags: Flags;
  #nesting: number;

  constructor(source: string) {
    this.#chars = Array.from(source);
    this.#at = 0;
    this.#flags = { ignoreCase: false, dotAll: false, extended: false };
    this.#nesting = 0;
  }

  choice(): Node {
    const nodes = [this.#concat()];
    while (this.#eat("|")) nodes.push(this.#concat());
    return nodes.length === 1 && nodes[0] !== undefined ? nodes[0] : { kind: "choice", nodes };
  }

  expectEnd(): void {
    if (this.#at < this.#chars.length) this.#fail("unmatched )");
  }

  #concat(): Node {
    const nodes: Node[] = [];
    for (;;) {
      if (this.#flags.extended) this.#skipSpace();
      const char = this.#chars[this.#at];
      if (char === undefined || char === "|" || char === ")") break;
      const item = this.#item();
      if (item !== null) nodes.push(this.#repeated(item));
    }
    return nodes.length === 1 && nodes[0] !== undefined ? nodes[0] : { kind: "concat", nodes };
  }

  #repeated(item: Node): Node {
    let node = item;
    for (;;) {
      if (this.#flags.extended) this.#skipSpace();
      const bounds = this.#bounds();
      if (bounds === null) return node;
      // Lazy or greedy is the same where the whole text must match.
      this.#eat("?");
      node = { kind: "repeat", node, min: bounds[0], max: bounds[1] };
    }
  }

  #bounds(): [number, number] | null {
    if (this.#eat("*")) return [0, Number.POSITIVE_INFINITY];
    if (this.#eat("+")) return [1, Number.POSITIVE_INFINITY];
    if (this.#eat("?")) return [0, 1];
    if (!this.#eat("{")) return null;
    const min = this.#number();
    let max = min;
    if (this.#eat(",")) max = this.#chars[this.#at] === "}" ? Number.POSITIVE_INFINITY : this.#number();
    if (!this.#eat("}")) this.#fail("unclosed counted repetition");
    if (max < min) this.#fail("repetition ends before it begins");
    if (min > REPEAT_MAX || (max !== Number.POSITIVE_INFINITY && max > REPEAT_MAX)) {
      this.#fail(`repetition of more than ${REPEAT_MAX}`);
    }
    return [min, max];
  }

  #number(): number {
    let digits = "";
    for (let char = this.#chars[this.#at]; char !== undefined && char >= "0" && char <= "9"; ) {
      digits += char;
      this.#at += 1;
      char = this.#chars[this.#at];
    }
    if (digits === "") this.#fail("repetition without a number");
    return Number(digits);
  }

  /** null for what only sets flags. */
  #item(): Node | null {
    const char = this.#next();
    switch (char) {
      case "(":
        return this.#group();
      case "[":
        return { kind: "set", set: this.#class() };
      case ".":
        return { kind: "set", set: this.#flags.dotAll ? CharSet.ANY : CharSet.ANY_BUT_NEWLINE };
      case "^":
        return { kind: "start" };
      case "$":
        return { kind: "end" };
      case "*":
      case "+":
      case "?":
      case "{":
        return this.#fail("nothing to repeat");
      case "\\":
        return this.#escape();
      default:
        return { kind: "set", set: this.#range(codeOf(char), null) };
    }
  }

  #group(): Node | null {
    this.#nesting += 1;
    if (this.#nesting > NESTING_MAX) this.#fail("groups nested too deeply");
    const outer = this.#flags;
    if (this.#eat("?")) {
      if (this.#eat("P")) this.#groupName();
      else if (this.#chars[this.#at] === "<" && !"=!".includes(this.#chars[this.#at + 1] ?? "")) this.#groupName();
      else if (this.#groupFlags()) {
        // (?flags) holds to the end of the group around it.
        this.#nesting -= 1;
        return null;
      }
    }
    const node = this.choice();
    // Flags set inside a group end with it.
    this.#flags = outer;
    if (!this.#eat(")")) this.#fail("unclosed group");
    this.#nesting -= 1;
    return node;
  }

  #groupName(): void {
    if (!this.#eat("<")) this.#fail("group without a name");
    while (this.#next() !== ">") {
      // The name matters to nobody: nothing is captured.
    }
  }

  /** @returns whether the group ends here */
  #groupFlags(): boolean {
    let on = true;
    const flags = { ...this.#flags };
    for (;;) {
      const char = this.#next();
      if (char === ")" || char === ":") {
        this.#flags = flags;
        return char === ")";
      }
      if (char === "-") on = false;
      else if (char === "i") flags.ignoreCase = on;
      else if (char === "s") flags.dotAll = on;
      else if (char === "x") flags.extended = on;
      // U swaps greedy and lazy, u is always on as text is text; m can't matter as ^ and $ are not used across lines.
      else if (char !== "U" && !(char === "u" && on)) this.#fail(`group flag ${char} is not supported`);
    }
  }

  #escape(): Node {
    const char = this.#next();
    if (char === "A") return { kind: "start" };
    if (char === "z") return { kind: "end" };
    if (char === "b" || char === "B") return { kind: "boundary", negated: char === "B" };
    return { kind: "set", set: this.#escapedSet(char) };
  }

  #escapedSet(char: string): CharSet {
    const perl = perlSet(char);
    if (perl !== null) return perl;
    if (char === "p" || char === "P") return this.#property(char === "P");
    return this.#range(this.#escapedCode(char), null);
  }

  #escapedCode(char: string): number {
    if (char === "x" || char === "u" || char === "U") return this.#hexCode(char);
    return escapedCode(char) ?? this.#fail(`unknown escape \\${char}`);
  }

  #hexCode(kind: string): number {
    let digits = "";
    if (this.#eat("{")) {
      for (let char = this.#next(); char !== "}"; char = this.#next()) digits += char;
    } else {
      const count = kind === "x" ? 2 : kind === "u" ? 4 : 8;
      while (digits.length < count) digits += this.#next();
    }
    const code = /^[0-9A-Fa-f]{1,8}$/.test(digits) ? Number.parseInt(digits, 16) : Number.POSITIVE_INFINITY;
    return code <= 0x10ffff ? code : this.#fail("not a character's code");
  }

  #property(negated: boolean): CharSet {
    let name = this.#next();
    if (name === "{") {
      name = "";
      for (let char = this.#next(); char !== "}"; char = this.#next()) name += char;
    }
    const set = propertySet(name) ?? this.#fail(`unknown Unicode property ${name}`);
    return negated ? set.not() : set;
  }

  /** Behind the opening bracket. */
  #class(): CharSet {
    this.#nesting += 1;
    if (this.#nesting > NESTING_MAX) this.#fail("classes nested too deeply");
    const negated = this.#eat("^");
    let set = this.#classUnion(true);
    for (;;) {
      if (this.#eat("]")) break;
      const operator = this.#next();
      this.#at += 1;
      const right = this.#classUnion(false);
      if (operator === "&") set = set.and(right);
      else if (operator === "-") set = set.and(right.not());
      else set = set.or(right).and(set.and(right).not());
    }
    this.#nesting -= 1;
    return negated ? set.not() : set;
  }

  /** Up to the closing bracket or an operator: &&, -- or ~~. */
  #classUnion(first: boolean): CharSet {
    let set = CharSet.NONE;
    let leading = first;
    for (;;) {
      const char = this.#chars[this.#at] ?? this.#fail("unclosed character class");
      if (char === "]" && !leading) return set;
      if (!leading && "&-~".includes(char) && this.#chars[this.#at + 1] === char) return set;
      leading = false;
      set = set.or(this.#classItem());
    }
  }

  #classItem(): CharSet {
    const char = this.#next();
    if (char === "[") return this.#eat(":") ? this.#posixClass() : this.#class();
    let low: number;
    if (char === "\\") {
      const escaped = this.#next();
      const perl = perlSet(escaped);
      if (perl !== null) return perl;
      if (escaped === "p" || escaped === "P") return this.#property(escaped === "P");
      low = this.#escapedCode(escaped);
    } else {
      low = codeOf(char);
    }
    const next = this.#chars[this.#at + 1];
    if (this.#chars[this.#at] !== "-" || next === "]" || next === "-" || next === undefined) {
      return this.#range(low, null);
    }
    this.#at += 1;
    const end = this.#next();
    const high = end === "\\" ? this.#escapedCode(this.#next()) : codeOf(end);
    return this.#range(low, high);
  }

  /** Behind `[:`. */
  #posixClass(): CharSet {
    const negated = this.#eat("^");
    let name = "";
    for (let char = this.#next(); char !== ":"; char = this.#next()) name += char;
    if (!this.#eat("]")) this.#fail("unclosed character class");
    const set = posixSet(name) ?? this.#fail(`unknown character class ${name}`);
    return negated ? set.not() : set;
  }

  #range(low: number, high: number | null): CharSet {
    if (high !== null && high < low) this.#fail("character range ends before it begins");
    const set = CharSet.range(low, high ?? low);
    return this.#flags.ignoreCase ? set.ignoringCase() : set;
  }

  #skipSpace(): void {
    for (;;) {
      const char = this.#chars[this.#at];
      if (char === "#") {
        while (this.#at < this.#chars.length && this.#chars[this.#at] !== "\n") this.#at += 1;
      } else if (char === " " || char === "\t" || char === "\n" || char === "\r") {
        this.#at += 1;
      } else {
        return;
      }
    }
  }

  #eat(char: string): boolean {
    if (this.#chars[this.#at] !== char) return false;
    this.#at += 1;
    return true;
  }

  #next(): string {
    const char = this.#chars[this.#at];
    if (char === undefined) return this.#fail("ends too early");
    this.#at += 1;
    return char;
  }

  #fail(what: string): never {
    throw new RegexSyntaxError(`${what} at character ${this.#at}`);
  }
}

function codeOf(char: string): number {
  return char.codePointAt(0) ?? 0;
}
