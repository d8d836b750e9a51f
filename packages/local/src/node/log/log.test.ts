import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { appendFileSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { waitFor } from "@bowline/testkit";
import fc from "fast-check";
import type { LogOptions } from "../types.ts";
import { LogRecorder, readTimes } from "./log-recorder.ts";
import { type LiveLog, streamLog } from "./log-stream.ts";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "bowline-log-"));
});

afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

const MINUTE_MS = 60_000;

/** A log of parts that were written so many minutes ago. */
function write(parts: readonly (readonly [text: string, minutesAgo: number])[]): void {
  writeFileSync(join(directory, "log"), parts.map(([text]) => text).join(""));
  let offset = 0;
  const lines = parts.map(([text, minutesAgo]) => {
    offset += Buffer.byteLength(text);
    return `${offset} ${Date.now() - minutesAgo * MINUTE_MS}\n`;
  });
  writeFileSync(join(directory, "times"), `0 ${Date.now() - 100 * MINUTE_MS}\n${lines.join("")}`);
}

async function read(options: LogOptions = {}, live?: LiveLog): Promise<string> {
  return await new Response(streamLog(directory, options, live)).text();
}

describe("streamLog", () => {
  const rows: [name: string, options: LogOptions, want: string][] = [
    ["everything", {}, "one\ntwo\nthree\nfour"],
    ["the last lines", { tailLines: 2 }, "three\nfour"],
    ["no lines", { tailLines: 0 }, ""],
    ["more lines than there are", { tailLines: 100 }, "one\ntwo\nthree\nfour"],
    ["since", { sinceSeconds: 25 * 60 }, "three\nfour"],
    ["since before it all", { sinceSeconds: 9999 }, "one\ntwo\nthree\nfour"],
    ["since a time", { sinceTime: new Date(Date.now() - 15 * MINUTE_MS).toISOString() }, "four"],
    ["the later of both", { sinceSeconds: 25 * 60, tailLines: 1 }, "four"],
    ["so many bytes", { limitBytes: 6 }, "one\ntw"],
    ["so many bytes of the last lines", { limitBytes: 3, tailLines: 2 }, "thr"],
  ];
  test.each(rows)("%s", async (_, options, want) => {
    write([
      ["one\ntwo\n", 30],
      ["three\n", 20],
      ["four", 10],
    ]);
    expect(await read(options)).toBe(want);
  });

  test("a line's time is when it was written", async () => {
    write([
      ["one\ntw", 30],
      ["o\n", 20],
      ["three", 10],
    ]);
    const times = readTimes(directory);
    const at = (index: number) => new Date(times[index]?.ms ?? 0).toISOString().slice(0, -1);
    const want = [`${at(1)}000000Z one`, `${at(2)}000000Z two`, `${at(3)}000000Z three`].join("\n");
    expect(await read({ timestamps: true })).toBe(want);
  });

  test("the last lines of any text are its last lines", async () => {
    const texts = fc.array(fc.constantFrom("a", "\n", "bcd", "\n\n", "é"), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(texts, fc.nat(10), async (parts, tailLines) => {
        const text = parts.join("");
        write([[text, 1]]);
        const lines = text.split(/(?<=\n)/).filter((line) => line !== "");
        expect(await read({ tailLines })).toBe(tailLines === 0 ? "" : lines.slice(-tailLines).join(""));
      }),
      { numRuns: 50 },
    );
  });

  test("long lines across chunks keep whole", async () => {
    const long = "x".repeat(150_000);
    write([[`${long}\n${long}\nend\n`, 1]]);
    const got = await read({ timestamps: true });
    expect(got.split("\n").map((line) => line.split(" ")[1]?.length)).toEqual([150_000, 150_000, 3, undefined]);
    expect(await read({ tailLines: 2 })).toBe(`${long}\nend\n`);
  });

  test("nothing of a log that is not there", async () => {
    expect(await read()).toBe("");
  });
});

describe("following", () => {
  test("what comes, until the end", async () => {
    const recorder = new LogRecorder(directory);
    const end = Promise.withResolvers<void>();
    const text = read({ follow: true }, { onGrowth: (listener) => recorder.onGrowth(listener), ended: end.promise });
    for (const line of ["one\n", "two\n", "three"]) {
      const size = statSync(join(directory, "log")).size + line.length;
      appendFileSync(join(directory, "log"), line);
      await waitFor(() => readTimes(directory).at(-1)?.offset === size, { what: "the line's time" });
    }
    recorder.close();
    end.resolve();
    expect(await text).toBe("one\ntwo\nthree");
  });

  test("a reader who goes away is let go", async () => {
    const recorder = new LogRecorder(directory);
    let listeners = 0;
    const live: LiveLog = {
      onGrowth: (listener) => {
        listeners += 1;
        const unsubscribe = recorder.onGrowth(listener);
        return () => {
          listeners -= 1;
          unsubscribe();
        };
      },
      ended: new Promise(() => undefined),
    };
    const reader = streamLog(directory, { follow: true }, live).getReader();
    const waiting = reader.read();
    await reader.cancel();
    expect((await waiting).done).toBe(true);
    expect(listeners).toBe(0);
    recorder.close();
  });
});

describe("LogRecorder", () => {
  test("what was written without a recorder has the file's time", () => {
    writeFileSync(join(directory, "log"), "one\n");
    const recorder = new LogRecorder(directory);
    recorder.close();
    const last = readTimes(directory).at(-1);
    expect(last).toEqual({ offset: 4, ms: Math.floor(statSync(join(directory, "log")).mtimeMs) });
  });

  test("a log that is too long loses its beginning, from a whole line on, and its disk space", async () => {
    const line = `${"y".repeat(1023)}\n`;
    const path = join(directory, "log");
    writeFileSync(path, "");
    const recorder = new LogRecorder(directory);
    appendFileSync(path, line.repeat(17 * 1024));
    await waitFor(() => (readTimes(directory)[0]?.offset ?? 0) > 0, { what: "the log to be shortened" });
    recorder.close();
    appendFileSync(path, "last\n");
    const text = await read();
    expect(text.length).toBeLessThan(11 * 2 ** 20);
    expect(text.length).toBeGreaterThan(9 * 2 ** 20);
    expect(text.startsWith(line)).toBe(true);
    expect(text.endsWith(`${line}last\n`)).toBe(true);
    expect(text.includes("\0")).toBe(false);
    expect(statSync(path).blocks * 512).toBeLessThan(11 * 2 ** 20);
    const resumed = new LogRecorder(directory);
    resumed.close();
    expect(await read({ tailLines: 1 })).toBe("last\n");
  });
});
