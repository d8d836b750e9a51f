import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Detected, detectProtocol } from "./detect.ts";

const AT = 3;
const NAMES = Object.keys(Detected);

function place(input: string, poison: string): Uint8Array {
  return Buffer.from(`${"\n".repeat(AT)}${input}${poison}`, "latin1");
}

/** The answer to all of `input` at once, by name. */
function detect(input: string): string {
  return NAMES[detectProtocol(place(input, "\n"), AT, AT + input.length)]!;
}

/** The first answer other than NeedMore when the bytes come in one by one, and after how many of them. */
function drip(input: string, resume: boolean, poison: string): [answer: string, bytes: number] {
  const buf = place(input, poison);
  for (let bytes = 0; bytes <= input.length; bytes++) {
    const scanned = resume ? AT + Math.max(0, bytes - 1) : AT;
    const answer = detectProtocol(buf, AT, AT + bytes, scanned);
    if (answer !== Detected.NeedMore) return [NAMES[answer]!, bytes];
  }
  return ["NeedMore", input.length];
}

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/** `after`: how many bytes settle it. */
const ROWS: [input: string, want: string, after: number][] = [
  ["GET / HTTP/1.1\r\n", "Http1", 16],
  ["GET / HTTP/1.0\n", "Http1", 15],
  ["POST /a?b=c&d=%20 HTTP/1.1\r\nHost: a\r\n", "Http1", 28],
  ["PROPFIND /dav/ HTTP/1.1\r\n", "Http1", 25],
  ["M-SEARCH * HTTP/1.1\r\n", "Http1", 21],
  ["get / HTTP/1.1\r\n", "Http1", 16],
  ["CONNECT a:443 HTTP/1.1\r\n", "Http1", 24],
  ["PRI * HTTP/1.1\r\n", "Http1", 16],
  ["\r\nGET / HTTP/1.1\r\n", "Http1", 18],
  ["\n\nGET / HTTP/1.1\n", "Http1", 17],
  ["\r\n\r\nFOO / HTTP/1.1\r\n", "Http1", 20],
  // Malformed, but HTTP/1 to its sender: the parser says so.
  ["GET  / HTTP/1.1\r\n", "Http1", 17],
  ["GET /a b HTTP/1.1\r\n", "Http1", 19],
  ["GET /\0 HTTP/1.1\r\n", "Http1", 17],
  ["GET / HTTP/1.9\r\n", "Http1", 16],
  ["GET  HTTP/1.1\r\n", "Http1", 15],
  // HTTP/2, and what is nearly that.
  [PREFACE, "Http2", 24],
  [`${PREFACE}\0\0\0`, "Http2", 24],
  ["PRI * HTTP/2.0\r\n\r\nXX", "Opaque", 19],
  ["PRI * HTTP/2.0\r\nHost: a\r\n", "Opaque", 17],
  // TLS.
  ["\x16\x03\x01\x02\0", "Tls", 2],
  ["\x16\x03\x04", "Tls", 2],
  ["\x16\x04", "Opaque", 2],
  ["\x17\x03\x03", "Opaque", 1],
  ["\x80\x2e\x01\x03", "Opaque", 1],
  // HTTP-like lines that are not HTTP/1.
  ["GET /\r\n", "Opaque", 7],
  ["GET / HTTP/2.0\r\n", "Opaque", 16],
  ["GET / http/1.1\r\n", "Opaque", 16],
  ["GET / HTTP/1.1 \r\n", "Opaque", 17],
  ["GET / HTTP/1.1\r\r\n", "Opaque", 17],
  ["GET /HTTP/1.1\r\n", "Opaque", 15],
  ["FOO  / HTTP/1.1\r\n", "Opaque", 5],
  ["FOO /\0", "Opaque", 6],
  ["FOO / HTTP/1.2", "Opaque", 14],
  ["FOO / HTTP/1.1 ", "Opaque", 15],
  ["FOO / HTTP/1.1\rX", "Opaque", 16],
  ["FOO / HTTQ", "Opaque", 10],
  [`${"A".repeat(33)} / HTTP/1.1\r\n`, "Opaque", 33],
  [`${"A".repeat(32)} / HTTP/1.1\r\n`, "Http1", 45],
  ["\r\n\r\n\r\n\r\n\r\n", "Opaque", 9],
  ["\rX", "Opaque", 2],
  [" GET / HTTP/1.1\r\n", "Opaque", 1],
  // Other protocols' first words.
  ["PING\r\n", "Opaque", 5],
  ["get foo\r\n", "Opaque", 8],
  ["GET foo\r\n", "Opaque", 9],
  ["*1\r\n$4\r\nPING\r\n", "Opaque", 3],
  ["SSH-2.0-OpenSSH_9.2\r\n", "Opaque", 4],
  ["EHLO example.org\r\n", "Opaque", 17],
  ["\0\0\0\x08\x04\xd2\x16\x2f", "Opaque", 1],
  ["\0\0\0\x17\0\x12\0\x04", "Opaque", 1],
  ["AMQP\0\0\x09\x01", "Opaque", 5],
  ["\x10\x10\0\x04MQTT", "Opaque", 1],
  ["\x4a\0\0\0\x0a8.0", "Opaque", 2],
  ["CONNECT {}\r\n", "Opaque", 12],
];

describe("detectProtocol", () => {
  test.each(ROWS)("%j is %s after %i bytes", (input, want, after) => {
    expect(detect(input)).toBe(want);
    for (const poison of ["\r\n", "\0"]) {
      expect(drip(input, false, poison)).toEqual([want, after]);
      expect(drip(input, true, poison)).toEqual([want, after]);
    }
  });

  test("a line that never ends", () => {
    const long = "a".repeat(65_600);
    expect(detect(`GET /${long}`)).toBe("Http1");
    expect(detect(`FOO /${long}`)).toBe("Opaque");
    expect(detect(`GET /${long.slice(0, 65_000)}`)).toBe("NeedMore");
    expect(detect(`FOO /${long.slice(0, 65_000)}`)).toBe("NeedMore");
    expect(detect(`GET /${long.slice(0, 65_500)} HTTP/1.1\r\n`)).toBe("Http1");
  });

  test("what was scanned before is not read again", () => {
    const input = `FOO /${"a".repeat(20_000)}`;
    let reads = 0;
    const counted = new Proxy(place(input, ""), {
      get(bytes, key): unknown {
        if (key === "length") return bytes.length;
        reads++;
        return bytes[Number(key)];
      },
    });
    for (let end = AT; end <= AT + input.length; end++) {
      expect(detectProtocol(counted, AT, end, Math.max(AT, end - 1))).toBe(Detected.NeedMore);
    }
    expect(reads).toBeLessThan(input.length * 60);
  });

  test("any bytes: one answer, dripped or whole, whatever stands behind them", () => {
    const piece = fc.constantFrom(
      "GET",
      "FOO",
      "PRI * HTTP/2.0\r\n\r\n",
      "SM",
      " ",
      "/",
      "HTTP/1.1",
      "HTTP/1.",
      "0",
      "\r\n",
      "\n",
      "\r",
      "\x16",
      "\x03",
      "a",
    );
    const bytes = fc.oneof(
      fc.array(piece, { maxLength: 10 }).map((pieces) => pieces.join("")),
      fc.uint8Array({ maxLength: 30 }).map((raw) => Buffer.from(raw).toString("latin1")),
    );
    fc.assert(
      fc.property(bytes, (input) => {
        const whole = detect(input);
        expect(drip(input, false, "\r\n")[0]).toBe(whole);
        expect(drip(input, true, "\0")[0]).toBe(whole);
      }),
      { numRuns: 1000 },
    );
  });
});
