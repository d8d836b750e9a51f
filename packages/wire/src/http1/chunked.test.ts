import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { CHUNK_EXT_BYTES_MAX, CHUNK_LINE_BYTES_MAX, ChunkError, ChunkedScanner, chunkErrorReason } from "./chunked.ts";

const AT = 5;
const TRAILERS_MAX = 200;

interface Outcome {
  good: number;
  done: boolean;
  error: string;
  dataBytes: number;
}

/** Scans as a caller does: what was not released is presented again, with the next bytes behind it. */
function scanCut(input: string, cuts: readonly number[], poison: string, trailersMax = TRAILERS_MAX): Outcome {
  const scanner = new ChunkedScanner();
  scanner.reset(trailersMax);
  let good = 0;
  for (const cut of [...cuts, input.length]) {
    // Only the bytes up to the cut exist; behind them stands what must not be read.
    const buf = Buffer.from(`${"0".repeat(AT)}${input.slice(0, cut)}${poison}`, "latin1");
    good = scanner.scan(buf, AT + good, AT + cut) - AT;
    expect(good).toBeLessThanOrEqual(cut);
    if (scanner.done || scanner.error !== ChunkError.None) break;
  }
  return { good, done: scanner.done, error: chunkErrorReason(scanner.error), dataBytes: scanner.dataBytes };
}

function scanEveryWay(input: string, trailersMax = TRAILERS_MAX): Outcome {
  const whole = scanCut(input, [], "\r\n", trailersMax);
  const everyByte = Array.from({ length: input.length }, (_, i) => i);
  for (const poison of ["\r\n\r\n", "\0\0"]) {
    expect(scanCut(input, everyByte, poison, trailersMax)).toEqual(whole);
    for (const cut of everyByte) expect(scanCut(input, [cut], poison, trailersMax)).toEqual(whole);
  }
  return whole;
}

describe("good bodies", () => {
  test.each([
    ["empty", "0\r\n\r\n", 0],
    ["one chunk", "5\r\nhello\r\n0\r\n\r\n", 5],
    ["hex in either case, leading zeros", "00a\r\n0123456789\r\nA\r\n0123456789\r\n000\r\n\r\n", 20],
    ["data that looks like framing", "7\r\n0\r\n\r\n\r\n\r\n0\r\n\r\n", 7],
    ["extensions", '3;a\r\nabc\r\n1 ; b = "c;d" \r\nx\r\n0;last\r\n\r\n', 4],
    ["trailers", "1\r\nx\r\n0\r\nGrpc-Status: 0\r\nEmpty:\r\nX:\ty \r\n\r\n", 1],
  ])("%s", (_name, input, dataBytes) => {
    expect(scanEveryWay(input)).toEqual({ good: input.length, done: true, error: "none", dataBytes });
  });

  test("bytes behind the body are the next message's", () => {
    expect(scanCut("0\r\n\r\nGET / HTTP/1.1\r\n", [], "")).toMatchObject({ good: 5, done: true });
  });

  test("a chunk of the largest size is counted exactly", () => {
    const scanner = new ChunkedScanner();
    scanner.reset(TRAILERS_MAX);
    const buf = Buffer.from("1fffffffffffff\r\nabc");
    expect(scanner.scan(buf, 0, buf.length)).toBe(buf.length);
    expect(scanner.dataBytes).toBe(3);
  });
});

describe("bad bodies", () => {
  test.each([
    ["\r\n", 0, ChunkError.BadChunkSize],
    ["\n", 0, ChunkError.BareLf],
    ["g\r\n", 0, ChunkError.BadChunkSize],
    [" 5\r\n", 0, ChunkError.BadChunkSize],
    ["5 \r\nhello\r\n", 0, ChunkError.BadChunkSize],
    ["5\t\r\nhello\r\n", 0, ChunkError.BadChunkSize],
    ["+5\r\n", 0, ChunkError.BadChunkSize],
    ["-5\r\n", 0, ChunkError.BadChunkSize],
    ["0x5\r\n", 0, ChunkError.BadChunkSize],
    ["5_\r\n", 0, ChunkError.BadChunkSize],
    ["5.0\r\n", 0, ChunkError.BadChunkSize],
    [";a\r\n", 0, ChunkError.BadChunkSize],
    ["5\0\r\n", 0, ChunkError.BadChunkSize],
    ["5\nhello\r\n", 0, ChunkError.BareLf],
    ["5\rhello\r\n", 0, ChunkError.MissingCrlf],
    ["5\r\r\nhello\r\n", 0, ChunkError.MissingCrlf],
    ["5;a\nhello", 0, ChunkError.BareLf],
    ["5;a\rb\r\nhello", 0, ChunkError.MissingCrlf],
    ["5;a\0\r\nhello", 0, ChunkError.BadChunkExt],
    ["20000000000000\r\n", 0, ChunkError.ChunkSizeOverflow],
    ["ffffffffffffffff\r\n", 0, ChunkError.ChunkSizeOverflow],
    ["10000000000000005\r\n", 0, ChunkError.ChunkSizeOverflow],
    ["00000000000000005\r\n", 0, ChunkError.ChunkSizeOverflow],
    ["5\r\nhelloX", 8, ChunkError.MissingCrlf],
    ["5\r\nhello\n0\r\n\r\n", 8, ChunkError.BareLf],
    ["5\r\nhello\rX", 9, ChunkError.MissingCrlf],
    ["5\r\nhello\r\n\r\n", 10, ChunkError.BadChunkSize],
    ["0\r\n\n", 3, ChunkError.BareLf],
    ["0\r\n\rX", 3, ChunkError.BadTrailer],
    ["0\r\nA: b\n\r\n", 3, ChunkError.BareLf],
    ["0\r\nA: b\rc\r\n\r\n", 3, ChunkError.BadTrailer],
    ["0\r\nA: b\0\r\n\r\n", 3, ChunkError.BadTrailer],
    ["0\r\nA : b\r\n\r\n", 3, ChunkError.BadTrailer],
    ["0\r\nA: b\r\n folded\r\n\r\n", 9, ChunkError.BadTrailer],
    ["0\r\n: b\r\n\r\n", 3, ChunkError.BadTrailer],
    ["0\r\nGET / HTTP/1.1\r\n\r\n", 3, ChunkError.BadTrailer],
    ["0\r\nA: b\r\nContent-Length: 5\r\n\r\n", 9, ChunkError.BadTrailer],
    ["0\r\ntransfer-encoding: chunked\r\n\r\n", 3, ChunkError.BadTrailer],
    ["0\r\nHOST: a\r\n\r\n", 3, ChunkError.BadTrailer],
  ])("%j is good up to %i", (input, good, error) => {
    expect(scanEveryWay(input)).toMatchObject({ good, done: false, error: chunkErrorReason(error) });
  });

  test("after an error nothing more is good", () => {
    const scanner = new ChunkedScanner();
    scanner.reset(TRAILERS_MAX);
    expect(scanner.scan(Buffer.from("x"), 0, 1)).toBe(0);
    expect(scanner.scan(Buffer.from("5\r\n"), 0, 3)).toBe(0);
    expect(scanner.error).toBe(ChunkError.BadChunkSize);
  });
});

describe("bounds", () => {
  test("a chunk line has a largest length", () => {
    const line = (bytes: number): string => `1;${"e".repeat(bytes - 4)}\r\n`;
    expect(scanCut(line(CHUNK_LINE_BYTES_MAX), [], "")).toMatchObject({ good: CHUNK_LINE_BYTES_MAX, error: "none" });
    expect(scanCut(line(CHUNK_LINE_BYTES_MAX + 1), [], "")).toMatchObject({
      good: 0,
      error: "chunk-extensions-too-long",
    });
  });

  test("extensions may not outweigh the data by more than the allowance", () => {
    const chunk = `1;${"e".repeat(1000)}\r\nx\r\n`;
    const fit = Math.floor(CHUNK_EXT_BYTES_MAX / 1000);
    expect(scanCut(chunk.repeat(fit), [], "").error).toBe("none");
    expect(scanCut(chunk.repeat(fit + 1), [], "").error).toBe("chunk-extensions-too-long");
  });

  test("data pays for the extensions of a long upload", () => {
    const chunk = `400;signature=${"e".repeat(90)}\r\n${"x".repeat(0x400)}\r\n`;
    expect(scanCut(chunk.repeat(500), [], "")).toMatchObject({ error: "none", dataBytes: 500 * 0x400 });
  });

  test("the trailer section has a largest size, its empty line included", () => {
    const body = "0\r\nA: b\r\nC: d\r\n\r\n";
    expect(scanEveryWay(body, 14)).toMatchObject({ done: true, good: body.length });
    expect(scanEveryWay(body, 13)).toMatchObject({ done: false, good: 15, error: "trailers-too-large" });
    expect(scanEveryWay(body, 10)).toMatchObject({ done: false, good: 9, error: "trailers-too-large" });
  });

  test("data is skipped, not read", () => {
    const input = Buffer.from(`100000\r\n${"x".repeat(0x100000)}\r\n0\r\n\r\n`);
    let reads = 0;
    const counted = new Proxy(input, {
      get(bytes, key): unknown {
        if (key === "length") return bytes.length;
        reads++;
        return bytes[Number(key)];
      },
    });
    const scanner = new ChunkedScanner();
    scanner.reset(TRAILERS_MAX);
    scanner.scan(counted, 0, input.length);
    expect(scanner.done).toBe(true);
    expect(reads).toBeLessThan(100);
  });

  test("every error has a reason of its own", () => {
    const reasons = Object.values(ChunkError).map(chunkErrorReason);
    expect(new Set(reasons).size).toBe(reasons.length);
    expect(reasons).not.toContain("unknown");
  });
});

describe("properties", () => {
  const chunk = fc.tuple(
    fc.string({ minLength: 1, maxLength: 40, unit: fc.constantFrom("a", "\r", "\n", "0", "\0") }),
    fc.constantFrom("", ";x", ' ; y="z"'),
  );
  const cuts = fc.array(fc.nat(400), { maxLength: 12 });
  const within = (all: readonly number[], input: string): number[] =>
    all.filter((cut) => cut < input.length).sort((a, b) => a - b);

  test("a printed body is followed to its end, however it is cut", () => {
    fc.assert(
      fc.property(fc.array(chunk, { maxLength: 8 }), fc.boolean(), cuts, (chunks, trailer, all) => {
        const data = chunks.map(([text, ext]) => `${text.length.toString(16)}${ext}\r\n${text}\r\n`).join("");
        const input = `${data}0\r\n${trailer ? "T: v\r\n" : ""}\r\n`;
        const dataBytes = chunks.reduce((sum, [text]) => sum + text.length, 0);
        expect(scanCut(input, within(all, input), "\n")).toEqual({
          good: input.length,
          done: true,
          error: "none",
          dataBytes,
        });
      }),
      { numRuns: 200 },
    );
  });

  test("any bytes give the same answer however they are cut", () => {
    const piece = fc.constantFrom("0", "1", "a", ";", " ", "\r\n", "\r", "\n", "x", ":", "T: v", "\0");
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 25 }), cuts, (pieces, all) => {
        const input = pieces.join("");
        expect(scanCut(input, within(all, input), "\0")).toEqual(scanCut(input, [], "\r\n"));
      }),
      { numRuns: 500 },
    );
  });

  test("collecting finds the data and the trailers, however the body is cut", () => {
    const trailer = fc.constantFrom("T: v\r\n", "u:\r\n", "0: 3\r\n");
    fc.assert(
      fc.property(
        fc.array(chunk, { maxLength: 8 }),
        fc.array(trailer, { maxLength: 3 }),
        cuts,
        (chunks, lines, all) => {
          const framed = chunks.map(([text, ext]) => `${text.length.toString(16)}${ext}\r\n${text}\r\n`).join("");
          const trailers = lines.join("");
          const input = `${framed}0\r\n${trailers}\r\n`;
          expect(collectCut(input, within(all, input))).toMatchObject({
            good: input.length,
            done: true,
            data: chunks.map(([text]) => text).join(""),
            trailers,
          });
        },
      ),
      { numRuns: 300 },
    );
  });

  test("collecting ends, or fails, where scanning does", () => {
    const piece = fc.constantFrom("0", "1", "a", ";", "\r\n", "\r", "x", ":", "T: v", "3\r\nabc\r\n", "0\r\n");
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 25 }), cuts, (pieces, all) => {
        const input = pieces.join("");
        expect(collectCut(input, within(all, input))).toMatchObject(scanCut(input, [], "\r\n"));
      }),
      { numRuns: 500 },
    );
  });
});

/** As scanCut, by collect(). */
function collectCut(input: string, cuts: readonly number[]): Outcome & { data: string; trailers: string } {
  const scanner = new ChunkedScanner();
  scanner.reset(TRAILERS_MAX);
  let good = 0;
  let data = "";
  let trailers = "";
  for (const cut of [...cuts, input.length]) {
    const buf = Buffer.from(`${"0".repeat(AT)}${input.slice(0, cut)}`, "latin1");
    good = scanner.collect(buf, AT + good, AT + cut) - AT;
    data += buf.toString("latin1", scanner.dataAt, scanner.dataEnd);
    trailers += buf.toString("latin1", scanner.trailersAt, scanner.trailersEnd);
    if (scanner.done || scanner.error !== ChunkError.None) break;
  }
  const { done, error, dataBytes } = scanner;
  return { good, done, error: chunkErrorReason(error), dataBytes, data, trailers };
}
