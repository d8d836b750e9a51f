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

  /** A variable with older names, each perhaps with another grammar. The first that is set wins; the others are ignored. */
  readFirst<T>(...ways: readonly (readonly [name: string, parse: Parser<T>])[]): T | null {
    const [first, ...ignored] = ways.filter(([name]) => this.isSet(name));
    if (first === undefined) return null;
    for (const [name] of ignored) this.note("warn", `${name} is ignored because ${first[0]} is set`);
    return this.read(first[0], first[1]);
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
