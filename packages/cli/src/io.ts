/** What a command reads and writes, so that tests can run it without a process. */
export interface Io {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** All of standard input, as UTF-8. */
  readonly stdin: () => Promise<string>;
}

/** Ends a command with an exit code; its message, if there is one, is printed to stderr as `Error: …`. */
export class CommandFailure extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode = 1, cause?: unknown) {
    super(message, { cause });
    this.name = "CommandFailure";
    this.exitCode = exitCode;
  }
}
