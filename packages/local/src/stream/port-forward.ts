import { type Duplex, pipeline } from "node:stream";
import { SpdyConnection } from "./spdy/spdy-connection.ts";
import type { SpdyStream } from "./spdy/spdy-stream.ts";

/** As Kubernetes' servers have it: how long a connection's second stream may be late. */
const PAIR_DEADLINE_MS = 30_000;

interface Pair {
  readonly port: number;
  readonly deadline: ReturnType<typeof setTimeout>;
  data?: SpdyStream;
  error?: SpdyStream;
}

/**
 * kubectl's port-forward (portforward.k8s.io) over a SPDY connection: for every connection that is forwarded the client opens two
 * streams with the same request id, one for the bytes and one on which it is told what went wrong.
 *
 * @param dial a connection to the port within the pod
 */
export async function forwardPorts(transport: Duplex, dial: (port: number) => Promise<Duplex>): Promise<void> {
  const pairs = new Map<string, Pair>();
  const connection = new SpdyConnection(transport, (stream, headers) => {
    const type = headers.get("streamtype");
    const port = Number(headers.get("port"));
    if ((type !== "data" && type !== "error") || !Number.isInteger(port) || port < 1 || port > 65_535) {
      stream.destroy();
      return;
    }
    const key = headers.get("requestid") ?? pairKey(stream, type);
    const pair = pairs.get(key) ?? newPair(port, () => pairs.delete(key));
    pairs.set(key, pair);
    pair[type] = stream;
    if (pair.data === undefined || pair.error === undefined) return;
    clearTimeout(pair.deadline);
    pairs.delete(key);
    void forward(pair.data, pair.error, port, dial);
  });
  try {
    await connection.run();
  } finally {
    for (const { deadline } of pairs.values()) clearTimeout(deadline);
    connection.end();
  }
}

/** Clients without request ids open the error stream and then the data stream. */
function pairKey(stream: SpdyStream, type: "data" | "error"): string {
  return `#${type === "error" ? stream.id : stream.id - 2}`;
}

function newPair(port: number, forget: () => void): Pair {
  const deadline = setTimeout(() => {
    forget();
    pair.data?.destroy();
    pair.error?.destroy();
  }, PAIR_DEADLINE_MS);
  const pair: Pair = { port, deadline };
  return pair;
}

async function forward(
  data: SpdyStream,
  error: SpdyStream,
  port: number,
  dial: (port: number) => Promise<Duplex>,
): Promise<void> {
  // The client ends its side of the error stream at once.
  error.resume();
  let target: Duplex;
  try {
    target = await dial(port);
  } catch (cause) {
    error.end(`error forwarding port ${port} to pod: ${cause instanceof Error ? cause.message : String(cause)}`);
    data.end();
    data.resume();
    return;
  }
  // Ends one after the other; a direction that breaks takes the other one with it.
  const ended = (failure: Error | null | undefined): void => {
    if (failure) {
      target.destroy();
      data.destroy();
    }
    if (data.destroyed || (data.readableEnded && data.writableFinished)) error.end();
  };
  pipeline(data, target, ended);
  pipeline(target, data, ended);
}
