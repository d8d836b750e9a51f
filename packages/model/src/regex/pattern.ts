/**
 * Regular expressions that match a whole text in time linear in its length, whatever the expression: patterns come
 * from the control plane and texts from anybody, and the runtime's own engine backtracks, exponentially so for
 * `(a+)+`. An automaton's states are built as texts need them and kept, so a known path costs a step per character.
 */
import { WORD } from "./char-set.ts";
import { compileProgram, Op, type Program } from "./program.ts";
import { parseRegex, RegexSyntaxError } from "./syntax.ts";

const ASCII_END = 0x80;
/** Of about 1 KiB each. When there are more, all are forgotten. */
const KEPT_STATES_MAX = 256;

/** Compiles a pattern in the syntax of Rust's regex crate, or says why it can't be. */
export function compilePattern(source: string): { readonly pattern: Pattern } | { readonly fault: string } {
  try {
    return { pattern: new Pattern(source) };
  } catch (error) {
    if (error instanceof RegexSyntaxError)
      return { fault: `invalid regular expression ${JSON.stringify(source)}: ${error.message}` };
    throw error;
  }
}

export class Pattern {
  readonly source: string;
  #program: Program;
  #first: Threads;
  #kept: Map<string, Threads>;
  #seen: Uint8Array;

  /** @throws RegexSyntaxError; `compilePattern` does not */
  constructor(source: string) {
    this.source = source;
    this.#program = compileProgram(parseRegex(source));
    this.#first = new Threads([this.#program.start], true, false);
    this.#kept = new Map();
    this.#seen = new Uint8Array(this.#program.states.length);
  }

  /** Whether the pattern matches all of the text. */
  matches(text: string): boolean {
    let threads = this.#first;
    for (let at = 0; at < text.length; at += 1) {
      const unit = text.charCodeAt(at);
      if (unit < ASCII_END) {
        threads = threads.ascii[unit] ?? this.#learn(threads, unit);
      } else {
        const code = text.codePointAt(at) ?? unit;
        if (code > 0xffff) at += 1;
        threads = this.#step(threads, code);
      }
      if (threads.states.length === 0) return false;
    }
    return this.#accepts(threads);
  }

  #learn(threads: Threads, code: number): Threads {
    const next = this.#step(threads, code);
    threads.ascii[code] = next;
    return next;
  }

  #step(threads: Threads, code: number): Threads {
    const word = this.#program.boundaries && WORD.has(code);
    const next: number[] = [];
    const followed = this.#follow(threads, word, false);
    for (const at of followed) {
      const state = this.#program.states[at];
      if (state?.op === Op.Consume && state.set?.has(code) === true) next.push(state.next);
    }
    return this.#keep(next, word);
  }

  #accepts(threads: Threads): boolean {
    threads.accepts ??= this.#follow(threads, false, true).some((at) => this.#program.states[at]?.op === Op.Match);
    return threads.accepts;
  }

  #keep(states: number[], word: boolean): Threads {
    const unique = [...new Set(states)].sort((a, b) => a - b);
    const key = `${word ? "w" : ""}${unique.join()}`;
    const known = this.#kept.get(key);
    if (known !== undefined) return known;
    if (this.#kept.size >= KEPT_STATES_MAX) {
      this.#kept.clear();
      // It leads to the forgotten ones.
      this.#first = new Threads(this.#first.states, true, false);
    }
    const threads = new Threads(unique, false, word);
    this.#kept.set(key, threads);
    return threads;
  }

  /** The states that are reached from these without consuming anything, between the character before and the next one. */
  #follow(threads: Threads, nextWord: boolean, atEnd: boolean): number[] {
    const boundary = threads.word !== nextWord;
    const reached: number[] = [];
    const open = threads.states.slice();
    this.#seen.fill(0);
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      const state = this.#program.states[at];
      if (state === undefined || this.#seen[at] === 1) continue;
      this.#seen[at] = 1;
      switch (state.op) {
        case Op.Consume:
        case Op.Match:
          reached.push(at);
          break;
        case Op.Split:
          open.push(state.next, state.other);
          break;
        case Op.Start:
          if (threads.first) open.push(state.next);
          break;
        case Op.End:
          if (atEnd) open.push(state.next);
          break;
        case Op.Boundary:
          if (boundary) open.push(state.next);
          break;
        case Op.NoBoundary:
          if (!boundary) open.push(state.next);
          break;
        default:
          unreachable(state.op);
      }
    }
    return reached;
  }
}

/** Where the automaton is after some text: all states a match of it could be in. */
class Threads {
  readonly states: readonly number[];
  /** No character came before. */
  readonly first: boolean;
  /** The character before is part of a word. */
  readonly word: boolean;
  /** Where each ASCII character leads, as far as known. */
  readonly ascii: (Threads | undefined)[];
  accepts: boolean | null;

  constructor(states: readonly number[], first: boolean, word: boolean) {
    this.states = states;
    this.first = first;
    this.word = word;
    this.ascii = [];
    this.accepts = null;
  }
}

function unreachable(op: never): never {
  throw new Error(`not an operation: ${String(op)}`);
}
