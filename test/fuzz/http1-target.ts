import { type FuzzTarget, judgeHttp1, loadHttp1Corpus, loadInputs, type Random } from "@bowline/testkit";
import {
  BodyKind,
  ChunkError,
  ChunkedScanner,
  chunkErrorReason,
  DEFAULT_HEAD_LIMITS,
  Head,
  HeadStep,
  headErrorReason,
  Method,
  markHopByHop,
  parseRequestHead,
  parseResponseHead,
  requestBodyKind,
  responseBodyKind,
  rewriteHead,
} from "@bowline/wire";
import { Revealed } from "./revealed.ts";

type Kind = "request" | "response";

const TRAILER_BYTES_MAX = 8192;
const HEADROOM_BYTES = 64;
const INSERTED = Buffer.from("x-inserted: 1\r\n");

/**
 * Messages of HTTP/1, read as requests and as responses. However they are cut the verdict is the same, and a head that
 * was rewritten for the next hop is read by it as the same message: else its boundary could be moved.
 */
export const http1Target: FuzzTarget = {
  name: "http1",
  seeds: [...loadHttp1Corpus().map(({ bytes }) => bytes), ...loadInputs("http1").map(({ bytes }) => bytes)],
  words: [
    "\r\n",
    "\n",
    "\r\n\r\n",
    ": ",
    "Content-Length: 5\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Connection: close, x\r\n",
    "Connection: Content-Length\r\n",
    "Connection: upgrade\r\nUpgrade: h2c\r\n",
    "Host: a\r\n",
    "Expect: 100-continue\r\n",
    "Trailer: a\r\n",
    "HTTP/1.0",
    "HTTP/1.1 204 \r\n",
    "0\r\n\r\n",
    "ffffffffffffffff",
    ";a=b",
    "GET / HTTP/1.1\r\n",
    "CONNECT a:1 HTTP/1.1\r\n",
    "http://a/",
  ].map((word) => Buffer.from(word)),
  bytesMax: 4096,
  run: (input, random) => `${check(input, "request", random)} ${check(input, "response", random)}`,
};

function check(input: Uint8Array, kind: Kind, random: Random): string {
  const { verdict, reason, messages } = judgeHttp1(input, kind);
  const whole = `${verdict}/${reason}/${messages}`;
  const reader = new PieceReader(new Revealed(input, random), kind);
  const inPieces = reader.read();
  if (inPieces !== whole) throw new Error(`${kind}: ${whole} when read whole, ${inPieces} in pieces`);
  return `${whole}${reader.trace.slice(0, 40)}`;
}

class PieceReader {
  /** What the messages were, for the fuzzer's idea of where an input went. */
  trace = "";
  readonly #revealed: Revealed;
  readonly #kind: Kind;
  #at = 0;
  #messages = 0;

  constructor(revealed: Revealed, kind: Kind) {
    this.#revealed = revealed;
    this.#kind = kind;
  }

  /** Reads to the end or the first refusal. */
  read(): string {
    for (;;) {
      if (this.#at === this.#revealed.end && !this.#revealed.more()) return this.#outcome("accept", "");
      const refused = this.#readMessage();
      if (refused !== "") return this.#outcome("reject", refused);
      this.#messages++;
    }
  }

  #outcome(verdict: string, reason: string): string {
    return `${verdict}/${reason}/${this.#messages}`;
  }

  /** The reason of a refusal; empty when the whole message was read. */
  #readMessage(): string {
    const { bytes } = this.#revealed;
    const parse = parserOf(this.#kind);
    const head = new Head();
    for (;;) {
      const step = parse(bytes, this.#at, this.#revealed.end, DEFAULT_HEAD_LIMITS, head);
      if (step === HeadStep.Ok) break;
      if (step !== HeadStep.NeedMore) return headErrorReason(step);
      if (!this.#revealed.more()) return "incomplete";
    }
    const body = bodyOf(head, this.#kind);
    this.trace += ` ${head.method}.${head.status}.${body}.${Math.min(head.fieldCount, 4)}${head.keepAlive ? "k" : ""}${head.upgrade ? "u" : ""}`;
    this.#at = head.end;
    checkRewritten(bytes, head, this.#kind);
    if (body === BodyKind.Chunked) return this.#readChunked();
    if (body === BodyKind.None) return "";
    return this.#skip(body === BodyKind.Length ? head.contentLength : Infinity);
  }

  #readChunked(): string {
    const scanner = new ChunkedScanner();
    scanner.reset(TRAILER_BYTES_MAX);
    for (;;) {
      const { bytes, end } = this.#revealed;
      const good = scanner.scan(bytes, this.#at, end);
      if (good < this.#at || good > end) throw new Error(`the scanner took [${this.#at}, ${end}) to ${good}`);
      this.#at = good;
      if (scanner.error !== ChunkError.None) return chunkErrorReason(scanner.error);
      if (scanner.done) return "";
      if (!this.#revealed.more()) return "incomplete";
    }
  }

  /** A body that goes on until the end, or for so many bytes. */
  #skip(length: number): string {
    const until = this.#at + length;
    while (this.#revealed.end < until) {
      if (this.#revealed.more()) continue;
      this.#at = this.#revealed.end;
      return length === Infinity ? "" : "incomplete";
    }
    this.#at = until;
    return "";
  }
}

function parserOf(kind: Kind): typeof parseRequestHead {
  return kind === "request" ? parseRequestHead : parseResponseHead;
}

function bodyOf(head: Head, kind: Kind): BodyKind {
  return kind === "request" ? requestBodyKind(head) : responseBodyKind(head, Method.Get);
}

/** The head as it goes to the next hop, without what belongs to this one and with a line of ours. */
function checkRewritten(bytes: Uint8Array, head: Head, kind: Kind): void {
  const room = new Uint8Array(HEADROOM_BYTES + head.end - head.start);
  room.set(bytes.subarray(head.start, head.end), HEADROOM_BYTES);
  const copy = new Head();
  const parse = parserOf(kind);
  if (parse(room, HEADROOM_BYTES, room.length, DEFAULT_HEAD_LIMITS, copy) !== HeadStep.Ok)
    throw new Error("a head is refused without the empty lines before it");
  const before = describe(room, copy, kind);
  if (!copy.upgrade) markHopByHop(room, copy);
  const start = rewriteHead(room, copy, INSERTED, INSERTED.length);
  const again = new Head();
  const step = parse(room, start, room.length, DEFAULT_HEAD_LIMITS, again);
  // One field more may be one too many, or too long.
  if (step === HeadStep.TooManyFields || step === HeadStep.TooLarge) return;
  if (step !== HeadStep.Ok) throw new Error(`a rewritten head is refused: ${headErrorReason(step)}`);
  const after = describe(room, again, kind);
  if (after !== before) throw new Error(`a rewritten head is another message: ${before} became ${after}`);
}

function describe(bytes: Uint8Array, head: Head, kind: Kind): string {
  const text = (start: number, end: number): string => Buffer.from(bytes.subarray(start, end)).toString("latin1");
  const target = head.targetStart < 0 ? "" : text(head.targetStart, head.targetEnd);
  const host = head.hostStart < 0 ? "" : text(head.hostStart, head.hostEnd);
  return [head.method, head.status, target, host, head.minor, bodyOf(head, kind), head.contentLength].join(" ");
}
