import type { Socket, TCPSocketListener } from "bun";
import type { NetNamespace } from "./netns.ts";
import { waitFor } from "./wait-for.ts";

/** How the other side ended its direction: in order, or with a reset; null while it has not. */
export type PeerEnd = "end" | "reset" | null;

/** Shorter than a test's time, so that the failure says what was missing. */
const DEADLINE_MS = 4_000;

/**
 * One end of a TCP connection, as plain bytes: what came in is kept until it is taken, what goes out is queued while
 * the kernel takes none, and each direction ends by itself. Nothing is done on its own account: an end is not answered
 * with an end.
 */
export class TcpPeer {
  /** How the other side ended. */
  ended: PeerEnd = null;
  /** Bytes received since the connection began, and when the first of them came (performance.now()). */
  receivedBytes = 0;
  firstByteMs = 0;
  readonly openedMs: number = performance.now();
  /** Settles when the first byte has come in, or the other side has ended: cheaper than to wait for text. */
  readonly firstByte: Promise<void>;
  #settle: () => void = () => {};
  #socket: Socket<TcpPeer> | null = null;
  #chunks: Uint8Array[] = [];
  #kept = 0;
  #unsent: Uint8Array[] = [];
  #finishing = false;
  /** Gets every chunk in place of keeping it. */
  onBytes: ((bytes: Uint8Array) => void) | null = null;

  constructor() {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.firstByte = promise;
    this.#settle = resolve;
  }

  /** Called by the socket's handlers. */
  attach(socket: Socket<TcpPeer>): void {
    this.#socket = socket;
  }

  /** What has come in and was not taken, as latin1. */
  get text(): string {
    return Buffer.concat(this.#chunks).toString("latin1");
  }

  /** Bytes that the kernel has not taken yet. */
  get unsentBytes(): number {
    return this.#unsent.reduce((sum, { length }) => sum + length, 0);
  }

  /** Queues bytes; a string is latin1. */
  send(bytes: string | Uint8Array): void {
    this.#unsent.push(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
    this.flush();
  }

  /** Ends this side's direction once all is sent. */
  finish(): void {
    this.#finishing = true;
    this.flush();
  }

  /** Closes with a reset, at once. */
  reset(): void {
    this.#socket?.terminate();
  }

  /** Closes both directions in order, at once. */
  close(): void {
    this.finish();
    this.#socket?.end();
  }

  pause(): void {
    this.#socket?.pause();
  }

  resume(): void {
    this.#socket?.resume();
  }

  /** Takes all that has come in. */
  take(): string {
    const { text } = this;
    this.#chunks = [];
    this.#kept = 0;
    return text;
  }

  /**
   * Waits for `bytes` bytes, or for the other side's end, and takes what there is.
   *
   * @throws Error with what has come in after four seconds
   */
  async takeBytes(bytes: number): Promise<string> {
    await this.#await(() => this.#kept >= bytes, `${bytes} bytes`);
    return this.take();
  }

  /** As takeBytes(), for as much as it needs to match. */
  async takeUntil(pattern: string | RegExp): Promise<string> {
    await this.#await(
      () => (typeof pattern === "string" ? this.text.includes(pattern) : pattern.test(this.text)),
      String(pattern),
    );
    return this.take();
  }

  /** Waits for the other side's end and takes everything before it. */
  async takeAll(timeoutMs: number = DEADLINE_MS): Promise<string> {
    await this.#await(() => this.ended !== null, "the end", timeoutMs);
    return this.take();
  }

  /** Waits until the other side has ended, and says how. */
  async untilEnded(timeoutMs: number = DEADLINE_MS): Promise<"end" | "reset"> {
    await this.#await(() => this.ended !== null, "the end", timeoutMs);
    return this.ended!;
  }

  /** Waits until the kernel has taken everything. */
  async untilSent(timeoutMs: number = DEADLINE_MS): Promise<void> {
    await this.#await(() => this.#unsent.length === 0, "the bytes to be sent", timeoutMs);
  }

  /** Called by the socket's handlers. */
  flush(): void {
    const socket = this.#socket;
    if (socket === null) return;
    while (this.#unsent.length > 0) {
      const next = this.#unsent[0]!;
      const sent = socket.write(next);
      if (sent < 0) {
        this.end("reset");
        return;
      }
      if (sent < next.length) {
        this.#unsent[0] = next.subarray(sent);
        return;
      }
      this.#unsent.shift();
    }
    if (this.#finishing) socket.shutdown();
  }

  /** Called by the socket's handlers. */
  received(bytes: Uint8Array): void {
    if (this.receivedBytes === 0) {
      this.firstByteMs = performance.now();
      this.#settle();
    }
    this.receivedBytes += bytes.length;
    if (this.onBytes !== null) {
      this.onBytes(bytes);
      return;
    }
    // The runtime reuses the memory of what it hands out.
    this.#chunks.push(bytes.slice());
    this.#kept += bytes.length;
  }

  /** Called by the socket's handlers. */
  end(how: "end" | "reset"): void {
    this.ended ??= how;
    this.#settle();
  }

  /**
   * Called by the socket's handlers. A reset that a write runs into comes without an error; but an end in order is told
   * before the close, unless this side had ended before.
   */
  closed(error: Error | undefined): void {
    this.end(error === undefined && this.#finishing ? "end" : "reset");
  }

  async #await(condition: () => boolean, what: string, timeoutMs: number = DEADLINE_MS): Promise<void> {
    await waitFor(() => condition() || this.ended !== null, { what, timeoutMs, intervalMs: 1 }).catch(() => {
      const { text } = this;
      throw new Error(`waited ${timeoutMs} ms for ${what}; so far: ${JSON.stringify(text.slice(-2000))}`);
    });
  }
}

const HANDLERS = {
  data: (socket: Socket<TcpPeer>, bytes: Uint8Array): void => socket.data.received(bytes),
  drain: (socket: Socket<TcpPeer>): void => socket.data.flush(),
  end: (socket: Socket<TcpPeer>): void => socket.data.end("end"),
  close: (socket: Socket<TcpPeer>, error?: Error): void => socket.data.closed(error),
  error: (socket: Socket<TcpPeer>): void => socket.data.end("reset"),
} as const;

/**
 * Connects from inside `from` to an address (no name).
 *
 * @throws Error when the connection is refused
 */
export async function connectTcp(from: NetNamespace, hostname: string, port: number): Promise<TcpPeer> {
  const peer = new TcpPeer();
  const open = (socket: Socket<TcpPeer>): void => peer.attach(socket);
  const options = { hostname, port, allowHalfOpen: true, data: peer };
  await from.inside(() => Bun.connect<TcpPeer>({ ...options, socket: { ...HANDLERS, open } }));
  return peer;
}

/** A listener that keeps its connections for the test to play the server on, one by one. */
export class TcpServer implements Disposable {
  readonly port: number;
  /** Every connection so far, in the order they came. */
  readonly accepted: TcpPeer[] = [];
  #listener: TCPSocketListener<TcpPeer> | null = null;
  #taken = 0;

  private constructor(port: number) {
    this.port = port;
  }

  /** @param onOpen called with each connection as it comes */
  static listen(inside: NetNamespace, hostname: string, port: number, onOpen?: (peer: TcpPeer) => void): TcpServer {
    const server = new TcpServer(port);
    const open = (socket: Socket<TcpPeer>): void => {
      const peer = new TcpPeer();
      socket.data = peer;
      peer.attach(socket);
      server.accepted.push(peer);
      onOpen?.(peer);
    };
    server.#listener = inside.inside(() =>
      Bun.listen<TcpPeer>({ hostname, port, allowHalfOpen: true, socket: { ...HANDLERS, open } }),
    );
    return server;
  }

  /** The next connection that has not been asked for yet; waits for it if need be. */
  async next(): Promise<TcpPeer> {
    const index = this.#taken++;
    const what = `connection ${index + 1} to port ${this.port}`;
    return waitFor(() => this.accepted[index], { what, intervalMs: 1 });
  }

  [Symbol.dispose](): void {
    this.#listener?.stop(true);
    this.#listener = null;
  }
}
