import { createServer, type Server, type Socket } from "node:net";

const ANSWER = Buffer.from("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");

/**
 * A server that keeps every byte it is sent. It answers a connection once, when what it holds looks like a whole
 * request to the most lenient reader, and closes.
 */
export class RawBackend implements AsyncDisposable {
  readonly port: number;
  /** What came in since clear(), one entry a connection, as latin1. */
  readonly received: string[] = [];
  readonly #server: Server;
  readonly #sockets: Set<Socket> = new Set();
  #answer: Uint8Array = ANSWER;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
    server.on("connection", (socket) => this.#serve(socket));
  }

  static async start(): Promise<RawBackend> {
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(0, "127.0.0.1", resolve);
    });
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("the listener has no port");
    return new RawBackend(server, address.port);
  }

  /** Forgets what came in, and answers with `answer` from now on (null: 200 with a body of two bytes). */
  clear(answer: Uint8Array | null): void {
    this.received.length = 0;
    this.#answer = answer ?? ANSWER;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(socket: Socket): void {
    // A probe that only connects leaves no entry; the first byte makes one.
    let index = -1;
    let answered = false;
    const received = this.received;
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    socket.on("data", (bytes) => {
      if (index < 0) index = received.push("") - 1;
      received[index] += typeof bytes === "string" ? bytes : bytes.toString("latin1");
      if (answered || !looksWhole(received[index] ?? "")) return;
      answered = true;
      socket.end(this.#answer);
    });
  }
}

function looksWhole(received: string): boolean {
  const empty = /\r?\n\r?\n/.exec(received);
  if (empty === null) return false;
  const head = received.slice(0, empty.index);
  const body = received.slice(empty.index + empty[0].length);
  if (/^transfer-encoding:.*chunked/im.test(head)) return /(?:^|\n)0+[^\n]*\r?\n(?:[^\r\n][^\n]*\n)*\r?\n$/.test(body);
  const length = /^content-length:\s*(\d+)/im.exec(head);
  return length === null || body.length >= Number(length[1]);
}
