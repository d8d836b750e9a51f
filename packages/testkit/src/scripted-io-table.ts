import { errnoName } from "@bowline/sys";
import type { KernelFile } from "./scripted-io-files.ts";

const FIRST_FD = 3;
const CALLS_KEPT = 120;

/** The code under test asked the kernel for something that no correct program asks for, or got nowhere. */
export class ScriptedIoError extends Error {
  override readonly name = "ScriptedIoError";
}

interface OpenFile {
  readonly file: KernelFile;
  /** Opened by the script, not by the code under test. */
  readonly byScript: boolean;
  readonly openedBy: string;
}

/** The table of open fds, and the last calls, to be shown when something is wrong with them. */
export class FdTable {
  readonly #open: (OpenFile | null)[] = [];
  readonly #calls: string[] = [];
  readonly #headline: string;
  #callCount = 0;
  openCount = 0;

  constructor(headline: string) {
    this.#headline = headline;
  }

  /** The lowest free number, as Linux does, so that a stale fd soon is somebody else's. */
  add(file: KernelFile, byScript: boolean, openedBy: string): number {
    let fd = FIRST_FD;
    while (this.#open[fd]) fd++;
    this.#open[fd] = { file, byScript, openedBy: `call ${this.#callCount + 1}, ${openedBy}` };
    this.openCount++;
    return fd;
  }

  remove(fd: number): void {
    this.#open[fd] = null;
    this.openCount--;
  }

  find(fd: number): KernelFile | null {
    return this.#open[fd]?.file ?? null;
  }

  leaked(): string[] {
    return this.#open.flatMap((open, fd) =>
      open && !open.byScript ? [`fd ${fd} (${open.openedBy}): ${open.file.describe()}`] : [],
    );
  }

  /** Notes a call of the code under test and gives its result back. */
  note(result: number, call: string, ...args: readonly (number | string)[]): number {
    this.#callCount++;
    if (this.#calls.length === CALLS_KEPT) this.#calls.shift();
    const told = result < 0 ? `-${errnoName(-result)}` : result;
    this.#calls.push(`${this.#callCount} ${call}(${args.join(", ")}) = ${told}`);
    return result;
  }

  error(what: string): ScriptedIoError {
    const files = this.#open.flatMap((open, fd) => (open ? [`  ${fd} ${open.file.describe()}`] : []));
    const lines = [
      what,
      this.#headline,
      "open fds:",
      ...files,
      "last calls:",
      ...this.#calls.map((call) => `  ${call}`),
    ];
    return new ScriptedIoError(lines.join("\n"));
  }
}
