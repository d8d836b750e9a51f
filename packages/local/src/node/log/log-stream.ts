import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import type { LogOptions } from "../types.ts";
import { type LogTime, readTimes } from "./log-recorder.ts";

const CHUNK_BYTES = 64 * 1024;
const NEWLINE = 0x0a;

/** A log that is still being written. */
export interface LiveLog {
  /** @returns the unsubscriber */
  onGrowth(listener: () => void): () => void;
  readonly ended: Promise<unknown>;
}

/** The output in `directory` as `kubectl logs` wants it; follows `live` to its end when asked to. */
export function streamLog(
  directory: string,
  options: LogOptions,
  live: LiveLog | undefined,
): ReadableStream<Uint8Array> {
  const growth = new Growth(options.follow === true ? live : undefined);
  const lines = logChunks(directory, options, growth);
  return new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      const { done, value } = await lines.next();
      if (done === true) controller.close();
      else controller.enqueue(value);
    },
    cancel: async () => {
      growth.close();
      await lines.return(undefined);
    },
  });
}

async function* logChunks(
  directory: string,
  options: LogOptions,
  growth: Growth,
): AsyncGenerator<Uint8Array, void, undefined> {
  const file = await open(join(directory, "log"), "r").catch(() => undefined);
  if (file === undefined) return;
  try {
    const begin = await startOffset(file, directory, options);
    const whole = readOn(file, begin, growth);
    const marked = options.timestamps === true ? withTimes(whole, begin, directory) : whole;
    yield* limited(marked, options.limitBytes);
  } finally {
    growth.close();
    await file.close();
  }
}

/** From `offset` to the end, and on as long as there may be more. */
async function* readOn(file: FileHandle, offset: number, growth: Growth): AsyncGenerator<Uint8Array, void, undefined> {
  let at = offset;
  while (true) {
    // Before reading: what comes after the read is then not missed.
    const more = growth.next();
    while (true) {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(CHUNK_BYTES), 0, CHUNK_BYTES, at);
      if (bytesRead === 0) break;
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
    if (!(await more)) return;
  }
}

/** Puts the time before each line. A line that comes in parts goes out when it is whole. */
async function* withTimes(
  chunks: AsyncGenerator<Uint8Array, void, undefined>,
  begin: number,
  directory: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  let offset = begin;
  let rest = Buffer.alloc(0);
  const stamped = (line: Buffer, end: number, times: readonly LogTime[]) => [
    Buffer.from(`${timeOf(times, end)} `),
    line,
  ];
  for await (const chunk of chunks) {
    const times = readTimes(directory);
    const bytes = Buffer.concat([rest, chunk]);
    const out: Buffer[] = [];
    let from = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, from)) {
      out.push(...stamped(bytes.subarray(from, end + 1), offset + end + 1, times));
      from = end + 1;
    }
    offset += from;
    rest = bytes.subarray(from);
    if (out.length > 0) yield Buffer.concat(out);
  }
  if (rest.length > 0) yield Buffer.concat(stamped(rest, offset + rest.length, readTimes(directory)));
}

async function* limited(
  chunks: AsyncGenerator<Uint8Array, void, undefined>,
  bytesMax: number | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  let left = bytesMax ?? Number.POSITIVE_INFINITY;
  for await (const chunk of chunks) {
    yield chunk.length <= left ? chunk : chunk.subarray(0, left);
    left -= chunk.length;
    if (left <= 0) return;
  }
}

/** The time at which the byte before `end` was there. */
function timeOf(times: readonly LogTime[], end: number): string {
  const ms = times.find(({ offset }) => offset >= end)?.ms ?? Date.now();
  return `${new Date(ms).toISOString().slice(0, -1)}000000Z`;
}

/** Where to begin: the later of what `since…` and `tailLines` say. */
async function startOffset(file: FileHandle, directory: string, options: LogOptions): Promise<number> {
  const times = readTimes(directory);
  const kept = times[0]?.offset ?? 0;
  const since = sinceOffset(times, options) ?? kept;
  if (options.tailLines === undefined) return since;
  return Math.max(since, await tailOffset(file, options.tailLines, kept));
}

function sinceOffset(times: readonly LogTime[], { sinceSeconds, sinceTime }: LogOptions): number | undefined {
  const fromMs = sinceSeconds === undefined ? Date.parse(sinceTime ?? "") : Date.now() - sinceSeconds * 1000;
  if (Number.isNaN(fromMs)) return undefined;
  // What was recorded before that moment was written before it.
  return times.findLast(({ ms }) => ms < fromMs)?.offset;
}

/** Where the last `lines` lines begin, reading backwards. A last line without its end counts. */
async function tailOffset(file: FileHandle, lines: number, kept: number): Promise<number> {
  let end = (await file.stat()).size;
  if (lines <= 0) return end;
  // The newline that ends the last line is not the end of a line before it.
  let missing = lines + ((await lastByte(file, end)) === NEWLINE ? 1 : 0);
  while (end > kept) {
    const start = Math.max(kept, end - CHUNK_BYTES);
    const { buffer } = await file.read(Buffer.alloc(end - start), 0, end - start, start);
    for (let at = buffer.lastIndexOf(NEWLINE); at >= 0; at = at === 0 ? -1 : buffer.lastIndexOf(NEWLINE, at - 1)) {
      missing -= 1;
      if (missing === 0) return start + at + 1;
    }
    end = start;
  }
  return kept;
}

async function lastByte(file: FileHandle, size: number): Promise<number | undefined> {
  if (size === 0) return undefined;
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1);
  return buffer[0];
}

/** Waits for a live log to become longer. */
class Growth {
  readonly #unsubscribe: () => void;
  #live: boolean;
  #grown = false;
  #waiter: ((more: boolean) => void) | undefined;

  constructor(live: LiveLog | undefined) {
    this.#live = live !== undefined;
    this.#unsubscribe = live?.onGrowth(() => this.#tell()) ?? (() => undefined);
    void live?.ended.then(() => {
      this.#live = false;
      this.#tell();
    });
  }

  /** Resolves to true when there may be more than there was at the call, to false when there never will be. */
  next(): Promise<boolean> {
    if (!this.#live) return Promise.resolve(this.#takeGrown());
    this.#grown = false;
    return new Promise((resolve) => {
      this.#waiter = resolve;
    });
  }

  close(): void {
    this.#unsubscribe();
    this.#live = false;
    this.#waiter?.(false);
  }

  #tell(): void {
    this.#grown = true;
    const waiter = this.#waiter;
    this.#waiter = undefined;
    waiter?.(true);
  }

  /** Once more after the end, for what came last. */
  #takeGrown(): boolean {
    const grown = this.#grown;
    this.#grown = false;
    return grown;
  }
}
