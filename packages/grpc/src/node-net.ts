import { createServer, connect as netConnect, type Socket } from "node:net";
import type { Address, ByteStream, ByteStreamOwner, Listening, ListenOptions } from "./byte-stream.ts";

/** After this long without traffic the kernel probes whether the other end is still there (Linkerd's charts: 10 s). */
const TCP_KEEP_ALIVE_MS = 10_000;

/** How long the other end may take to read the last bytes of a connection that was ended. */
const LINGER_MS = 5_000;

/** Connects by TCP. */
export function connectTcp(address: Address, signal: AbortSignal): Promise<ByteStream> {
  return new Promise((resolve, reject) => {
    const socket = netConnect({ host: address.host, port: address.port, noDelay: true });
    const settle = () => {
      signal.removeEventListener("abort", onAbort);
      socket.off("connect", onConnect);
      socket.off("error", onError);
      socket.off("close", onEarlyClose);
    };
    const onAbort = () => {
      settle();
      socket.on("error", ignoreError);
      socket.destroy();
      reject(signal.reason);
    };
    const onConnect = () => {
      settle();
      resolve(new NodeStream(socket));
    };
    const onError = (error: Error) => {
      settle();
      socket.on("error", ignoreError);
      socket.destroy();
      reject(error);
    };
    const onEarlyClose = () => onError(new Error("closed while connecting"));
    socket.once("connect", onConnect);
    socket.once("error", onError);
    socket.once("close", onEarlyClose);
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort);
  });
}

/** Listens for TCP connections. */
export function listenTcp(options: ListenOptions, onConnection: (stream: ByteStream) => void): Promise<Listening> {
  return new Promise((resolve, reject) => {
    const server = createServer({ noDelay: true }, (socket) => onConnection(new NodeStream(socket)));
    server.maxConnections = options.connectionsMax;
    server.once("error", reject);
    server.listen({ host: options.host, port: options.port }, () => {
      server.off("error", reject);
      // Failing to take one connection is no reason to stop taking others.
      server.on("error", ignoreError);
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : options.port;
      resolve({ port, close: () => void server.close() });
    });
  });
}

class NodeStream implements ByteStream {
  owner: ByteStreamOwner | null = null;
  readonly peer: string;
  readonly #socket: Socket;
  #error: Error | null = null;
  #closed = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.peer = formatPeer(socket);
    socket.setKeepAlive(true, TCP_KEEP_ALIVE_MS);
    socket.on("data", (bytes: Uint8Array) => this.owner?.onBytes(bytes));
    socket.on("drain", () => this.owner?.onDrain());
    socket.on("error", (error: Error) => {
      this.#error = error;
    });
    // After the other end's FIN there is nothing left to talk about: HTTP/2 has no half-closed connections.
    socket.on("end", () => this.#onClose());
    socket.on("close", () => this.#onClose());
  }

  write(bytes: Uint8Array): boolean {
    return this.#closed ? true : this.#socket.write(bytes);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    this.#socket.end();
    const linger = setTimeout(() => this.#socket.destroy(), LINGER_MS);
    this.#socket.once("close", () => clearTimeout(linger));
  }

  destroy(): void {
    this.#closed = true;
    this.owner = null;
    this.#socket.destroy();
  }

  #onClose(): void {
    if (this.#closed) return;
    this.#closed = true;
    const owner = this.owner;
    this.owner = null;
    owner?.onClose(this.#error);
  }
}

function formatPeer(socket: Socket): string {
  const host = socket.remoteAddress ?? "";
  return host.includes(":") ? `[${host}]:${socket.remotePort}` : `${host}:${socket.remotePort}`;
}

/** For sockets that were given up: what else happens to them changes nothing. */
function ignoreError(): void {}
