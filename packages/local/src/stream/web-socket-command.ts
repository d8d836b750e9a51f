import { once } from "node:events";
import { PassThrough, Writable } from "node:stream";
import type { CommandOptions } from "./command-options.ts";
import type { ContainerSession } from "./pod-streams.ts";
import { runCommand } from "./remote-command.ts";
import type { WebSocketConnection } from "./websocket/web-socket.ts";

/** The first byte of every message (v4.channel.k8s.io); v5 adds Close, followed by the channel that the client ends. */
const Channel = { Stdin: 0, Stdout: 1, Stderr: 2, Error: 3, Resize: 4, Close: 255 } as const;

/** exec and attach in the messages of a WebSocket. */
export async function commandByWebSocket(
  socket: WebSocketConnection,
  options: CommandOptions,
  open: () => ContainerSession | Promise<ContainerSession>,
): Promise<void> {
  const stdin = options.stdin ? new PassThrough() : null;
  const resize = options.tty ? new PassThrough() : null;
  const gone = receive(socket, stdin, resize).finally(() => {
    stdin?.end();
    resize?.end();
  });
  const output = (channel: number): Writable => outputChannel(socket, channel);
  const channels = {
    stdin,
    resize,
    stdout: options.stdout ? output(Channel.Stdout) : null,
    stderr: options.stderr ? output(Channel.Stderr) : null,
    error: output(Channel.Error),
    gone,
  };
  // Says that the connection works, as Kubernetes' servers do, also when the command is silent.
  const first = options.stdout ? Channel.Stdout : options.stderr ? Channel.Stderr : Channel.Error;
  await socket.send(Buffer.from([first])).catch(() => {});
  await runCommand(open, channels);
  socket.close();
  await gone.catch(() => {});
}

async function receive(
  socket: WebSocketConnection,
  stdin: PassThrough | null,
  resize: PassThrough | null,
): Promise<void> {
  for await (const message of socket.messages()) {
    const [channel, closed] = message;
    const bytes = message.subarray(1);
    if (channel === Channel.Close && closed === Channel.Stdin) stdin?.end();
    const input = channel === Channel.Stdin ? stdin : channel === Channel.Resize ? resize : null;
    if (input === null || input.writableEnded || bytes.length === 0) continue;
    if (!input.write(bytes)) await once(input, "drain");
  }
}

function outputChannel(socket: WebSocketConnection, channel: number): Writable {
  const prefix = Buffer.from([channel]);
  return new Writable({
    write: (bytes: Uint8Array, _encoding, callback) => {
      socket.send(prefix, bytes).then(
        () => callback(),
        (error: Error) => callback(error),
      );
    },
  });
}
