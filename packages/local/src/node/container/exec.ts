import type { ExecResult } from "../probe/probe-target.ts";
import type { ExecOptions, ExecProcess } from "../types.ts";

const PROBE_OUTPUT_MAX = 10 * 1024;

/** Runs `words` to their end or the timeout, with what they wrote. */
export async function runProbeCommand(words: readonly string[], timeoutMs: number): Promise<ExecResult> {
  const child = Bun.spawn([...words], { env: {}, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    child.kill("SIGKILL");
  }, timeoutMs);
  try {
    const outputs = Promise.all([readUpTo(child.stdout), readUpTo(child.stderr)]);
    const exitCode = await child.exited;
    // What a killed command has started may hold the pipes open.
    const output = timedOut ? "" : (await outputs).join("");
    return { exitCode, output, timedOut };
  } finally {
    clearTimeout(timer);
  }
}

async function readUpTo(stream: ReadableStream<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stream) {
    if (length < PROBE_OUTPUT_MAX) parts.push(chunk.subarray(0, PROBE_OUTPUT_MAX - length));
    length += chunk.length;
  }
  return Buffer.concat(parts).toString("utf8");
}

/** Starts `words` for somebody at the other end of a connection. */
export function startExec(words: readonly string[], options: ExecOptions): ExecProcess {
  return options.tty ? withTerminal(words) : withPipes(words, options.stdin);
}

function withPipes(words: readonly string[], stdin: boolean): ExecProcess {
  const child = Bun.spawn([...words], { env: {}, stdin: stdin ? "pipe" : "ignore", stdout: "pipe", stderr: "pipe" });
  const sink = child.stdin;
  return {
    stdin: {
      write: async (bytes) => {
        try {
          await sink?.write(bytes);
          await sink?.flush();
        } catch {
          // EPIPE: the command has ended, or closed its input, without having read all of it.
        }
      },
      end: () => {
        Promise.try(() => sink?.end()).catch(() => undefined);
      },
    },
    stdout: child.stdout,
    stderr: child.stderr,
    exited: exitCodeOf(child),
    resize: () => undefined,
    kill: () => child.kill("SIGKILL"),
  };
}

function withTerminal(words: readonly string[]): ExecProcess {
  const output = new TransformStream<Uint8Array, Uint8Array>(undefined, undefined, { highWaterMark: 64 });
  const writer = output.writable.getWriter();
  const child = Bun.spawn([...words], {
    env: { TERM: "xterm" },
    terminal: {
      cols: 80,
      rows: 24,
      data: (_terminal, bytes) => {
        // The reader has gone away when this fails; the command ends by `kill`.
        writer.write(bytes).catch(() => undefined);
      },
      exit: () => {
        writer.close().catch(() => undefined);
      },
    },
  });
  const { terminal } = child;
  return {
    stdin: {
      write: (bytes) => {
        terminal?.write(bytes);
        return Promise.resolve();
      },
      // To a terminal, the end of input is a character.
      end: () => {
        terminal?.write("\x04");
      },
    },
    stdout: output.readable,
    stderr: new ReadableStream({ start: (controller) => controller.close() }),
    exited: exitCodeOf(child),
    resize: (columns, rows) => {
      terminal?.resize(columns, rows);
    },
    kill: () => child.kill("SIGKILL"),
  };
}

const SIGNALS: Readonly<Record<string, number>> = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGKILL: 9, SIGTERM: 15 };

async function exitCodeOf(child: Bun.Subprocess): Promise<number> {
  const code = await child.exited;
  return child.signalCode === null ? code : 128 + (SIGNALS[child.signalCode] ?? 0);
}
