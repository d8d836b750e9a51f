import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { Pod } from "@bowline/kube";
import type { LogOptions } from "../node/types.ts";

export type StreamKind = "portforward" | "exec" | "attach";

/** What the API server passes on to the node, once it is allowed. */
export interface PodStreams {
  log(namespace: string, pod: string, container: string, options: LogOptions): Promise<ReadableStream<Uint8Array>>;
  /** Takes over a connection whose client asked for SPDY or a WebSocket, and answers it. */
  upgrade(
    kind: StreamKind,
    pod: Pod,
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    query: URLSearchParams,
  ): void;
}
