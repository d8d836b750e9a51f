import type { Socket, TCPSocketListener } from "bun";
import type { NetNamespace } from "../netns.ts";

/** One end of a carried connection. Nothing is dropped: what the kernel does not take is kept. */
class Side {
  other: Side | null = null;
  #socket: Socket<Side> | null = null;
  #unsent: Uint8Array[] = [];
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

  flush(): void {
    while (this.#socket !== null && this.#unsent.length > 0) {
      const next = this.#unsent[0]!;
      const sent = Math.max(0, this.#socket.write(next));
      if (sent < next.length) {
        this.#unsent[0] = next.subarray(sent);
        return;
      }
      this.#unsent.shift();
    }
  }

  /** Ends both ends at once; HTTP/2 has no use for half-closed connections. */
  close(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#socket?.terminate();
    this.other?.close();
  }
}

const HANDLERS = {
  data: (socket: Socket<Side>, bytes: Uint8Array): void => socket.data.other?.send(bytes),
  drain: (socket: Socket<Side>): void => socket.data.flush(),
  end: (socket: Socket<Side>): void => socket.data.close(),
  close: (socket: Socket<Side>): void => socket.data.close(),
  error: (socket: Socket<Side>): void => socket.data.close(),
  connectError: (socket: Socket<Side>): void => socket.data.close(),
} as const;

/** Carries connections from an address in a namespace to a port of this process's own loopback, while it is open. */
export class Relay implements Disposable {
  readonly #namespace: NetNamespace;
  readonly #hostname: string;
  readonly #port: number;
  readonly #sides = new Set<Side>();
  #listener: TCPSocketListener<Side> | null = null;

  constructor(namespace: NetNamespace, hostname: string, port: number) {
    this.#namespace = namespace;
    this.#hostname = hostname;
    this.#port = port;
  }

  /** @param targetPort where connections go from now on */
  open(targetPort: number): void {
    const open = (socket: Socket<Side>): void => this.#join(socket, targetPort);
    const [hostname, port] = [this.#hostname, this.#port];
    this.#listener = this.#namespace.inside(() => Bun.listen<Side>({ hostname, port, socket: { ...HANDLERS, open } }));
  }

  /** Resets every connection; new ones are refused. */
  [Symbol.dispose](): void {
    this.#listener?.stop();
    this.#listener = null;
    for (const side of this.#sides) side.close();
    this.#sides.clear();
  }

  #join(socket: Socket<Side>, targetPort: number): void {
    const [near, far] = [new Side(), new Side()];
    near.other = far;
    far.other = near;
    socket.data = near;
    near.attach(socket);
    this.#sides.add(near);
    const open = (there: Socket<Side>): void => far.attach(there);
    const options = { hostname: "127.0.0.1", port: targetPort, data: far };
    Bun.connect<Side>({ ...options, socket: { ...HANDLERS, open } }).catch(() => far.close());
  }
}
