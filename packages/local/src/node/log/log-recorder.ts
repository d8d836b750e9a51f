import {
  appendFileSync,
  closeSync,
  existsSync,
  type FSWatcher,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  statSync,
  watch,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

/** How much of a container's output is kept, and how much is left when that is exceeded. */
const LOG_BYTES_MAX = 16 * 1024 * 1024;
const LOG_BYTES_KEPT = 10 * 1024 * 1024;

/** How exact the times of lines are: what comes within this of one another has one time. */
const RESOLUTION_MS = 50;

/**
 * Notes when a growing log file was how long, since the logger writes nothing but the output: lines `OFFSET MS` in the file `times`, each
 * saying that what stands before OFFSET was written by then. The first one's offset is where what is kept begins: a log that has
 * become too long loses its beginning by a hole, so that offsets stay as they are.
 */
export class LogRecorder {
  readonly #directory: string;
  readonly #watcher: FSWatcher;
  readonly #listeners = new Set<() => void>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #recorded: number;
  #keptFrom: number;

  constructor(directory: string) {
    this.#directory = directory;
    const log = join(directory, "log");
    // Appending nothing: the logger may have begun to write.
    appendFileSync(log, "", { mode: 0o640 });
    const times = readTimes(directory);
    this.#keptFrom = times[0]?.offset ?? 0;
    this.#recorded = times.at(-1)?.offset ?? 0;
    if (times.length === 0) appendFileSync(join(directory, "times"), `0 ${Date.now()}\n`);
    // What was written while no daemon ran has the time of the last of it.
    this.#record(statSync(log).mtimeMs);
    this.#watcher = watch(log, { persistent: false }, () => this.#changed());
  }

  /** `listener` is called when there is more to read. @returns the unsubscriber */
  onGrowth(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Nothing more comes. */
  close(): void {
    this.#watcher.close();
    clearTimeout(this.#timer);
    this.#record(Date.now());
  }

  #changed(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#record(Date.now());
    }, RESOLUTION_MS);
  }

  #record(nowMs: number): void {
    const size = statSync(join(this.#directory, "log"), { throwIfNoEntry: false })?.size ?? 0;
    if (size <= this.#recorded) return;
    appendFileSync(join(this.#directory, "times"), `${size} ${Math.floor(nowMs)}\n`);
    this.#recorded = size;
    if (size - this.#keptFrom > LOG_BYTES_MAX) this.#shorten(size - LOG_BYTES_KEPT);
    for (const listener of this.#listeners) listener();
  }

  /** Lets go of what stands before the first whole line after `offset`. */
  #shorten(offset: number): void {
    const log = join(this.#directory, "log");
    const from = offset + firstLineLength(log, offset);
    const hole = ["fallocate", "--punch-hole", "--offset", "0", "--length", String(from), log];
    // On a file system without holes the log grows on.
    if (!Bun.spawnSync(hole, { stdout: "ignore", stderr: "ignore" }).success) return;
    const times = readTimes(this.#directory);
    const cutAtMs = times.find((entry) => entry.offset >= from)?.ms ?? Date.now();
    const kept = [{ offset: from, ms: cutAtMs }, ...times.filter((entry) => entry.offset > from)];
    const path = join(this.#directory, "times");
    writeFileSync(`${path}.new`, kept.map((entry) => `${entry.offset} ${entry.ms}\n`).join(""));
    renameSync(`${path}.new`, path);
    this.#keptFrom = from;
  }
}

export interface LogTime {
  readonly offset: number;
  readonly ms: number;
}

/** In order; empty when nothing has been recorded. */
export function readTimes(directory: string): LogTime[] {
  const path = join(directory, "times");
  if (!existsSync(path)) return [];
  return readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [offset, ms] = line.split(" ");
      return { offset: Number(offset), ms: Number(ms) };
    });
}

function firstLineLength(path: string, offset: number): number {
  const buffer = Buffer.alloc(64 * 1024);
  const fd = openSync(path, "r");
  try {
    return buffer.subarray(0, readSync(fd, buffer, 0, buffer.length, offset)).indexOf(0x0a) + 1;
  } finally {
    closeSync(fd);
  }
}
