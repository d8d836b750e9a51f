import { expect } from "bun:test";
import { framingOf, type WireMessage } from "./message-reader.case.test.ts";

/** What a message says, however it is written. */
interface Meaning {
  /** A response's without its reason phrase. */
  readonly start: string;
  /** But for those of framing, in order, names in lower case. */
  readonly fields: readonly string[];
  readonly length: string | null;
  readonly chunked: boolean;
  readonly content: Buffer;
  readonly trailers: readonly string[];
}

export function expectSameRequest(got: WireMessage, wanted: WireMessage): void {
  const [a, b] = [meaningOf(got), meaningOf(wanted)];
  expectSame(a, b);
  // A request gets no body by being given a frame for one.
  expect([a.length, a.chunked]).toEqual([b.length, b.chunked]);
}

export function expectSameResponse(got: WireMessage, wanted: WireMessage): void {
  const [a, b] = [meaningOf(got), meaningOf(wanted)];
  expectSame(a, b);
  if (b.length !== null) expect(a.length).toBe(b.length);
  else expect(a.length).toBeNull();
}

function expectSame(a: Meaning, b: Meaning): void {
  expect([a.start, a.fields, a.trailers]).toEqual([b.start, b.fields, b.trailers]);
  expect(a.content.length).toBe(b.content.length);
  expect(Buffer.compare(a.content, b.content)).toBe(0);
}

function meaningOf({ head, body }: WireMessage): Meaning {
  const [start = "", ...lines] = head.split("\r\n").filter((line) => line !== "");
  const fields = lines.map(normalised);
  const length = fields.find((field) => field.startsWith("content-length:")) ?? null;
  const chunked = framingOf(head) === "chunked";
  return {
    start: start.startsWith("HTTP/") ? start.slice(0, "HTTP/1.1 200".length) : start,
    fields: fields.filter((field) => !/^(?:content-length|transfer-encoding):/.test(field)),
    length,
    chunked,
    ...(chunked && body.length > 0 ? unchunked(Buffer.from(body)) : { content: Buffer.from(body), trailers: [] }),
  };
}

function unchunked(body: Buffer): Pick<Meaning, "content" | "trailers"> {
  const parts: Buffer[] = [];
  let at = 0;
  for (;;) {
    const lineEnd = body.indexOf("\r\n", at);
    const size = Number.parseInt(body.toString("latin1", at, lineEnd), 16);
    at = lineEnd + 2;
    if (size === 0) break;
    parts.push(body.subarray(at, at + size));
    at += size + 2;
  }
  const trailers = body
    .toString("latin1", at)
    .split("\r\n")
    .filter((line) => line !== "");
  return { content: Buffer.concat(parts), trailers: trailers.map(normalised) };
}

function normalised(line: string): string {
  const colon = line.indexOf(":");
  return `${line.slice(0, colon).toLowerCase()}: ${line.slice(colon + 1).trim()}`;
}
