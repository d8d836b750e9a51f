import type { Duplex } from "node:stream";
import type { CommandOptions } from "./command-options.ts";
import type { ContainerSession } from "./pod-streams.ts";
import { runCommand } from "./remote-command.ts";
import { SpdyConnection } from "./spdy/spdy-connection.ts";
import type { SpdyStream } from "./spdy/spdy-stream.ts";

type StreamType = "stdin" | "stdout" | "stderr" | "error" | "resize";

/** As Kubernetes' servers have it: how long the client may take to open all its streams. */
const STREAMS_DEADLINE_MS = 30_000;

/** exec and attach with a SPDY stream per channel (v4.channel.k8s.io). */
export async function commandBySpdy(
  transport: Duplex,
  options: CommandOptions,
  open: () => ContainerSession | Promise<ContainerSession>,
): Promise<void> {
  const wanted = new Set<StreamType>(expectedStreams(options));
  const streams = new Map<StreamType, SpdyStream>();
  const complete = Promise.withResolvers<boolean>();
  const connection = new SpdyConnection(transport, (stream, headers) => {
    const type = headers.get("streamtype") as StreamType;
    if (!wanted.delete(type)) {
      stream.destroy();
      return;
    }
    streams.set(type, stream);
    if (wanted.size === 0) complete.resolve(true);
  });
  const deadline = setTimeout(() => complete.resolve(false), STREAMS_DEADLINE_MS);
  const gone = connection.run();
  gone.then(
    () => complete.resolve(false),
    () => complete.resolve(false),
  );
  const isComplete = await complete.promise;
  clearTimeout(deadline);
  const error = streams.get("error");
  if (isComplete && error !== undefined) {
    const of = (type: StreamType): SpdyStream | null => streams.get(type) ?? null;
    for (const output of [error, of("stdout"), of("stderr")]) output?.resume();
    const channels = {
      stdin: of("stdin"),
      stdout: of("stdout"),
      stderr: of("stderr"),
      resize: of("resize"),
      error,
      gone,
    };
    await runCommand(open, channels);
  }
  connection.end();
  // What it says more is of no interest, and that it broke no news.
  await gone.catch(() => {});
}

function expectedStreams({ stdin, stdout, stderr, tty }: CommandOptions): StreamType[] {
  return [
    "error",
    ...(stdin ? (["stdin"] as const) : []),
    ...(stdout ? (["stdout"] as const) : []),
    ...(stderr ? (["stderr"] as const) : []),
    ...(tty ? (["resize"] as const) : []),
  ];
}
