/** As RE2: counted repetitions are written out, and what that makes has a bound. */
const REPEATS_MAX = 1000;
const STEPS_MAX = 5000;
const DEPTH_MAX = 200;

/** One step of a compiled pattern. Numbers are the steps that come next. */
type Step =
  | { readonly kind: "char"; readonly holds: (char: string) => boolean }
  | { readonly kind: "place"; readonly holds: (chars: readonly string[], at: number) => boolean }
  | { readonly kind: "either"; next: number; other: number }
  | { readonly kind: "jump"; next: number }
  | { readonly kind: "match" };

/** The syntax tree, as far as matching without captures needs it. */
type Node =
  | { readonly kind: "step"; readonly step: Extract<Step, { kind: "char" | "place" }> }
  | { readonly kind: "sequence" | "choice"; readonly parts: readonly Node[] }
  | { readonly kind: "repeat"; readonly part: Node; readonly min: number; readonly max: number };

/**
 * A regular expression in the syntax of RE2 (Go's, which Kubernetes uses), matched in time linear in the text. The schemas of others hold
 * patterns, and JavaScript's own matching takes exponential time for some of them: `^(a+)+$` on thirty letters would stop the cluster.
 * https://swtch.com/~rsc/regexp/regexp2.html
 */
export class Pattern {
  readonly #steps: Step[] = [{ kind: "match" }];
  readonly #start: number;

  /** @throws SyntaxError for what RE2 does not know (look-around, back-references), and what would be too large */
  constructor(source: string) {
    this.#start = this.#compile(new Parser(source).parse(), 0);
  }

  /** Whether the pattern is found anywhere in the text. */
  test(text: string): boolean {
    const chars = Array.from(text);
    let now = new Set<number>();
    for (let at = 0; at <= chars.length; at++) {
      // A match may begin anywhere.
      now.add(this.#start);
      if (this.#follow(now, chars, at)) return true;
      const char = chars[at];
      const next = new Set<number>();
      if (char !== undefined) {
        for (const index of now) {
          const step = this.#steps[index];
          // What comes after a character was compiled right before it.
          if (step?.kind === "char" && step.holds(char)) next.add(index - 1);
        }
      }
      now = next;
    }
    return false;
  }

  /** Adds to the set what its steps lead to without taking a character. True: the end is among it. */
  #follow(now: Set<number>, chars: readonly string[], at: number): boolean {
    // A set that grows while it is walked through gives what was added, too.
    for (const index of now) {
      const step = this.#steps[index];
      switch (step?.kind) {
        case "match":
          return true;
        case "jump":
          now.add(step.next);
          break;
        case "either":
          now.add(step.next).add(step.other);
          break;
        case "place":
          if (step.holds(chars, at)) now.add(index - 1);
          break;
        default:
      }
    }
    return false;
  }

  /** Compiles backwards: a node whose end leads to step `next`. Returns where it begins. */
  #compile(node: Node, next: number): number {
    switch (node.kind) {
      case "step":
        if (next !== this.#steps.length - 1) this.#push({ kind: "jump", next });
        return this.#push(node.step);
      case "sequence":
        return node.parts.reduceRight((after, part) => this.#compile(part, after), next);
      case "choice":
        return node.parts
          .map((part) => this.#compile(part, next))
          .reduce((next, other) => this.#push({ kind: "either", next, other }));
      case "repeat":
        return this.#compileRepeat(node, next);
    }
  }

  #compileRepeat({ part, min, max }: Extract<Node, { kind: "repeat" }>, next: number): number {
    let start = next;
    if (max === Number.POSITIVE_INFINITY) {
      const loop: Extract<Step, { kind: "either" }> = { kind: "either", next, other: next };
      start = this.#push(loop);
      loop.other = this.#compile(part, start);
    } else {
      for (let i = min; i < max; i++) start = this.#push({ kind: "either", next, other: this.#compile(part, start) });
    }
    for (let i = 0; i < min; i++) start = this.#compile(part, start);
    return start;
  }

  #push(step: Step): number {
    if (this.#steps.length >= STEPS_MAX) throw new SyntaxError("the expression is too large");
    return this.#steps.push(step) - 1;
  }
}

class Parser {
  readonly #source: string;
  #at = 0;
  #depth = 0;
  /** "i", "m" and "s", as far as they are on. */
  #flags = new Set<string>();

  constructor(source: string) {
    this.#source = source;
  }

  parse(): Node {
    const node = this.#choice();
    if (this.#at < this.#source.length) throw new SyntaxError("unexpected )");
    return node;
  }

  #choice(): Node {
    const parts = [this.#sequence()];
    while (this.#take("|")) parts.push(this.#sequence());
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : { kind: "choice", parts };
  }

  #sequence(): Node {
    const parts: Node[] = [];
    while (this.#at < this.#source.length && !this.#sees("|") && !this.#sees(")")) parts.push(this.#repeated());
    return { kind: "sequence", parts };
  }

  #repeated(): Node {
    const part = this.#atom();
    const [whole, op = "", low, comma, high] = this.#match(/([*+?]|\{(\d+)(,(\d*))?\})\??/y) ?? [];
    if (whole === undefined) return part;
    // "x**" is an error in RE2, too.
    if (this.#match(/[*+?]|\{\d+(,\d*)?\}/y) !== undefined) throw new SyntaxError("invalid nested repetition operator");
    const min = low === undefined ? (op === "+" ? 1 : 0) : Number(low);
    const upper = high === undefined || high === "" ? Number.POSITIVE_INFINITY : Number(high);
    const max = low === undefined ? (op === "?" ? 1 : Number.POSITIVE_INFINITY) : comma === undefined ? min : upper;
    if (min > REPEATS_MAX || (max !== Number.POSITIVE_INFINITY && max > REPEATS_MAX) || max < min) {
      throw new SyntaxError(`invalid repeat count ${whole}`);
    }
    return { kind: "repeat", part, min, max };
  }

  #atom(): Node {
    if (this.#take("(")) return this.#group();
    if (this.#take("^")) return place(this.#flags.has("m") ? atLineStart : atStart);
    if (this.#take("$")) return place(this.#flags.has("m") ? atLineEnd : atEnd);
    if (this.#take("\\A")) return place(atStart);
    if (this.#take("\\z")) return place(atEnd);
    if (this.#take("\\b")) return place(atWordEdge);
    if (this.#take("\\B")) return place((chars, at) => !atWordEdge(chars, at));
    if (this.#take(".")) return char(this.#flags.has("s") ? () => true : (each) => each !== "\n");
    const quoted = this.#match(/\\Q([\s\S]*?)(?:\\E|$)/uy);
    if (quoted !== undefined) {
      return { kind: "sequence", parts: Array.from(quoted[1] ?? "", (each) => this.#class(escaped(each))) };
    }
    const set = this.#match(/\[\^?\]?(?:\[:\^?[a-z]+:\]|\\[\s\S]|[^\]\\])*\]/uy)?.[0];
    if (set !== undefined) return this.#class(setInJavaScript(set));
    const escaping = this.#match(/\\(?:x\{[0-9a-fA-F]+\}|x[0-9a-fA-F]{2}|[pP](?:\{\^?\w+\}|\w)|[\s\S])/uy)?.[0];
    if (escaping !== undefined) return this.#class(escapeInJavaScript(escaping));
    const [literal = ""] = this.#match(/[^*+?[\\]/uy) ?? [];
    if (literal === "")
      throw new SyntaxError(`cannot read the expression at ${this.#source.slice(this.#at, this.#at + 10)}`);
    return this.#class(escaped(literal));
  }

  #group(): Node {
    const flags = this.#match(/\?([imsU]*)(?:-([imsU]+))?(?=[:)])/y);
    if (flags === undefined && this.#match(/\?P?<[A-Za-z_]\w*>/y) === undefined && this.#sees("?")) {
      throw new SyntaxError("invalid or unsupported Perl syntax: (?");
    }
    const outside = new Set(this.#flags);
    for (const flag of flags?.[1] ?? "") this.#flags.add(flag);
    for (const flag of flags?.[2] ?? "") this.#flags.delete(flag);
    // "(?i)" holds for the rest of the group around it.
    if (flags !== undefined && this.#take(")")) return { kind: "sequence", parts: [] };
    this.#take(":");
    if (++this.#depth > DEPTH_MAX) throw new SyntaxError("the expression nests too deeply");
    const node = this.#choice();
    this.#depth--;
    if (!this.#take(")")) throw new SyntaxError("missing closing )");
    this.#flags = outside;
    return node;
  }

  /** One character: whether it is of the class is what JavaScript is asked, which takes it no time. */
  #class(source: string): Node {
    const single = new RegExp(`^${source}$`, this.#flags.has("i") ? "iu" : "u");
    return char((each) => single.test(each));
  }

  #sees(text: string): boolean {
    return this.#source.startsWith(text, this.#at);
  }

  #take(text: string): boolean {
    const sees = this.#sees(text);
    if (sees) this.#at += text.length;
    return sees;
  }

  #match(expression: RegExp): RegExpExecArray | undefined {
    expression.lastIndex = this.#at;
    const found = expression.exec(this.#source) ?? undefined;
    this.#at += found?.[0].length ?? 0;
    return found;
  }
}

function char(holds: (char: string) => boolean): Node {
  return { kind: "step", step: { kind: "char", holds } };
}

function place(holds: (chars: readonly string[], at: number) => boolean): Node {
  return { kind: "step", step: { kind: "place", holds } };
}

const atStart = (_chars: readonly string[], at: number): boolean => at === 0;
const atEnd = (chars: readonly string[], at: number): boolean => at === chars.length;
const atLineStart = (chars: readonly string[], at: number): boolean => at === 0 || chars[at - 1] === "\n";
const atLineEnd = (chars: readonly string[], at: number): boolean => at === chars.length || chars[at] === "\n";
const atWordEdge = (chars: readonly string[], at: number): boolean => isWord(chars[at - 1]) !== isWord(chars[at]);

function isWord(char: string | undefined): boolean {
  return char !== undefined && /^\w$/.test(char);
}

function escaped(char: string): string {
  return char.replace(/[\\^$.*+?()[\]{}|/-]/, (each) => `\\${each === "-" ? "x2d" : each}`);
}

const POSIX: Readonly<Record<string, string>> = {
  alnum: "0-9A-Za-z",
  alpha: "A-Za-z",
  ascii: "\\x00-\\x7f",
  blank: "\\t ",
  cntrl: "\\x00-\\x1f\\x7f",
  digit: "0-9",
  graph: "!-~",
  lower: "a-z",
  print: " -~",
  punct: "!-\\/:-@\\[-`\\{-~",
  space: "\\t\\n\\v\\f\\r ",
  upper: "A-Z",
  word: "0-9A-Za-z_",
  xdigit: "0-9A-Fa-f",
};

/** "[...]" of RE2 as JavaScript's, in which "]" and "[" have to be escaped. */
function setInJavaScript(set: string): string {
  const negated = set.startsWith("[^");
  const inner = set.slice(negated ? 2 : 1, -1);
  let before = "";
  const parts = inner.replace(
    /\[:(\^?)([a-z]+):\]|\\(?:x\{[0-9a-fA-F]+\}|x[0-9a-fA-F]{2}|[pP](?:\{\^?\w+\}|\w)|[\s\S])|[\s\S]/gu,
    (part, not: string | undefined, posix: string | undefined) => {
      // After a class, "-" is no range but itself.
      const isRange = part === "-" && !/^(\\[dDsSwWpP]|\[:)/.test(before);
      before = part;
      if (posix !== undefined) return posixInJavaScript(not === "^", posix);
      if (part.startsWith("\\")) return escapeInJavaScript(part);
      return isRange ? part : escaped(part);
    },
  );
  return `[${negated ? "^" : ""}${parts}]`;
}

function posixInJavaScript(negated: boolean, name: string): string {
  const found = Object.hasOwn(POSIX, name) ? POSIX[name] : undefined;
  if (found === undefined || negated) throw new SyntaxError(`invalid character class range: [:${name}:]`);
  return found;
}

function escapeInJavaScript(escaping: string): string {
  const letter = escaping[1] ?? "";
  if (letter === "x") return escaping.startsWith("\\x{") ? `\\u${escaping.slice(2)}` : escaping;
  if (letter === "p" || letter === "P") {
    const negated = escaping.includes("^") !== (letter === "P");
    const name = escaping.slice(2).replace(/[{}^]/g, "");
    // Scripts ("Greek") are told from categories ("Lu") by their length.
    return `\\${negated ? "P" : "p"}{${name.length > 2 ? `Script=${name}` : name}}`;
  }
  if (letter === "a") return "\\x07";
  if (/[dDsSwWfnrtv]/.test(letter)) return escaping;
  if (/[A-Za-z0-9]/.test(letter)) throw new SyntaxError(`invalid escaping sequence: ${escaping}`);
  return escaped(letter);
}
