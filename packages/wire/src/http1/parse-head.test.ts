import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  DEFAULT_HEAD_LIMITS,
  FIELD_DROP,
  FIELD_STRIDE,
  FLAGS,
  Head,
  type HeadLimits,
  Method,
  NAME_END,
  NAME_START,
  TargetForm,
  VALUE_END,
  VALUE_START,
} from "./head.ts";
import { HeadStep, headErrorReason, isHeadSizeError } from "./head-step.ts";
import { parseRequestHead, parseResponseHead } from "./parse-head.ts";

type Parse = typeof parseRequestHead;

const AT = 7;
/** Behind `end` stand bytes that would complete or break any head, so a read past it shows. */
const POISONS = ["\r\n\r\n", "\0\0\0\0"];

function place(text: string, poison: string): Uint8Array {
  return Buffer.from(`${"\n".repeat(AT)}${text}${poison}`, "latin1");
}

function text(buf: Uint8Array, start: number, end: number): string | null {
  return start < 0 ? null : Buffer.from(buf.subarray(start, end)).toString("latin1");
}

/** Everything a head says, as comparable values. */
function summary(buf: Uint8Array, head: Head): Record<string, unknown> {
  const fields: string[] = [];
  for (let i = 0; i < head.fieldCount; i++) {
    const entry = head.fields.subarray(i * FIELD_STRIDE, (i + 1) * FIELD_STRIDE);
    const mark = (entry[FLAGS]! & FIELD_DROP) === 0 ? "" : "-";
    fields.push(
      `${mark}${text(buf, entry[NAME_START]!, entry[NAME_END]!)}=${text(buf, entry[VALUE_START]!, entry[VALUE_END]!)}`,
    );
  }
  return {
    startLine: text(buf, head.start, head.lineEnd),
    end: head.end - AT,
    method: head.method,
    target: text(buf, head.targetStart, head.targetEnd),
    form: head.targetForm,
    minor: head.minor,
    status: head.status,
    fields,
    length: head.contentLength,
    chunked: head.chunked,
    transferEncoding: head.transferEncoding,
    host: text(buf, head.hostStart, head.hostEnd),
    keepAlive: head.keepAlive,
    closeAfter: head.closeAfter,
    upgrade: head.upgrade,
    upgradeIsH2c: head.upgradeIsH2c,
    expectContinue: head.expectContinue,
    grpc: head.grpc,
    l5d: head.l5d,
  };
}

/** Parses with `cuts` as successive ends, then the whole; the first answer other than NeedMore counts. */
function parseCut(
  parse: Parse,
  input: string,
  cuts: Iterable<number>,
  limits: HeadLimits,
  poison: string,
): [HeadStep, unknown] {
  const head = new Head();
  const buf = place(input, poison);
  let step: HeadStep = HeadStep.NeedMore;
  for (const cut of [...cuts, input.length]) {
    step = parse(buf, AT, AT + cut, limits, head);
    if (step !== HeadStep.NeedMore) break;
  }
  return [step, step === HeadStep.Ok ? summary(buf, head) : null];
}

function parseWhole(
  parse: Parse,
  input: string,
  limits: HeadLimits = DEFAULT_HEAD_LIMITS,
): [HeadStep, Record<string, unknown>] {
  return parseCut(parse, input, [], limits, "\0\0") as [HeadStep, Record<string, unknown>];
}

function expectSameForEverySplit(parse: Parse, input: string, limits: HeadLimits = DEFAULT_HEAD_LIMITS): void {
  const whole = parseCut(parse, input, [], limits, POISONS[0]!);
  const everyByte = Array.from({ length: input.length }, (_, i) => i);
  for (const poison of POISONS) {
    expect(parseCut(parse, input, everyByte, limits, poison)).toEqual(whole);
    for (const cut of everyByte) expect(parseCut(parse, input, [cut], limits, poison)).toEqual(whole);
  }
}

const MINIMAL = "GET / HTTP/1.1\r\n";
const HOST = `${MINIMAL}Host: a\r\n`;
const POST = "POST / HTTP/1.1\r\nHost: a\r\n";
const OK = "HTTP/1.1 200 OK\r\n";

const GOOD_REQUESTS: { name: string; input: string; want: Record<string, unknown> }[] = [
  {
    name: "smallest",
    input: `${MINIMAL}\r\n`,
    want: {
      startLine: MINIMAL,
      end: 18,
      method: Method.Get,
      target: "/",
      form: TargetForm.Origin,
      minor: 1,
      fields: [],
      length: -1,
      host: null,
      keepAlive: true,
    },
  },
  { name: "1.0 closes", input: "GET / HTTP/1.0\r\n\r\n", want: { minor: 0, keepAlive: false } },
  { name: "1.0 keep-alive", input: "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", want: { keepAlive: true } },
  {
    name: "1.0 keep-alive, close",
    input: "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n",
    want: { keepAlive: false },
  },
  { name: "close among others", input: `${HOST}Connection: foo,, CLOSE ,bar\r\n\r\n`, want: { keepAlive: false } },
  { name: "close is a whole word", input: `${HOST}Connection: closed, xclose\r\n\r\n`, want: { keepAlive: true } },
  { name: "empty lines first", input: `\r\n\n\r\n${MINIMAL}\r\n`, want: { startLine: MINIMAL, end: 23 } },
  {
    name: "bare LF line ends",
    input: "GET / HTTP/1.1\nHost: a\n\n",
    want: { startLine: "GET / HTTP/1.1\n", end: 24, fields: ["Host=a"] },
  },
  {
    name: "whitespace around values",
    input: `${MINIMAL}A: \t b c\t \r\nB:\r\nC: \r\nD:d\r\n\r\n`,
    want: { fields: ["A=b c", "B=", "C=", "D=d"] },
  },
  {
    name: "bytes above 0x7f",
    input: `GET /\xe9 HTTP/1.1\r\nA: \xff\x80\r\n\r\n`,
    want: { target: "/\xe9", fields: ["A=\xff\x80"] },
  },
  {
    name: "every kind of token byte",
    input: "a!#$%&'*+-.^_`|~9 / HTTP/1.1\r\n!#$%&'*+-.^_`|~09az: v\r\n\r\n",
    want: { method: Method.Other, fields: ["!#$%&'*+-.^_`|~09az=v"] },
  },
  { name: "methods are case-sensitive", input: "get / HTTP/1.1\r\n\r\n", want: { method: Method.Other } },
  {
    name: "absolute form",
    input: "GET http://b:81/x?y HTTP/1.1\r\nHost: a\r\n\r\n",
    want: { form: TargetForm.Absolute, host: "b:81" },
  },
  {
    name: "absolute form, query only",
    input: "GET HTTP://b?y HTTP/1.1\r\n\r\n",
    want: { form: TargetForm.Absolute, host: "b" },
  },
  {
    name: "asterisk",
    input: "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    want: { form: TargetForm.Asterisk, method: Method.Options, host: "a" },
  },
  {
    name: "connect",
    input: "CONNECT b:443 HTTP/1.1\r\nHost: c\r\n\r\n",
    want: { form: TargetForm.Authority, method: Method.Connect, host: "b:443" },
  },
  { name: "connect to IPv6", input: "CONNECT [::1]:443 HTTP/1.1\r\n\r\n", want: { host: "[::1]:443" } },
  { name: "empty host", input: `${MINIMAL}Host:\r\n\r\n`, want: { host: "" } },
  { name: "host with port", input: `${MINIMAL}hOST: a-b.c_d:8080 \r\n\r\n`, want: { host: "a-b.c_d:8080" } },
  { name: "IPv6 host", input: `${MINIMAL}Host: [fe80::1.2.3.4]\r\n\r\n`, want: { host: "[fe80::1.2.3.4]" } },
  { name: "content-length", input: `${POST}Content-Length: 0042\r\n\r\n`, want: { length: 42 } },
  {
    name: "the largest length",
    input: `${POST}Content-Length: 9007199254740991\r\n\r\n`,
    want: { length: Number.MAX_SAFE_INTEGER },
  },
  {
    name: "repeated length is dropped",
    input: `${POST}Content-Length: 5\r\nA: b\r\ncontent-length: 5\r\n\r\n`,
    want: { length: 5, fields: ["Host=a", "Content-Length=5", "A=b", "-content-length=5"] },
  },
  {
    name: "chunked",
    input: `${POST}Transfer-Encoding: Chunked\r\n\r\n`,
    want: { chunked: true, transferEncoding: true, length: -1 },
  },
  { name: "gzip, chunked", input: `${POST}Transfer-Encoding: gzip ,\tchunked\r\n\r\n`, want: { chunked: true } },
  {
    name: "two lines of codings",
    input: `${POST}Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n`,
    want: { chunked: true },
  },
  {
    name: "upgrade",
    input: `${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
    want: { upgrade: true, upgradeIsH2c: false },
  },
  { name: "upgrade not named", input: `${HOST}Upgrade: websocket\r\n\r\n`, want: { upgrade: false } },
  { name: "upgrade named but absent", input: `${HOST}Connection: upgrade\r\n\r\n`, want: { upgrade: false } },
  {
    name: "upgrade in 1.0",
    input: "GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: a\r\n\r\n",
    want: { upgrade: false },
  },
  {
    name: "h2c",
    input: `${HOST}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: a , H2C\r\nHTTP2-Settings: x\r\n\r\n`,
    want: { upgrade: true, upgradeIsH2c: true },
  },
  {
    name: "not h2c",
    input: `${HOST}Connection: Upgrade\r\nUpgrade: h2cx, xh2c\r\n\r\n`,
    want: { upgrade: true, upgradeIsH2c: false },
  },
  { name: "expect", input: `${POST}Content-Length: 1\r\nExpect: 100-Continue\r\n\r\n`, want: { expectContinue: true } },
  {
    name: "expect in 1.0",
    input: "POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n",
    want: { expectContinue: false },
  },
  { name: "grpc", input: `${POST}Content-Type: application/grpc+proto\r\n\r\n`, want: { grpc: true } },
  { name: "not grpc", input: `${POST}Content-Type: application/grp\r\n\r\n`, want: { grpc: false } },
  { name: "l5d field", input: `${HOST}L5D-Client-Id: x\r\n\r\n`, want: { l5d: true } },
  {
    name: "names of the length of known ones",
    input: `${HOST}Content-Lengti: x\r\nConnectioo: close\r\nHosu: b\r\n\r\n`,
    want: { length: -1, keepAlive: true, host: "a" },
  },
];

const BAD_REQUESTS: [input: string, want: HeadStep][] = [
  [" GET / HTTP/1.1\r\n\r\n", HeadStep.BadMethod],
  ["G(T / HTTP/1.1\r\n\r\n", HeadStep.BadMethod],
  ["G\tT / HTTP/1.1\r\n\r\n", HeadStep.BadMethod],
  ["GET\r\n\r\n", HeadStep.BadMethod],
  ["\x16\x03\x01", HeadStep.BadMethod],
  ["\rGET / HTTP/1.1\r\n\r\n", HeadStep.BareCr],
  ["GET  / HTTP/1.1\r\n\r\n", HeadStep.BadStartLine],
  ["GET /  HTTP/1.1\r\n\r\n", HeadStep.BadStartLine],
  ["GET /\r\n\r\n", HeadStep.BadStartLine],
  ["GET /\n", HeadStep.BadStartLine],
  ["GET /\tHTTP/1.1\r\n\r\n", HeadStep.BadTarget],
  ["GET /\0 HTTP/1.1\r\n\r\n", HeadStep.BadTarget],
  ["GET /\x7f HTTP/1.1\r\n\r\n", HeadStep.BadTarget],
  ["GET /a#b HTTP/1.1\r\n\r\n", HeadStep.BadTarget],
  ["GET a HTTP/1.1\r\n\r\n", HeadStep.BadTarget],
  ["GET a:80 HTTP/1.1\r\n\r\n", HeadStep.BadTarget],
  ["GET * HTTP/1.1\r\n\r\n", HeadStep.BadTarget],
  ["GET http:/a HTTP/1.1\r\n\r\n", HeadStep.BadTarget],
  ["GET http:// HTTP/1.1\r\n\r\n", HeadStep.BadTarget],
  ["GET http:///a HTTP/1.1\r\n\r\n", HeadStep.BadHost],
  ["GET http://u@a/ HTTP/1.1\r\n\r\n", HeadStep.BadHost],
  ["CONNECT a HTTP/1.1\r\n\r\n", HeadStep.BadTarget],
  ["CONNECT :80 HTTP/1.1\r\n\r\n", HeadStep.BadTarget],
  ["CONNECT / HTTP/1.1\r\n\r\n", HeadStep.BadTarget],
  ["CONNECT http://a/ HTTP/1.1\r\n\r\n", HeadStep.BadTarget],
  ["CONNECT a/b:80 HTTP/1.1\r\n\r\n", HeadStep.BadHost],
  ["CONNECT a:80 HTTP/1.0\r\n\r\n", HeadStep.BadVersion],
  ["GET / HTTP/1.2\r\n\r\n", HeadStep.BadVersion],
  ["GET / HTTP/2.0\r\n\r\n", HeadStep.BadVersion],
  ["GET / http/1.1\r\n\r\n", HeadStep.BadVersion],
  ["GET / HTTP/1.10\r\n\r\n", HeadStep.BadVersion],
  ["GET / HTTP/1.1 \r\n\r\n", HeadStep.BadVersion],
  ["GET / HTTP/1.1\r\r\n\r\n", HeadStep.BareCr],
  [`${MINIMAL}\rX`, HeadStep.BareCr],
  [`${MINIMAL} Host: a\r\n\r\n`, HeadStep.ObsFold],
  [`${HOST}\tfolded\r\n\r\n`, HeadStep.ObsFold],
  [`${HOST} \r\n\r\n`, HeadStep.ObsFold],
  [`${MINIMAL}Host : a\r\n\r\n`, HeadStep.SpaceBeforeColon],
  [`${MINIMAL}Host\t: a\r\n\r\n`, HeadStep.SpaceBeforeColon],
  [`${MINIMAL}: a\r\n\r\n`, HeadStep.BadFieldName],
  [`${MINIMAL}Host\r\n\r\n`, HeadStep.BadFieldName],
  [`${MINIMAL}Ho(st: a\r\n\r\n`, HeadStep.BadFieldName],
  [`${MINIMAL}H\xf6st: a\r\n\r\n`, HeadStep.BadFieldName],
  [`${MINIMAL}A: b\rc\r\n\r\n`, HeadStep.BareCr],
  [`${MINIMAL}A: b\r\r\n\r\n`, HeadStep.BareCr],
  [`${MINIMAL}A: b\0\r\n\r\n`, HeadStep.BadFieldValue],
  [`${MINIMAL}A: b\x0bc\r\n\r\n`, HeadStep.BadFieldValue],
  [`${MINIMAL}A: b\x7f\r\n\r\n`, HeadStep.BadFieldValue],
  ...["", "+5", "-5", "5,5", "5, 5", "0x5", "5 5", "5.0", "5a", "1e3", "9007199254740992", "99999999999999999999"].map(
    (length): [string, HeadStep] => [`${POST}Content-Length: ${length}\r\n\r\n`, HeadStep.BadContentLength],
  ),
  [`${POST}Content-Length: 5\r\nContent-Length: 6\r\n\r\n`, HeadStep.ContentLengthConflict],
  [`${POST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n`, HeadStep.LengthWithTransferEncoding],
  [`${POST}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n`, HeadStep.LengthWithTransferEncoding],
  ...[
    "",
    "xchunked",
    "chunkedx",
    "chunked;a=b",
    "chunked, gzip",
    "chunked, chunked",
    "gzip",
    "identity",
    ",chunked",
    "chunked,",
    "chunked gzip",
    '"chunked"',
    "identity, chunked",
  ].map((coding): [string, HeadStep] => [`${POST}Transfer-Encoding: ${coding}\r\n\r\n`, HeadStep.BadTransferEncoding]),
  [`${POST}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n`, HeadStep.BadTransferEncoding],
  [`${POST}Transfer-Encoding: \x0bchunked\r\n\r\n`, HeadStep.BadFieldValue],
  ["POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", HeadStep.TransferEncodingInHttp10],
  [`${HOST}Host: a\r\n\r\n`, HeadStep.MultipleHosts],
  ...[
    "a b",
    "a,b",
    "a/b",
    "u@a",
    "a:b",
    "a:80:81",
    "[::1",
    "[]",
    "[::1]x",
    "[g]",
    ":80",
    "a\\b",
    "a?b",
    "a#b",
    'a"b',
    "a<b",
  ].map((host): [string, HeadStep] => [`${MINIMAL}Host: ${host}\r\n\r\n`, HeadStep.BadHost]),
];

describe("request heads", () => {
  test.each(GOOD_REQUESTS.map((row) => [row.name, row] as const))("%s", (_name, row) => {
    const [step, got] = parseWhole(parseRequestHead, row.input);
    expect(headErrorReason(step)).toBe("ok");
    expect(got).toMatchObject(row.want);
    expectSameForEverySplit(parseRequestHead, row.input);
  });

  test.each(BAD_REQUESTS)("%j is refused", (input, want) => {
    expect(headErrorReason(parseWhole(parseRequestHead, input)[0])).toBe(headErrorReason(want));
    expectSameForEverySplit(parseRequestHead, input);
  });

  test.each([
    ["GET / HTTP/2", HeadStep.BadVersion],
    [`${MINIMAL}Host :`, HeadStep.SpaceBeforeColon],
    [`${HOST} `, HeadStep.ObsFold],
    [`${MINIMAL}A: \0`, HeadStep.BadFieldValue],
    [`${POST}Content-Length: x\r\n`, HeadStep.BadContentLength],
    [`${HOST}Host: b\r\n`, HeadStep.MultipleHosts],
    ["GET http://a@", HeadStep.NeedMore],
  ])("%j is answered without waiting for the rest", (input, want) => {
    expect(headErrorReason(parseWhole(parseRequestHead, input)[0])).toBe(headErrorReason(want));
  });
});

const GOOD_RESPONSES: { name: string; input: string; want: Record<string, unknown> }[] = [
  {
    name: "smallest",
    input: `${OK}\r\n`,
    want: { status: 200, minor: 1, startLine: OK, end: 19, keepAlive: true, closeAfter: false },
  },
  { name: "no reason", input: "HTTP/1.1 204 \r\n\r\n", want: { status: 204 } },
  { name: "no reason, no space", input: "HTTP/1.0 404\r\n\r\n", want: { status: 404, minor: 0, keepAlive: false } },
  { name: "bare LF", input: "HTTP/1.1 404\nA: b\n\n", want: { status: 404, fields: ["A=b"] } },
  { name: "any reason text", input: "HTTP/1.1 299 \tN\xf6 : way\r\n\r\n", want: { status: 299 } },
  {
    name: "length and coding",
    input: `${OK}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n`,
    want: { chunked: true, length: -1, closeAfter: true, fields: ["-Content-Length=5", "Transfer-Encoding=chunked"] },
  },
  {
    name: "coding and lengths",
    input: `${OK}Transfer-Encoding: chunked\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n`,
    want: {
      chunked: true,
      length: -1,
      closeAfter: true,
      fields: ["Transfer-Encoding=chunked", "-Content-Length=5", "-Content-Length=5"],
    },
  },
  {
    name: "coding that is not chunked",
    input: `${OK}Transfer-Encoding: identity\r\n\r\n`,
    want: { chunked: false, transferEncoding: true },
  },
  {
    name: "chunked in 1.0",
    input: "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    want: { chunked: true, closeAfter: true },
  },
  { name: "Host means nothing", input: `${OK}Host: a b\r\nHost: c\r\n\r\n`, want: { host: null } },
];

const BAD_RESPONSES: [input: string, want: HeadStep][] = [
  ["\r\nHTTP/1.1 200 OK\r\n\r\n", HeadStep.BadVersion],
  ["HTTP/1.2 200 OK\r\n\r\n", HeadStep.BadVersion],
  ["HTTP/1.1200 OK\r\n\r\n", HeadStep.BadVersion],
  ["ICY 200 OK\r\n\r\n", HeadStep.BadVersion],
  ["HTTP/1.1  200 OK\r\n\r\n", HeadStep.BadStartLine],
  ["HTTP/1.1 20 OK\r\n\r\n", HeadStep.BadStartLine],
  ["HTTP/1.1 2000 OK\r\n\r\n", HeadStep.BadStartLine],
  ["HTTP/1.1 099 OK\r\n\r\n", HeadStep.BadStartLine],
  ["HTTP/1.1 +20 OK\r\n\r\n", HeadStep.BadStartLine],
  ["HTTP/1.1 200 O\0K\r\n\r\n", HeadStep.BadStartLine],
  ["HTTP/1.1 200 OK\rX\r\n\r\n", HeadStep.BareCr],
  [`${OK} folded: a\r\n\r\n`, HeadStep.ObsFold],
  [`${OK}A : b\r\n\r\n`, HeadStep.SpaceBeforeColon],
  [`${OK}Content-Length: 5\r\nContent-Length: 6\r\n\r\n`, HeadStep.ContentLengthConflict],
  [`${OK}Content-Length: 5,5\r\n\r\n`, HeadStep.BadContentLength],
  [`${OK}Transfer-Encoding: chunked, chunked\r\n\r\n`, HeadStep.BadTransferEncoding],
  [`${OK}Transfer-Encoding: chunked;q=1\r\n\r\n`, HeadStep.BadTransferEncoding],
];

describe("response heads", () => {
  test.each(GOOD_RESPONSES.map((row) => [row.name, row] as const))("%s", (_name, row) => {
    const [step, got] = parseWhole(parseResponseHead, row.input);
    expect(headErrorReason(step)).toBe("ok");
    expect(got).toMatchObject(row.want);
    expectSameForEverySplit(parseResponseHead, row.input);
  });

  test.each(BAD_RESPONSES)("%j is refused", (input, want) => {
    expect(headErrorReason(parseWhole(parseResponseHead, input)[0])).toBe(headErrorReason(want));
    expectSameForEverySplit(parseResponseHead, input);
  });
});

describe("limits", () => {
  const limits: HeadLimits = { headBytesMax: 64, fieldsMax: 3 };

  test("a head of just the largest size passes, one byte more does not", () => {
    const ofSize = (bytes: number): string => `${MINIMAL}A: ${"x".repeat(bytes - MINIMAL.length - 7)}\r\n\r\n`;
    expect(ofSize(64).length).toBe(64);
    expect(parseWhole(parseRequestHead, ofSize(64), limits)[0]).toBe(HeadStep.Ok);
    expect(parseWhole(parseRequestHead, ofSize(65), limits)[0]).toBe(HeadStep.TooLarge);
    expectSameForEverySplit(parseRequestHead, ofSize(65), limits);
  });

  test("a start line, a name and empty lines without end are too large", () => {
    for (const input of [`GET /${"a".repeat(100)}`, `${MINIMAL}${"a".repeat(100)}`, "\r\n".repeat(40)]) {
      expect(parseWhole(parseRequestHead, input, limits)[0]).toBe(HeadStep.TooLarge);
      expectSameForEverySplit(parseRequestHead, input, limits);
    }
  });

  test("as many fields as allowed pass, one more does not", () => {
    expect(parseWhole(parseRequestHead, `${MINIMAL}${"A:b\r\n".repeat(3)}\r\n`, limits)[0]).toBe(HeadStep.Ok);
    const more = `${MINIMAL}${"A:b\r\n".repeat(4)}\r\n`;
    expect(parseWhole(parseRequestHead, more, limits)[0]).toBe(HeadStep.TooManyFields);
    expectSameForEverySplit(parseRequestHead, more, limits);
  });

  test("256 fields fit, and no limit makes it more", () => {
    const many = (count: number): string => `${MINIMAL}${"A:b\r\n".repeat(count)}\r\n`;
    const [step, got] = parseWhole(parseRequestHead, many(256));
    expect(step).toBe(HeadStep.Ok);
    expect(got).toHaveProperty("fields.length", 256);
    expect(parseWhole(parseRequestHead, many(257), { headBytesMax: 65536, fieldsMax: 1000 })[0]).toBe(
      HeadStep.TooManyFields,
    );
  });

  test("only the size errors are answered 431", () => {
    const sizes = Object.values(HeadStep).filter((step) => isHeadSizeError(step));
    expect(sizes).toEqual([HeadStep.TooLarge, HeadStep.TooManyFields]);
  });

  test("every code has a reason of its own", () => {
    const reasons = Object.values(HeadStep).map(headErrorReason);
    expect(new Set(reasons).size).toBe(reasons.length);
    expect(reasons).not.toContain("unknown");
  });

  test("a 64 KiB head that drips in byte by byte is looked at once", () => {
    const input = `GET /${"a".repeat(30_000)} HTTP/1.1\r\nA: ${"b".repeat(30_000)}\r\n\r\n`;
    const buf = place(input, "");
    let reads = 0;
    // Reads are counted, not timed: a proxy in front of the bytes sees each index.
    const counted = new Proxy(buf, {
      get(bytes, key): unknown {
        if (key === "length") return bytes.length;
        reads++;
        return bytes[Number(key)];
      },
    });
    const head = new Head();
    let step: HeadStep = HeadStep.NeedMore;
    for (let end = AT; end <= AT + input.length && step === HeadStep.NeedMore; end++) {
      step = parseRequestHead(counted, AT, end, DEFAULT_HEAD_LIMITS, head);
    }
    expect(step).toBe(HeadStep.Ok);
    expect(reads).toBeLessThan(input.length * 4);
  });
});

describe("properties", () => {
  const token = fc.stringMatching(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,12}$/);
  // Names of no meaning, so that values are free.
  const name = token.map((word) => `x${word}`);
  const value = fc.stringMatching(/^([!-~\x80-\xff]([ \t!-~\x80-\xff]{0,10}[!-~\x80-\xff])?)?$/);
  const fields = fc.array(fc.tuple(name, value), { maxLength: 30 });

  test("a printed request is read back, however it is cut", () => {
    fc.assert(
      fc.property(
        token,
        fc.stringMatching(/^\/[!-"$-~]{0,20}$/),
        fields,
        fc.array(fc.nat(600)),
        (method, target, list, cuts) => {
          const input = `${method} ${target} HTTP/1.1\r\n${list.map(([n, v]) => `${n}: ${v}\r\n`).join("")}\r\n`;
          fc.pre(method !== "CONNECT");
          const ordered = cuts.filter((cut) => cut < input.length).sort((a, b) => a - b);
          const [step, got] = parseCut(parseRequestHead, input, ordered, DEFAULT_HEAD_LIMITS, "x");
          expect(headErrorReason(step)).toBe("ok");
          expect(got).toMatchObject({
            target,
            fields: list.map(([n, v]) => `${n}=${v}`),
            startLine: `${method} ${target} HTTP/1.1\r\n`,
          });
        },
      ),
      { numRuns: 200 },
    );
  });

  test("any bytes give a code, the same whatever stands behind them and however they are cut", () => {
    const pieces = fc.constantFrom(
      "GET",
      " ",
      "/",
      "HTTP/1.1",
      "\r",
      "\n",
      "\r\n",
      ":",
      "Host",
      "Content-Length",
      "5",
      ",",
      "chunked",
      "Transfer-Encoding",
      "\t",
      "\0",
      "HTTP/1.1 200 OK\r\n",
      `${HOST}`,
    );
    const bytes = fc.oneof(
      fc.array(pieces, { maxLength: 20 }).map((list) => list.join("")),
      fc.uint8Array({ maxLength: 60 }).map((raw) => Buffer.from(raw).toString("latin1")),
    );
    fc.assert(
      fc.property(bytes, fc.array(fc.nat(80)), fc.boolean(), (input, cuts, request) => {
        const parse = request ? parseRequestHead : parseResponseHead;
        const ordered = cuts.filter((cut) => cut < input.length).sort((a, b) => a - b);
        const whole = parseCut(parse, input, [], DEFAULT_HEAD_LIMITS, POISONS[0]!);
        expect(Object.values(HeadStep)).toContain(whole[0]);
        expect(parseCut(parse, input, ordered, DEFAULT_HEAD_LIMITS, POISONS[1]!)).toEqual(whole);
      }),
      { numRuns: 500 },
    );
  });

  test("shift() follows a head that moves while it comes in", () => {
    const input = `${POST}Content-Length: 5\r\nX: y\r\n\r\n`;
    for (let cut = 0; cut < input.length; cut++) {
      const head = new Head();
      const buf = place(input, "");
      expect(parseRequestHead(buf, AT, AT + cut, DEFAULT_HEAD_LIMITS, head)).toBe(HeadStep.NeedMore);
      const moved = new Uint8Array(buf.length + 50);
      moved.set(buf, 50);
      head.shift(50);
      expect(parseRequestHead(moved, AT + 50, moved.length, DEFAULT_HEAD_LIMITS, head)).toBe(HeadStep.Ok);
      head.shift(-50);
      expect(summary(buf, head)).toEqual(parseWhole(parseRequestHead, input)[1]);
    }
  });
});
