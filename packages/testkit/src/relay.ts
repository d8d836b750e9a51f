import type { Socket, TCPSocketListener } from "bun";
import type { NetNamespace } from "./netns.ts";

/** An address, and the network that it is meant in; null is this process's own. */
export interface RelayEnd {
  readonly namespace: NetNamespace | null;
  readonly hostname: string;
  readonly port: number;
}

/**
 * Carries TCP connections from an address to another, of which either may be in a namespace, so that clients and servers
 * in this process (http2, grpc-js) can play a pod's part. Ends and resets are carried, too; nothing is limited.
 */
export class Relay implements Disposable {
  readonly #from: RelayEnd;
  readonly #sides = new Set<Side>();
  #listener: TCPSocketListener<Side> | null = null;

  /** @param from with port 0: any free one, until it is closed */
  constructor(from: RelayEnd) {
    this.#from = from;
  }

  /** The port connections are taken at; 0 while it is closed. */
  get port(): number {
    return this.#listener?.port ?? 0;
  }

  /** @returns itself, to be written in a line with the constructor */
  open(to: RelayEnd): this {
    const { namespace, hostname, port } = this.#from;
    const open = (socket: Socket<Side>): void => this.#join(socket, to);
    const listen = (): TCPSocketListener<Side> =>
      Bun.listen<Side>({ hostname, port, allowHalfOpen: true, socket: { ...HANDLERS, open } });
    this.#listener = namespace === null ? listen() : namespace.inside(listen);
    return this;
  }

  /** Resets every connection; new ones are refused. */
  close(): void {
    this.#listener?.stop();
    this.#listener = null;
    for (const side of this.#sides) side.reset();
    this.#sides.clear();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #join(socket: Socket<Side>, { namespace, hostname, port }: RelayEnd): void {
    const [near, far] = [new Side(), new Side()];
    near.other = far;
    far.other = near;
    socket.data = near;
    near.attach(socket);
    this.#sides.add(near);
    const socketHandlers = { ...HANDLERS, open: (there: Socket<Side>): void => far.attach(there) };
    const connect = (): Promise<unknown> =>
      Bun.connect<Side>({ hostname, port, allowHalfOpen: true, data: far, socket: socketHandlers });
    void (namespace === null ? connect() : namespace.inside(connect)).catch(() => near.reset());
  }
}

/** One end of a carried connection. Nothing is dropped: what the kernel does not take is kept. */
class Side {
  other: Side | null = null;
  #socket: Socket<Side> | null = null;
  readonly #unsent: Uint8Array[] = [];
  #finishing = false;
  #gone = false;

  attach(socket: Socket<Side>): void {
    this.#socket = socket;
    if (this.#gone) socket.terminate();
    else this.flush();
  }

  send(bytes: Uint8Array): void {
    // The runtime reuses the memory of what it hands out.
    this.#unsent.push(bytes.slice());
    this.flush();
  }

  finish(): void {
    this.#finishing = true;
    this.flush();
  }

  flush(): void {
    const socket = this.#socket;
    if (socket === null || this.#gone) return;
    while (this.#unsent.length > 0) {
      const next = this.#unsent[0]!;
      const sent = Math.max(0, socket.write(next));
      if (sent < next.length) {
        this.#unsent[0] = next.subarray(sent);
        return;
      }
      this.#unsent.shift();
    }
    if (this.#finishing) socket.shutdown();
  }

  /** Both ends, at once. */
  reset(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#socket?.terminate();
    this.other?.reset();
  }

  /** An end in order is told before the close, unless this side had ended before. */
  closed(error: Error | undefined): void {
    this.#gone = true;
    if (error === undefined && this.#finishing) this.other?.finish();
    else this.other?.reset();
  }
}

const HANDLERS = {
  data: (socket: Socket<Side>, bytes: Uint8Array): void => socket.data.other?.send(bytes),
  drain: (socket: Socket<Side>): void => socket.data.flush(),
  end: (socket: Socket<Side>): void => socket.data.other?.finish(),
  close: (socket: Socket<Side>, error?: Error): void => socket.data.closed(error),
  error: (socket: Socket<Side>): void => socket.data.reset(),
} as const;
