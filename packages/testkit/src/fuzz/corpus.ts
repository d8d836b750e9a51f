import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const CORPUS = join(import.meta.dir, "../../../../test/corpus");
const BYTES_PER_LINE = 32;

/** An input kept in a file of test/corpus/TARGET. */
export interface KeptInput {
  /** The file's name without its ending. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

/**
 * The inputs of a target, in the order of their names: the `.hex` files, which hold hexadecimal digits; whitespace and
 * what follows a `#` do not count.
 *
 * @throws Error naming the file that holds something else
 */
export function loadInputs(target: string): KeptInput[] {
  const directory = join(CORPUS, target);
  if (!existsSync(directory)) return [];
  const files = readdirSync(directory).filter((file) => file.endsWith(".hex"));
  return files.sort().map((file) => {
    const bytes = parseHex(readFileSync(join(directory, file), "utf8"));
    if (bytes === null) throw new Error(`test/corpus/${target}/${file} holds more than pairs of hexadecimal digits`);
    return { name: file.replace(/\.hex$/, ""), bytes };
  });
}

/**
 * Keeps an input that failed, so that it is tried in every run from now on.
 *
 * @param why goes into the file as a comment
 * @returns the file's path from the repository's root
 */
export function keepInput(target: string, input: Uint8Array, why: string): string {
  const name = `found-${Bun.hash(input).toString(16)}.hex`;
  mkdirSync(join(CORPUS, target), { recursive: true });
  writeFileSync(join(CORPUS, target, name), formatHex(input, why));
  return `test/corpus/${target}/${name}`;
}

/** Null when the text is something else. */
export function parseHex(text: string): Uint8Array | null {
  const digits = text.replaceAll(/#.*/g, "").replaceAll(/\s+/g, "");
  return /^(?:[0-9a-fA-F]{2})*$/.test(digits) ? Uint8Array.fromHex(digits) : null;
}

export function formatHex(bytes: Uint8Array, comment: string): string {
  const lines = comment.split(/[\r\n\u2028\u2029]/).map((line) => `# ${line}`);
  for (let at = 0; at < bytes.length; at += BYTES_PER_LINE) lines.push(bytes.subarray(at, at + BYTES_PER_LINE).toHex());
  return `${lines.join("\n")}\n`;
}
