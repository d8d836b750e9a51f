import { type Readable, Writable } from "node:stream";
import { finished, pipeline } from "node:stream/promises";
import { ApiError } from "@bowline/kube";
import type { ContainerSession } from "./pod-streams.ts";

/** The ways between a client of exec or attach and the process; null: the client does not want it. */
export interface CommandChannels {
  readonly stdin: Readable | null;
  readonly stdout: Writable | null;
  readonly stderr: Writable | null;
  /** Sizes of the client's terminal, as JSON objects one after the other. */
  readonly resize: Readable | null;
  /** Takes one `Status`: how it ended. */
  readonly error: Writable;
  /** Settles when the client is gone. */
  readonly gone: Promise<unknown>;
}

/** How long nothing may come from what a command has left running, until it is no more waited for. */
const DRAIN_MS = 1_000;
const DRAIN_INTERVAL_MS = 50;

interface ExitStatus {
  readonly metadata: Record<string, never>;
  readonly status: "Success" | "Failure";
  readonly message?: string;
  readonly reason?: string;
  readonly details?: { readonly causes: readonly { readonly reason: string; readonly message: string }[] };
  readonly code?: number;
}

/**
 * Runs what `open` starts between the channels, until it ends or the client is gone, and reports on the error channel: the
 * exit code as v4.channel.k8s.io has it, or why there was nothing to run. Channels are at their end afterwards.
 */
export async function runCommand(
  open: () => ContainerSession | Promise<ContainerSession>,
  channels: CommandChannels,
): Promise<void> {
  let status: ExitStatus;
  try {
    status = await converse(await open(), channels);
  } catch (error) {
    status = failure(error);
  }
  for (const output of [channels.stdout, channels.stderr]) output?.end();
  channels.error.end(JSON.stringify(status));
  await finished(channels.error, { readable: false }).catch(() => {});
}

async function converse(session: ContainerSession, channels: CommandChannels): Promise<ExitStatus> {
  const gone = channels.gone.then(
    () => GONE,
    () => GONE,
  );
  const [stdout, stderr] = [new Output(session.stdout), new Output(session.stderr)];
  const outputs = Promise.all([transfer(stdout, channels.stdout), transfer(stderr, channels.stderr)]);
  void feed(channels.stdin, session).catch(() => session.stdin?.end());
  void resize(channels.resize, session).catch(() => {});
  const code = await Promise.race([session.exited, gone]);
  if (code === GONE) {
    session.kill();
    return { metadata: {}, status: "Success" };
  }
  await Promise.race([outputs, gone, silence([stdout, stderr])]);
  return exitStatus(code);
}

const GONE = -1;
/** Longer than any size; the rest of such a text is forgotten. */
const RESIZE_TEXT_MAX = 65_536;

/** What a command writes, with how long it has been waited for; a client that takes its time is no reason to give up. */
class Output {
  readonly #from: ReadableStream<Uint8Array> | null;
  /** null: nobody waits for the command. */
  #waitingSinceMs: number | null = null;
  #ended = false;

  constructor(from: ReadableStream<Uint8Array> | null) {
    this.#from = from;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    const reader = this.#from?.getReader();
    try {
      for (;;) {
        this.#waitingSinceMs = performance.now();
        const value = (await reader?.read())?.value;
        if (value === undefined) return;
        this.#waitingSinceMs = null;
        yield value;
      }
    } finally {
      this.#ended = true;
      void reader?.cancel().catch(() => {});
    }
  }

  isSilentSince(timeMs: number): boolean {
    return this.#ended || (this.#waitingSinceMs !== null && this.#waitingSinceMs <= timeMs);
  }
}

/** Settles when nothing has come for a while from any of `outputs` that has not ended. */
async function silence(outputs: readonly Output[]): Promise<void> {
  const startMs = performance.now();
  for (;;) {
    await Bun.sleep(DRAIN_INTERVAL_MS);
    const sinceMs = performance.now() - DRAIN_MS;
    if (sinceMs >= startMs && outputs.every((output) => output.isSilentSince(sinceMs))) return;
  }
}

async function transfer(from: Output, to: Writable | null): Promise<void> {
  // What nobody wants to see must be read all the same, or the process would wait.
  const sink = to ?? new Writable({ write: (_bytes, _encoding, done) => done() });
  await pipeline(from, sink, { end: false }).catch(() => {});
}

async function feed(from: Readable | null, { stdin }: ContainerSession): Promise<void> {
  if (from === null) {
    stdin?.end();
    return;
  }
  for await (const bytes of from as AsyncIterable<Uint8Array>) await stdin?.write(bytes);
  stdin?.end();
}

async function resize(from: Readable | null, session: ContainerSession): Promise<void> {
  if (from === null) return;
  let text = "";
  for await (const bytes of from as AsyncIterable<Uint8Array>) {
    text += new TextDecoder().decode(bytes);
    if (text.length > RESIZE_TEXT_MAX) text = "";
    for (let end = text.indexOf("}"); end >= 0; end = text.indexOf("}")) {
      const { Width: columns, Height: rows } = JSON.parse(text.slice(0, end + 1)) as Record<string, unknown>;
      text = text.slice(end + 1);
      if (isSize(columns) && isSize(rows)) session.resize?.(columns, rows);
    }
  }
}

function isSize(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value > 0 && value < 65_536;
}

function exitStatus(code: number): ExitStatus {
  if (code === 0) return { metadata: {}, status: "Success" };
  return {
    metadata: {},
    status: "Failure",
    message: `command terminated with non-zero exit code: exit status ${code}`,
    reason: "NonZeroExitCode",
    details: { causes: [{ reason: "ExitCode", message: String(code) }] },
  };
}

function failure(error: unknown): ExitStatus {
  const message = error instanceof Error ? error.message : String(error);
  const known = error instanceof ApiError ? error : ApiError.internal(message);
  return { metadata: {}, status: "Failure", message, reason: known.reason, code: known.code };
}
