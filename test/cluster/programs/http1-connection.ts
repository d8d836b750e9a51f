import type { Socket } from "bun";

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * One HTTP/1.1 connection that takes anything but a whole answer for a failure and never tries anything again, so that what it
 * counts is what the mesh did. Ordinary clients send a request anew when an idle connection was closed under it.
 */
export class Http1Connection {
  readonly #host: string;
  readonly #socket: Socket<undefined>;
  #received = "";
  #reusable = true;
  #closed = false;
  #wake: () => void = () => {};

  /** Rejects when the connection is refused, or not there within `deadlineMs`. */
  static async open(host: string, port: number, authority: string, deadlineMs: number): Promise<Http1Connection> {
    let connection: Http1Connection | null = null;
    const opening = Bun.connect<undefined>({
      hostname: host,
      port,
      socket: {
        data: (_, bytes) => connection?.onData(bytes),
        close: () => connection?.onClose(),
        error: () => connection?.onClose(),
      },
    });
    const socket = await within(opening, deadlineMs, "to connect");
    connection = new Http1Connection(authority, socket);
    return connection;
  }

  private constructor(host: string, socket: Socket<undefined>) {
    this.#host = host;
    this.#socket = socket;
  }

  /** Whether another request may be sent: the last answer was read whole and did not say `connection: close`, nor has it been closed. */
  get usable(): boolean {
    return this.#reusable && !this.#closed;
  }

  async get(path: string, headers: Readonly<Record<string, string>>, deadlineMs: number): Promise<Answer> {
    this.#reusable = false;
    const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    this.#socket.write(`GET ${path} HTTP/1.1\r\nhost: ${this.#host}\r\n${fields.join("")}\r\n`);
    const answer = await within(this.#read(), deadlineMs, "for an answer");
    this.#reusable = answer.headers["connection"] !== "close";
    return answer;
  }

  close(): void {
    this.#socket.end();
  }

  onData(bytes: Uint8Array): void {
    this.#received += Buffer.from(bytes).toString("latin1");
    this.#wake();
  }

  onClose(): void {
    this.#closed = true;
    this.#wake();
  }

  async #read(): Promise<Answer> {
    const head = await this.#take((text) => {
      const end = text.indexOf("\r\n\r\n");
      return end < 0 ? null : end + 4;
    });
    const [line = "", ...fields] = head.trimEnd().split("\r\n");
    const headers: Record<string, string> = {};
    for (const field of fields) {
      const colon = field.indexOf(":");
      headers[field.slice(0, colon).toLowerCase()] = field.slice(colon + 1).trim();
    }
    const length = headers["content-length"];
    if (length === undefined) throw new Error(`an answer without a content-length: ${line}`);
    const body = await this.#take((text) => (text.length >= Number(length) ? Number(length) : null));
    return { status: Number(line.split(" ")[1]), headers, body };
  }

  /** `ends` says how much of what was received is wanted, or null while that is not there yet. */
  async #take(ends: (text: string) => number | null): Promise<string> {
    for (;;) {
      const end = ends(this.#received);
      if (end !== null) {
        const taken = this.#received.slice(0, end);
        this.#received = this.#received.slice(end);
        return taken;
      }
      if (this.#closed) throw new Error(`closed after ${this.#received.length} bytes of an answer`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

/** Rejects with `waited N ms WHAT` when `work` takes longer. */
export async function within<T>(work: Promise<T>, deadlineMs: number, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${deadlineMs} ms ${what}`)), deadlineMs);
  });
  try {
    return await Promise.race([work, deadline]);
  } finally {
    clearTimeout(timer);
  }
}
