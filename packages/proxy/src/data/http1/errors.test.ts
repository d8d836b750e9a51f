import { expect, test } from "bun:test";
import { Buf } from "@bowline/loop";
import { DEFAULT_HEAD_LIMITS, Head, HeadStep, parseResponseHead } from "@bowline/wire";
import { Cause, FAILURES } from "../failures.ts";
import { writeErrorResponse } from "./errors.ts";

/** The cause's name, the status line, and what people are told. */
const ROWS: readonly [keyof typeof Cause, string, string, string][] = [
  ["ConnectRefused", "502 Bad Gateway", "connect-refused", "connection refused"],
  ["ConnectTimeout", "504 Gateway Timeout", "connect-timeout", "connect timed out"],
  ["ConnectUnreachable", "502 Bad Gateway", "connect-unreachable", "destination unreachable"],
  ["ConnectFailed", "502 Bad Gateway", "connect-failed", "connect failed"],
  ["NoSockets", "503 Service Unavailable", "no-sockets", "no file descriptor left for a connection"],
  ["UpstreamClosed", "502 Bad Gateway", "upstream-closed", "connection closed before a response"],
  ["UpstreamReset", "502 Bad Gateway", "upstream-reset", "connection reset before a response"],
  ["BadResponse", "502 Bad Gateway", "bad-response", "the response is not valid HTTP"],
  ["LoadShed", "503 Service Unavailable", "load-shed", "too many requests in flight"],
  ["InboundLoop", "403 Forbidden", "inbound-loop", "the request is addressed to the proxy itself"],
  ["OutboundLoop", "502 Bad Gateway", "outbound-loop", "the request is addressed to the proxy itself"],
  ["BadRequest", "400 Bad Request", "bad-request", "the request is not valid HTTP"],
  ["HeadTooLarge", "431 Request Header Fields Too Large", "head-too-large", "the request head is too large"],
  ["HeadTimeout", "408 Request Timeout", "head-timeout", "the request head did not arrive in time"],
  ["Failfast", "504 Gateway Timeout", "failfast", "no endpoint could be reached in time"],
  ["RouteNotFound", "404 Not Found", "route-not-found", "no route matches the request"],
  ["RouteTimeout", "504 Gateway Timeout", "route-timeout", "the route's time for a response is over"],
  [
    "InvalidPolicy",
    "500 Internal Server Error",
    "invalid-policy",
    "the control plane sent a policy that cannot be followed",
  ],
  ["NoDispatcher", "502 Bad Gateway", "no-dispatcher", "the backend has no dispatcher"],
  ["Forbidden", "403 Forbidden", "forbidden", "the route forbids the connection"],
];
const CLIENT_FAULTS: readonly string[] = ["BadRequest", "HeadTooLarge", "HeadTimeout"];

function written(cause: Cause, detail: string, informational: boolean): string {
  const buf = new Buf(4096, 0);
  const end = writeErrorResponse(buf, 7, cause, detail, informational);
  const head = new Head();
  expect(parseResponseHead(buf.bytes, 7, end, DEFAULT_HEAD_LIMITS, head)).toBe(HeadStep.Ok);
  expect([head.end, head.contentLength, head.keepAlive]).toEqual([end, 0, false]);
  return new TextDecoder().decode(buf.bytes.subarray(7, end));
}

test.each(ROWS)("%s is answered with %s, and those who may know are told why", (cause, status, name, message) => {
  const bare = `HTTP/1.1 ${status}\r\ncontent-length: 0\r\nconnection: close\r\n`;
  const told = (text: string): string => `${bare}l5d-proxy-error: ${text}\r\nl5d-proxy-error-cause: ${name}\r\n\r\n`;
  expect(written(Cause[cause], "", true)).toBe(told(message));
  expect(written(Cause[cause], "10.1.0.1:80", true)).toBe(told(`${message} (10.1.0.1:80)`));
  // Whose fault it is may always be told to them.
  expect(written(Cause[cause], "", false)).toBe(CLIENT_FAULTS.includes(cause) ? told(message) : `${bare}\r\n`);
});

test("every cause that has a status has a row above, and no two have one name", () => {
  const answered = Object.entries(Cause).filter(([, cause]) => FAILURES[cause].status !== 0);
  expect(answered.map(([name]) => name).sort()).toEqual(ROWS.map(([name]) => name).sort());
  const names = Object.values(FAILURES).map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
});
