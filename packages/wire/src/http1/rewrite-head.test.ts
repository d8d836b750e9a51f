import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ascii } from "../ascii.ts";
import { markField, markFraming, markHopByHop, markIndex } from "./drop.ts";
import { DEFAULT_HEAD_LIMITS, FIELD_STRIDE, Head, NAME_START, VALUE_END } from "./head.ts";
import { HeadStep } from "./head-step.ts";
import { parseRequestHead, parseResponseHead } from "./parse-head.ts";
import { rewriteHead, rewrittenHeadBytes } from "./rewrite-head.ts";

const HEADROOM = 64;
const BODY = "body bytes";

function parsed(input: string): { buf: Uint8Array; head: Head } {
  const buf = Buffer.from(`${"#".repeat(HEADROOM)}${input}${BODY}`, "latin1");
  const head = new Head();
  const parse = input.startsWith("HTTP/") ? parseResponseHead : parseRequestHead;
  expect(parse(buf, HEADROOM, HEADROOM + input.length, DEFAULT_HEAD_LIMITS, head)).toBe(HeadStep.Ok);
  return { buf, head };
}

/** The head after rewriting; checks on the way that nothing outside it has changed. */
function rewritten(buf: Uint8Array, head: Head, insert: Uint8Array | null, insertBytes = insert?.length ?? 0): string {
  const end = head.end;
  const bytes = rewrittenHeadBytes(head, insertBytes);
  const start = rewriteHead(buf, head, insert, insertBytes);
  expect(head.end).toBe(end);
  expect(end - start).toBe(bytes);
  expect(start).toBe(head.start);
  expect(Buffer.from(buf.subarray(end)).toString("latin1")).toBe(BODY);
  expect(Buffer.from(buf.subarray(0, Math.min(start, HEADROOM))).toString()).toBe(
    "#".repeat(Math.min(start, HEADROOM)),
  );
  return Buffer.from(buf.subarray(start, end)).toString("latin1");
}

/** Field names separated by spaces, in order. */
function names(text: string): string {
  const lines = text.split("\r\n").slice(1, -2);
  return lines.map((line) => line.slice(0, line.indexOf(":"))).join(" ");
}

function request(...lines: string[]): string {
  return `GET / HTTP/1.1\r\n${lines.map((line) => `${line}\r\n`).join("")}\r\n`;
}

describe("markHopByHop", () => {
  test.each([
    ["nothing to remove", ["Host: a", "Accept: b", "TE: trailers", "Trailer: x"], "Host Accept TE Trailer"],
    ["connection itself", ["Host: a", "Connection: close"], "Host"],
    ["fields it names, all of them, in any case", ["FOO: 1", "Connection: foo , Bar", "A: b", "bar: 2", "Foo: 3"], "A"],
    ["two Connection lines", ["Foo: 1", "Connection: foo", "Bar: 1", "Connection: bar", "A: b"], "A"],
    ["keep-alive, proxy-connection, upgrade", ["Keep-Alive: 5", "Proxy-Connection: x", "Upgrade: h2c", "A: b"], "A"],
    ["TE and Trailer when named", ["TE: trailers", "Trailer: x", "Connection: te, trailer"], ""],
    [
      "never framing or routing",
      ["Host: a", "Content-Length: 0", "Connection: host, content-length, transfer-encoding"],
      "Host Content-Length",
    ],
    ["never chunked", ["Transfer-Encoding: chunked", "Connection: Transfer-Encoding"], "Transfer-Encoding"],
    ["names that only begin alike", ["Fo: 1", "Fooo: 2", "Connection: foo"], "Fo Fooo"],
    ["^ and ~ are different letters", ["a^: 1", "a~: 2", "Connection: A^"], "a~"],
    ["odd separators", ["Foo: 1", 'Connection: ;,"foo" ,'], ""],
  ])("%s", (_name, lines, want) => {
    const { buf, head } = parsed(request(...lines));
    markHopByHop(buf, head);
    expect(names(rewritten(buf, head, null))).toBe(want);
  });
});

describe("marks", () => {
  test("markField() takes every field of a name and no other", () => {
    const { buf, head } = parsed(request("l5d-x: 1", "A: 2", "L5D-X: 3", "l5d-xy: 4", "l5d_x: 5"));
    markField(buf, head, ascii("l5d-x"));
    markField(buf, head, ascii("l5d_x"));
    expect(names(rewritten(buf, head, null))).toBe("A l5d-xy");
  });

  test("markFraming() takes lengths and codings", () => {
    const { buf, head } = parsed("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n");
    markFraming(head);
    expect(names(rewritten(buf, head, null))).toBe("A");
  });

  test("marking twice counts once", () => {
    const { head } = parsed(request("A: b", "C: d"));
    markIndex(head, 1);
    markIndex(head, 1);
    expect([head.dropCount, head.dropBytes]).toEqual([1, 6]);
  });

  test("repeated lengths leave without being asked", () => {
    const { buf, head } = parsed("POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 5\r\nA: b\r\n\r\n");
    expect(rewritten(buf, head, null)).toBe("POST / HTTP/1.1\r\nContent-Length: 5\r\nA: b\r\n\r\n");
  });
});

describe("rewriteHead", () => {
  test("without marks and without lines nothing is touched", () => {
    const { buf, head } = parsed(request("A: b"));
    const before = buf.slice();
    expect(rewriteHead(buf, head, null, 0)).toBe(HEADROOM);
    expect(rewriteHead(buf, head, ascii("X: y\r\n"), 0)).toBe(HEADROOM);
    expect(buf).toEqual(before);
  });

  test("lines go behind the start line, into the headroom", () => {
    const { buf, head } = parsed(request("A: b"));
    expect(rewritten(buf, head, ascii("X: y\r\n"))).toBe("GET / HTTP/1.1\r\nX: y\r\nA: b\r\n\r\n");
    expect(head.start).toBe(HEADROOM - 6);
  });

  test("only the first insertBytes bytes are inserted", () => {
    const { buf, head } = parsed(request("A: b"));
    expect(rewritten(buf, head, ascii("X: y\r\nleftover"), 6)).toBe("GET / HTTP/1.1\r\nX: y\r\nA: b\r\n\r\n");
  });

  test("offsets describe the bytes as they are now", () => {
    const { buf, head } = parsed(request("B: 1", "Host: h:1", "C: 2", "D: 3"));
    markIndex(head, 0);
    markIndex(head, 2);
    rewritten(buf, head, ascii("X: y\r\n"));
    const slice = (from: number, to: number): string => Buffer.from(buf.subarray(from, to)).toString();
    expect(slice(head.hostStart, head.hostEnd)).toBe("h:1");
    expect(slice(head.targetStart, head.targetEnd)).toBe("/");
    expect(slice(head.start, head.lineEnd)).toBe("GET / HTTP/1.1\r\n");
    expect([head.fieldCount, head.hostField, head.dropCount]).toEqual([2, 0, 0]);
    const second = FIELD_STRIDE;
    expect(slice(head.fields[second + NAME_START]!, head.fields[second + VALUE_END]!)).toBe("D: 3");
  });

  test("a host in the target moves with the target; a removed Host is gone", () => {
    const absolute = parsed("GET http://t/ HTTP/1.1\r\nHost: f\r\nA: b\r\n\r\n");
    markField(absolute.buf, absolute.head, ascii("host"));
    rewritten(absolute.buf, absolute.head, null);
    const { hostStart, hostEnd } = absolute.head;
    expect(Buffer.from(absolute.buf.subarray(hostStart, hostEnd)).toString()).toBe("t");
    const origin = parsed(request("Host: f", "A: b"));
    markField(origin.buf, origin.head, ascii("host"));
    rewritten(origin.buf, origin.head, null);
    expect([origin.head.hostStart, origin.head.hostEnd, origin.head.hostField]).toEqual([-1, -1, -1]);
  });

  test("kept fields stay as they are and in order, for any marks and lines", () => {
    const field = fc.stringMatching(/^x[a-z]{0,5}:[ \t]{0,2}[!-~]{0,8}[ \t]{0,2}$/);
    const line = fc.record({ text: field, drop: fc.boolean(), end: fc.constantFrom("\r\n", "\n") });
    fc.assert(
      fc.property(
        fc.array(line, { maxLength: 12 }),
        fc.constantFrom("", "X: y\r\n", "Long-Name: long value\r\nZ: 1\r\n"),
        (lines, insert) => {
          const { buf, head } = parsed(`GET /t HTTP/1.1\r\n${lines.map((l) => l.text + l.end).join("")}\r\n`);
          lines.forEach((l, index) => {
            if (l.drop) markIndex(head, index);
          });
          const kept = lines.filter((l) => !l.drop).map((l) => l.text + l.end);
          expect(rewritten(buf, head, insert === "" ? null : ascii(insert))).toBe(
            `GET /t HTTP/1.1\r\n${insert}${kept.join("")}\r\n`,
          );
          // The entries are right if parsing the result finds the same ones.
          const again = new Head();
          expect(parseRequestHead(buf, head.start, head.end, DEFAULT_HEAD_LIMITS, again)).toBe(HeadStep.Ok);
          const inserted = again.fieldCount - head.fieldCount;
          expect(head.fields.slice(0, head.fieldCount * FIELD_STRIDE)).toEqual(
            again.fields.slice(inserted * FIELD_STRIDE, again.fieldCount * FIELD_STRIDE),
          );
        },
      ),
      { numRuns: 200 },
    );
  });
});
