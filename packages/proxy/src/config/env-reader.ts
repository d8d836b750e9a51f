import { BadValue, type Parser } from "./bad-value.ts";

/** The process environment, or a test's. */
export type Env = Readonly<Record<string, string | undefined>>;

/** Something the operator should know that does not stop the proxy; logged once logging is up. */
export interface ConfigNote {
  readonly level: "warn" | "info" | "debug";
  readonly message: string;
}

/**
 * Reads variables one by one and goes on after each mistake, so that one start reports them all. A value that cannot
 * be used reads as if the variable were absent; the caller gives the configuration away only if `errors` is empty.
 */
export class EnvReader {
  readonly errors: string[] = [];
  readonly notes: ConfigNote[] = [];
  readonly #env: Env;

  constructor(env: Env) {
    this.#env = env;
  }

  isSet(name: string): boolean {
    return this.#env[name] !== undefined;
  }

  /** The parsed value; null when the variable is absent or (reported) not valid. */
  read<T>(name: string, parse: Parser<T>): T | null {
    const text = this.#env[name];
    if (text === undefined) return null;
    const value = parse(text);
    if (!(value instanceof BadValue)) return value;
    this.invalid(name, value.reason);
    return null;
  }

  /**
   * A variable with older names, each perhaps with another grammar. The first that is set wins; the others are ignored,
   * which is worth a warning unless they say the same: injectors set old names and new ones.
   */
  readFirst<T>(...ways: readonly (readonly [name: string, parse: Parser<T>])[]): T | null {
    const [first, ...ignored] = ways.filter(([name]) => this.isSet(name));
    if (first === undefined) return null;
    const value = this.read(first[0], first[1]);
    for (const [name, parse] of ignored) this.noteIgnored(name, parse, first[0], value);
    return value;
  }

  /** For an older name of something that was read by another grammar. */
  noteIgnored<T>(name: string, parse: Parser<T>, because: string, value: T | null): void {
    const text = this.#env[name];
    if (text === undefined || saysNothingElse(parse(text), value)) return;
    this.note("warn", `${name} is ignored because ${because} is set`);
  }

  /** For variables whose bad values only cost a warning. */
  readLeniently<T>(name: string, parse: Parser<T>): T | null {
    const text = this.#env[name];
    if (text === undefined) return null;
    const value = parse(text);
    if (!(value instanceof BadValue)) return value;
    this.note("warn", `${name}=${JSON.stringify(text)} is ignored: ${value.reason}`);
    return null;
  }

  invalid(name: string, reason: string): void {
    this.errors.push(`${name}=${JSON.stringify(this.#env[name] ?? "")} is not valid: ${reason}`);
  }

  /** `because`: another variable that makes this one necessary. */
  missing(name: string, because?: string): void {
    this.errors.push(`${name} is not set${because === undefined ? "" : `; it is required when ${because} is set`}`);
  }

  note(level: ConfigNote["level"], message: string): void {
    this.notes.push({ level, message });
  }
}

/** An old name may hold one address where today's holds one for each family. */
function saysNothingElse(older: unknown, value: unknown): boolean {
  if (Array.isArray(older) && Array.isArray(value)) {
    return older.every((item) => value.some((other) => saysNothingElse(item, other)));
  }
  return JSON.stringify(older) === JSON.stringify(value);
}
