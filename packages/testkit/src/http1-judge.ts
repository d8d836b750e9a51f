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
  parseRequestHead,
  parseResponseHead,
  requestBodyKind,
  responseBodyKind,
} from "@bowline/wire";
import type { Verdict } from "./http1-corpus.ts";

const TRAILER_BYTES_MAX = 8192;

/** What the codec makes of a whole byte stream. */
export interface Judgement {
  readonly verdict: Verdict;
  /** The codec's reason when it refuses; `incomplete` when the bytes end inside a message; otherwise empty. */
  readonly reason: string;
  /** Complete messages before the end or the refusal. */
  readonly messages: number;
  /** Where the refused message's body begins, -1 when its head was refused. */
  readonly bodyStart: number;
  /** Bytes before the refusal that a proxy may have passed on already. */
  readonly goodBytes: number;
}

/** Reads `bytes` as a client's requests, one behind the other, or as a server's answers to GET. */
export function judgeHttp1(bytes: Uint8Array, kind: "request" | "response"): Judgement {
  const head = new Head();
  const parse = kind === "request" ? parseRequestHead : parseResponseHead;
  let at = 0;
  let messages = 0;
  const judged = (verdict: Verdict, reason: string, bodyStart: number, goodBytes: number): Judgement => ({
    verdict,
    reason,
    messages,
    bodyStart,
    goodBytes,
  });
  while (at < bytes.length) {
    head.reset();
    const step = parse(bytes, at, bytes.length, DEFAULT_HEAD_LIMITS, head);
    if (step === HeadStep.NeedMore) return judged("reject", "incomplete", -1, at);
    if (step !== HeadStep.Ok) return judged("reject", headErrorReason(step), -1, at);
    const body = kind === "request" ? requestBodyKind(head) : responseBodyKind(head, Method.Get);
    if (body === BodyKind.Chunked) {
      const scanner = new ChunkedScanner();
      scanner.reset(TRAILER_BYTES_MAX);
      at = scanner.scan(bytes, head.end, bytes.length);
      if (scanner.error !== ChunkError.None) return judged("reject", chunkErrorReason(scanner.error), head.end, at);
      if (!scanner.done) return judged("reject", "incomplete", head.end, at);
    } else if (body === BodyKind.Length) {
      at = head.end + head.contentLength;
      if (at > bytes.length) return judged("reject", "incomplete", head.end, bytes.length);
    } else {
      at = body === BodyKind.None ? head.end : bytes.length;
    }
    messages++;
  }
  return judged("accept", "", -1, at);
}
