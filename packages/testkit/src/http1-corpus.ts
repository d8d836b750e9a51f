import { readdirSync, readFileSync } from "node:fs";

/** What became of a message: it went through, or it was refused (for a request, in front of the app). */
export type Verdict = "accept" | "reject";

/** What a proxy does with a case: its verdict, and the status its client got (0: closed without an answer). */
export interface ProxyAnswer {
  readonly verdict: Verdict;
  readonly status: number;
}

/** One file of test/corpus/http1; README.md there describes the format. */
export interface CorpusCase {
  /** The file's name without its ending. */
  readonly name: string;
  readonly title: string;
  readonly kind: "request" | "response";
  readonly verdict: Verdict;
  /** The codec's reason; empty when accepted. */
  readonly reason: string;
  readonly rfc: string;
  /** One answer, or several where it depends on which of two things the proxy notices first. */
  readonly nginx: readonly ProxyAnswer[];
  readonly haproxy: readonly ProxyAnswer[];
  /** Why we differ from nginx or haproxy; empty when there is nothing to explain. */
  readonly why: string;
  readonly bytes: Uint8Array;
}

export const HTTP1_CORPUS: string = `${import.meta.dir}/../../../test/corpus/http1`;

const KEYS = new Set(["title", "kind", "verdict", "reason", "rfc", "nginx", "haproxy", "why"]);
const ESCAPE = /\\(?:x([0-9a-f]{2})|([rnt\\]))|@\{(\d+)\*([^}]*)\}|[\s\S]/g;
const LETTERS: Readonly<Record<string, string>> = { r: "\r", n: "\n", t: "\t", "\\": "\\" };

/**
 * Every case, in the order of their names.
 *
 * @throws Error naming the file that does not follow the format
 */
export function loadHttp1Corpus(): CorpusCase[] {
  const files = readdirSync(HTTP1_CORPUS).filter((file) => file.endsWith(".txt"));
  return files.sort().map((file) => {
    try {
      return parseCase(file.replace(/\.txt$/, ""), readFileSync(`${HTTP1_CORPUS}/${file}`, "utf8"));
    } catch (cause) {
      throw new Error(`test/corpus/http1/${file} is no case: ${String(cause)}`, { cause });
    }
  });
}

/** @throws Error saying what is missing or unknown */
export function parseCase(name: string, text: string): CorpusCase {
  const split = text.indexOf("\n\n");
  if (split < 0) throw new Error("no empty line between the description and the bytes");
  const keys = new Map<string, string>();
  for (const line of text.slice(0, split).split("\n")) {
    const colon = line.indexOf(": ");
    const key = line.slice(0, Math.max(0, colon));
    if (!KEYS.has(key) || keys.has(key)) throw new Error(`unknown or repeated line "${line}"`);
    keys.set(key, line.slice(colon + 2));
  }
  const need = (key: string): string => {
    const value = keys.get(key);
    if (value === undefined) throw new Error(`no ${key}`);
    return value;
  };
  const verdict = parseVerdict(need("verdict"));
  const kind = keys.get("kind") ?? "request";
  if (kind !== "request" && kind !== "response") throw new Error(`unknown kind ${kind}`);
  return {
    name,
    title: need("title"),
    kind,
    verdict,
    reason: verdict === "reject" ? need("reason") : "",
    rfc: need("rfc"),
    nginx: need("nginx").split(" or ").map(parseAnswer),
    haproxy: need("haproxy").split(" or ").map(parseAnswer),
    why: keys.get("why") ?? "",
    bytes: decode(text.slice(split + 2)),
  };
}

function parseVerdict(text: string): Verdict {
  if (text !== "accept" && text !== "reject") throw new Error(`unknown verdict ${text}`);
  return text;
}

function parseAnswer(text: string): ProxyAnswer {
  const match = /^(accept|reject) (\d{1,3})$/.exec(text);
  if (match === null) throw new Error(`"${text}" is not a verdict and a status`);
  return { verdict: parseVerdict(match[1] ?? ""), status: Number(match[2]) };
}

/** Line ends of the file only lay it out; those of the message are written `\r` and `\n`. */
function decode(text: string): Uint8Array {
  const plain = text
    .replaceAll("\n", "")
    .replaceAll(ESCAPE, (whole, hex?: string, letter?: string, count?: string, word?: string) => {
      if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
      if (letter !== undefined) return LETTERS[letter] ?? "";
      if (count !== undefined) return (word ?? "").repeat(Number(count));
      if (whole === "\\") throw new Error("a backslash that begins no escape");
      return whole;
    });
  return Uint8Array.from(Buffer.from(plain, "latin1"));
}
