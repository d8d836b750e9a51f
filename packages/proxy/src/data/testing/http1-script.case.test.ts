import type { Direction } from "@bowline/contracts";
import { type Arbitrary, array, boolean, constantFrom, integer, nat, oneof, record } from "fast-check";
import { streamBytes } from "./plane-world.case.test.ts";

/** A line of a head; `hop` ones must not get past the proxy. */
interface Line {
  readonly text: string;
  readonly hop: boolean;
}

export interface RequestScript {
  readonly id: number;
  readonly method: string;
  readonly http10: boolean;
  /** After its response the connection ends, as the request says. */
  readonly closing: boolean;
  readonly expectContinue: boolean;
  /** As sent, and as a server has to get it; the body is the same for both. */
  readonly head: string;
  readonly wantedHead: string;
  readonly body: Uint8Array;
  readonly response: ResponseScript;
}

export interface ResponseScript {
  readonly interims: readonly { readonly sent: string; readonly wanted: string }[];
  readonly startLine: string;
  readonly head: string;
  /** Without what the proxy says about its connection to the client. */
  readonly wantedFields: string;
  readonly body: Uint8Array;
  readonly status: number;
  readonly endsByClose: boolean;
  /** Sent as soon as the request's head is there. */
  readonly early: boolean;
  readonly afterwards: "keep" | "announce" | "silent";
  readonly thinkMs: number;
  /** Sent in two pieces, the second one so much later. */
  readonly cutAt: number;
  readonly gapMs: number;
}

export interface Session {
  readonly target: string;
  readonly requests: readonly RequestScript[];
  readonly pipelined: boolean;
  readonly reads: "all" | "slowly";
  readonly ending: "close" | "end early" | "end";
  readonly startMs: number;
  readonly gapMs: number;
}

export const HTTP_TARGETS: readonly string[] = ["10.1.0.1:8080", "10.1.0.2:80"];
const IDEMPOTENT: readonly string[] = ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"];
const REPLAY_BYTES_MAX = 65536;

interface BodyChoice {
  readonly kind: "none" | "length" | "chunked";
  readonly size: number;
  readonly chunk: number;
  readonly trailers: number;
  readonly extension: boolean;
}

interface RequestChoice {
  readonly method: string;
  readonly http10: boolean;
  readonly host: string;
  readonly absolute: boolean;
  readonly hop: number;
  readonly h2c: boolean;
  readonly clientId: boolean;
  readonly expectContinue: boolean;
  readonly padding: number;
  readonly fields: number;
  readonly rotate: number;
  readonly body: BodyChoice;
}

interface ResponseChoice {
  readonly status: number;
  readonly http10: boolean;
  readonly framing: "length" | "chunked" | "close";
  readonly interims: readonly number[];
  readonly hop: number;
  readonly early: boolean;
  readonly afterwards: "keep" | "announce" | "silent";
  readonly thinkMs: number;
  readonly padding: number;
  readonly rotate: number;
  readonly cutAt: number;
  readonly gapMs: number;
  readonly body: BodyChoice;
}

export interface SessionChoice extends Omit<Session, "requests"> {
  readonly exchanges: readonly { readonly request: RequestChoice; readonly response: ResponseChoice }[];
}

const body: Arbitrary<BodyChoice> = record({
  kind: constantFrom("none" as const, "length" as const, "chunked" as const),
  size: oneof(nat(40), nat(3000), nat(400_000)),
  chunk: oneof(integer({ min: 1, max: 20 }), integer({ min: 1, max: 100_000 })),
  trailers: nat(2),
  extension: boolean(),
});

/** Ways to speak about the hop: the lines of each go, but for those named in `kept`. */
const HOPS: readonly {
  readonly lines: readonly string[];
  readonly kept?: readonly string[];
  readonly close?: boolean;
}[] = [
  { lines: [] },
  { lines: [] },
  { lines: ["Connection: close"], close: true },
  { lines: ["connection: keep-alive", "Keep-Alive: timeout=5, max=100"] },
  { lines: ["CONNECTION: x-hop ,keep-alive", "X-HOP: 1", "x-Hop: 2"] },
  { lines: ["connection: close, x-hop", "x-hop: 1", "connection: x-other", "x-other:"], close: true },
  { lines: ["proxy-connection: keep-alive"] },
  { lines: ["connection: host, content-length, transfer-encoding, keep-alive"] },
  { lines: ["connection: Keep-Alive, x-absent"], kept: ["x-hop-by-name: stays"] },
];

const request: Arbitrary<RequestChoice> = record({
  method: constantFrom("GET", "GET", "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"),
  http10: oneof({ weight: 5, arbitrary: constantFrom(false) }, { weight: 1, arbitrary: constantFrom(true) }),
  host: constantFrom("a.test", "a.test", "b.test:8080", "A.TEST", ""),
  absolute: oneof({ weight: 5, arbitrary: constantFrom(false) }, { weight: 1, arbitrary: constantFrom(true) }),
  hop: nat(HOPS.length - 1),
  h2c: oneof({ weight: 9, arbitrary: constantFrom(false) }, { weight: 1, arbitrary: constantFrom(true) }),
  clientId: boolean(),
  expectContinue: boolean(),
  padding: oneof(nat(30), nat(40_000)),
  fields: oneof(nat(3), nat(150)),
  rotate: nat(50),
  body,
});

const response: Arbitrary<ResponseChoice> = record({
  status: constantFrom(200, 200, 200, 201, 204, 304, 404, 500, 503, 299),
  http10: oneof({ weight: 6, arbitrary: constantFrom(false) }, { weight: 1, arbitrary: constantFrom(true) }),
  framing: constantFrom("length" as const, "length" as const, "chunked" as const, "close" as const),
  interims: oneof(
    { weight: 4, arbitrary: constantFrom([] as number[]) },
    { weight: 1, arbitrary: array(constantFrom(100, 102, 103), { maxLength: 3 }) },
  ),
  hop: nat(HOPS.length - 1),
  early: boolean(),
  afterwards: oneof(
    { weight: 6, arbitrary: constantFrom("keep" as const) },
    { weight: 1, arbitrary: constantFrom("announce" as const, "silent" as const) },
  ),
  thinkMs: constantFrom(0, 0, 3, 200),
  padding: oneof(nat(30), nat(30_000)),
  rotate: nat(50),
  cutAt: oneof(nat(60), nat(5000)),
  gapMs: constantFrom(0, 0, 1, 30),
  body,
});

const session: Arbitrary<SessionChoice> = record({
  target: constantFrom(...HTTP_TARGETS),
  exchanges: array(record({ request, response }), { minLength: 1, maxLength: 5 }),
  pipelined: boolean(),
  reads: constantFrom("all" as const, "all" as const, "slowly" as const),
  ending: constantFrom("close" as const, "end early" as const, "end" as const),
  startMs: nat(50),
  gapMs: constantFrom(0, 0, 2, 40, 3600),
});

export const sessionChoices: Arbitrary<SessionChoice[]> = array(session, { minLength: 1, maxLength: 4 });

/** Makes scripts of choices; `bytesMax` is what the kernel at hand moves in reasonable time, for all bodies together. */
export function sessionsOf(choices: readonly SessionChoice[], direction: Direction, bytesMax: number): Session[] {
  const count = choices.reduce((sum, { exchanges }) => sum + 2 * exchanges.length, 0);
  const share = Math.floor(bytesMax / count);
  let id = 0;
  return choices.map(({ exchanges, ...rest }) => ({
    ...rest,
    requests: exchanges.map((choice, i) => {
      id += 1;
      return requestScript(choice, id, i === exchanges.length - 1, direction, share);
    }),
  }));
}

/** A request that may go out a second time when a connection closes under it. */
export function isReplayable({ method, head, body: bytes }: RequestScript): boolean {
  return IDEMPOTENT.includes(method) && head.length + bytes.length <= REPLAY_BYTES_MAX;
}

function requestScript(
  choice: { readonly request: RequestChoice; readonly response: ResponseChoice },
  id: number,
  last: boolean,
  direction: Direction,
  bytesMax: number,
): RequestScript {
  const { method, http10, host: wantedHost, absolute, expectContinue, rotate } = choice.request;
  const hop = HOPS[choice.request.hop]!;
  const host = wantedHost === "" && !http10 ? "a.test" : wantedHost;
  // Only the last request of a session ends it, or what is pipelined behind would be lost by right.
  const closes = hop.close === true || (http10 && !hop.lines.some((line) => /^connection:.*keep-alive/i.test(line)));
  const closing = closes && last;
  const lines: Line[] = closes && !last ? [{ text: "connection: keep-alive", hop: true }] : hopLines(hop);
  lines.push({ text: `x-id: ${id}`, hop: false });
  if (host !== "") lines.push({ text: `Host:${host}`, hop: false });
  if (choice.request.h2c && !http10 && !closing) lines.push(...H2C);
  if (choice.request.clientId) lines.push({ text: "L5d-Client-Id: somebody", hop: direction === "inbound" });
  if (expectContinue) lines.push({ text: "expect: 100-Continue", hop: false });
  pad(lines, choice.request.padding, choice.request.fields, bytesMax);
  const kind = http10 && choice.request.body.kind === "chunked" ? "length" : choice.request.body.kind;
  const bytes = frame(lines, { ...choice.request.body, kind }, id, bytesMax);
  const target = absolute && host !== "" ? `http://${host}/x/${id}?q` : `/x/${id}?q=%20`;
  const start = `${method} ${target} HTTP/1.${http10 ? 0 : 1}\r\n`;
  const ordered = rotated(lines, rotate);
  return {
    id,
    method,
    http10,
    closing,
    expectContinue: expectContinue && !http10 && bytes.length > 0,
    head: start + sentLines(ordered),
    wantedHead: start + keptLines(ordered),
    body: bytes,
    response: responseScript(choice.response, id, method, http10, bytesMax),
  };
}

const H2C: readonly Line[] = [
  { text: "Connection: Upgrade, HTTP2-Settings", hop: true },
  { text: "Upgrade: h2c", hop: true },
  { text: "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA", hop: true },
];

function responseScript(
  choice: ResponseChoice,
  id: number,
  method: string,
  toHttp10: boolean,
  bytesMax: number,
): ResponseScript {
  const { status, http10, early, thinkMs, cutAt, gapMs } = choice;
  // HTTP/1.0 without keep-alive: such a server closes.
  const hop = http10 && HOPS[choice.hop]!.close !== true ? HOPS[0]! : HOPS[choice.hop]!;
  const bodyless = status === 204 || status === 304;
  let framing = choice.framing;
  if (framing === "chunked" && (toHttp10 || http10)) framing = "length";
  const endsByClose = framing === "close" && !bodyless && method !== "HEAD";
  const lines = hopLines(hop);
  lines.push({ text: `X-Answers: ${id}`, hop: false });
  pad(lines, choice.padding, 1, bytesMax);
  // A 204 has no content-length (RFC 9110 §8.6); HEAD and 304 may say what a GET would get.
  const draft: Line[] = [];
  const kind = framing === "close" ? "none" : framing;
  const bytes = frame(draft, { ...choice.body, kind }, id + 1000, bytesMax);
  if (status !== 204) lines.push(...draft);
  const sent = endsByClose ? streamBytes(id + 1000, Math.min(choice.body.size, bytesMax)) : bytes;
  const announced = hop.close === true || http10;
  const afterwards = announced || endsByClose ? "announce" : choice.afterwards;
  if (afterwards === "announce" && !announced && !endsByClose) lines.push({ text: "connection: close", hop: true });
  const ordered = rotated(lines, choice.rotate);
  const startLine = `HTTP/1.${http10 ? 0 : 1} ${status} ${id % 2 === 0 ? "" : "Some Reason"}\r\n`;
  return {
    interims: choice.interims.map((interim) => ({
      sent: `HTTP/1.1 ${interim} Wait\r\nlink: </${id}>\r\nconnection: x-hop\r\nx-hop: 1\r\n\r\n`,
      wanted: `HTTP/1.1 ${interim} Wait\r\nlink: </${id}>\r\n\r\n`,
    })),
    startLine,
    head: startLine + sentLines(ordered),
    wantedFields: keptLines(ordered),
    body: bodyless || method === "HEAD" ? new Uint8Array() : sent,
    status,
    endsByClose,
    early,
    afterwards,
    thinkMs,
    cutAt,
    gapMs,
  };
}

function hopLines({ lines, kept = [] }: (typeof HOPS)[number]): Line[] {
  return [...lines.map((text) => ({ text, hop: true })), ...kept.map((text) => ({ text, hop: false }))];
}

function pad(lines: Line[], padding: number, fields: number, bytesMax: number): void {
  lines.push({ text: `x-padding: ${"p".repeat(Math.min(padding, bytesMax))}`, hop: false });
  for (let i = 0; i < fields && i * 20 < bytesMax; i++) lines.push({ text: `x-${i}:\t${i} `, hop: false });
}

/** The body's bytes as they go over the wire, and the line that announces them. */
function frame(lines: Line[], choice: BodyChoice, id: number, bytesMax: number): Uint8Array {
  const size = Math.min(choice.size, bytesMax);
  if (choice.kind === "none") return new Uint8Array();
  const content = streamBytes(id, size);
  if (choice.kind === "length") {
    lines.push({ text: `Content-Length: ${size}`, hop: false });
    return content;
  }
  lines.push({ text: "Transfer-Encoding: chunked", hop: false });
  const step = Math.max(choice.chunk, Math.ceil(size / 100));
  const parts: Uint8Array[] = [];
  for (let at = 0; at < size; at += step) {
    const chunk = content.subarray(at, at + step);
    const extension = choice.extension ? ';a=b;c="d"' : "";
    parts.push(Buffer.from(`${chunk.length.toString(16).toUpperCase()}${extension}\r\n`), chunk, Buffer.from("\r\n"));
  }
  parts.push(Buffer.from("0\r\n"));
  for (let i = 0; i < choice.trailers; i++) parts.push(Buffer.from(`x-trailer-${i}: t\r\n`));
  parts.push(Buffer.from("\r\n"));
  return Buffer.concat(parts);
}

function rotated(lines: readonly Line[], by: number): readonly Line[] {
  const at = by % lines.length;
  return [...lines.slice(at), ...lines.slice(0, at)];
}

function sentLines(lines: readonly Line[]): string {
  return `${lines.map(({ text }) => `${text}\r\n`).join("")}\r\n`;
}

function keptLines(lines: readonly Line[]): string {
  return sentLines(lines.filter(({ hop }) => !hop));
}
