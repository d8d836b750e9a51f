import { expect, test } from "bun:test";
import { BodyKind, requestBodyKind, responseBodyKind } from "./body-kind.ts";
import { DEFAULT_HEAD_LIMITS, Head, Method } from "./head.ts";
import { HeadStep } from "./head-step.ts";
import { parseRequestHead, parseResponseHead } from "./parse-head.ts";

const LENGTH = "Content-Length: 5\r\n";
const ZERO = "Content-Length: 0\r\n";
const CHUNKED = "Transfer-Encoding: chunked\r\n";
const GZIP = "Transfer-Encoding: gzip\r\n";

test.each([
  ["POST / HTTP/1.1", "", BodyKind.None],
  ["POST / HTTP/1.1", ZERO, BodyKind.None],
  ["POST / HTTP/1.1", LENGTH, BodyKind.Length],
  ["GET / HTTP/1.0", LENGTH, BodyKind.Length],
  ["GET / HTTP/1.1", CHUNKED, BodyKind.Chunked],
  ["HEAD / HTTP/1.1", LENGTH, BodyKind.Length],
  ["CONNECT a:1 HTTP/1.1", "", BodyKind.None],
  ["CONNECT a:1 HTTP/1.1", LENGTH, BodyKind.Length],
])("request %s with %j", (line, fields, want) => {
  const head = new Head();
  const bytes = Buffer.from(`${line}\r\n${fields}\r\n`);
  expect(parseRequestHead(bytes, 0, bytes.length, DEFAULT_HEAD_LIMITS, head)).toBe(HeadStep.Ok);
  expect(requestBodyKind(head)).toBe(want);
});

test.each([
  [200, Method.Get, "", BodyKind.Close],
  [200, Method.Get, ZERO, BodyKind.None],
  [200, Method.Get, LENGTH, BodyKind.Length],
  [200, Method.Get, CHUNKED, BodyKind.Chunked],
  [200, Method.Get, LENGTH + CHUNKED, BodyKind.Chunked],
  [200, Method.Get, GZIP, BodyKind.Close],
  [200, Method.Get, LENGTH + GZIP, BodyKind.Close],
  [200, Method.Head, LENGTH, BodyKind.None],
  [200, Method.Head, CHUNKED, BodyKind.None],
  [200, Method.Head, "", BodyKind.None],
  [100, Method.Post, LENGTH, BodyKind.None],
  [103, Method.Get, "", BodyKind.None],
  [101, Method.Get, LENGTH, BodyKind.Tunnel],
  [204, Method.Get, LENGTH, BodyKind.None],
  [204, Method.Get, CHUNKED, BodyKind.None],
  [304, Method.Get, LENGTH, BodyKind.None],
  [404, Method.Get, "", BodyKind.Close],
  [200, Method.Connect, LENGTH, BodyKind.Tunnel],
  [299, Method.Connect, CHUNKED, BodyKind.Tunnel],
  [407, Method.Connect, LENGTH, BodyKind.Length],
  [304, Method.Connect, "", BodyKind.None],
])("response %i to method %i with %j", (status, method, fields, want) => {
  const head = new Head();
  const bytes = Buffer.from(`HTTP/1.1 ${status} X\r\n${fields}\r\n`);
  expect(parseResponseHead(bytes, 0, bytes.length, DEFAULT_HEAD_LIMITS, head)).toBe(HeadStep.Ok);
  expect(responseBodyKind(head, method)).toBe(want);
});
