/** How the end of a message's body is found: nothing to find, a length, chunks, or the end of the connection. */
export type BodyEnd = number | "chunked" | "close";

/** A message as it came: its head with the empty line, and its body with all framing. */
export interface WireMessage {
  readonly head: string;
  readonly body: Uint8Array;
}

/**
 * Cuts a byte stream into HTTP/1 messages, in the plainest way there is: what the proxy's parser is judged by must not
 * be the proxy's parser.
 */
export class MessageReader {
  onHead: (head: string) => void = () => undefined;
  onMessage: (message: WireMessage) => void = () => undefined;
  /** Within `push`. */
  busy = false;
  readonly #bodyEnd: (head: string) => BodyEnd;
  #rest: Buffer = Buffer.alloc(0);
  #head: string | null = null;
  #body: Uint8Array[] = [];
  #remaining = 0;
  #chunkLine: "size" | "data" | "trailer" | null = null;
  #toClose = false;

  constructor(bodyEnd: (head: string) => BodyEnd) {
    this.#bodyEnd = bodyEnd;
  }

  /** Between two messages. */
  get idle(): boolean {
    return this.#head === null && this.#rest.length === 0;
  }

  /** What there is of the message in hand, for a failure's text. */
  get partial(): string {
    return (this.#head ?? "") + this.#rest.toString("latin1", 0, 300);
  }

  /** What happens on a message may bring bytes: they are then looked at after it. */
  push(bytes: Uint8Array): void {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    if (this.busy) return;
    this.busy = true;
    while (this.#step());
    this.busy = false;
  }

  /** The stream has ended: whether that was a good place. */
  end(): boolean {
    if (this.#toClose) this.#finish();
    return this.idle;
  }

  #step(): boolean {
    if (this.#head === null) return this.#readHead();
    if (this.#toClose) {
      this.#take(this.#rest.length);
      return false;
    }
    if (this.#remaining > 0) {
      const taken = Math.min(this.#remaining, this.#rest.length);
      this.#remaining -= taken;
      this.#take(taken);
      return this.#remaining === 0 && (this.#chunkLine !== null || this.#finish());
    }
    return this.#readChunkLine();
  }

  #readHead(): boolean {
    const end = this.#rest.indexOf("\r\n\r\n");
    if (end < 0) return false;
    const head = this.#rest.toString("latin1", 0, end + 4);
    this.#rest = this.#rest.subarray(end + 4);
    this.#head = head;
    this.onHead(head);
    const bodyEnd = this.#bodyEnd(head);
    if (bodyEnd === 0) return this.#finish();
    if (bodyEnd === "close") this.#toClose = true;
    else if (bodyEnd === "chunked") this.#chunkLine = "size";
    else this.#remaining = bodyEnd;
    return true;
  }

  #readChunkLine(): boolean {
    const end = this.#rest.indexOf("\r\n");
    if (end < 0) return false;
    const line = this.#rest.toString("latin1", 0, end);
    this.#take(end + 2);
    if (this.#chunkLine === "trailer") return line !== "" || this.#finish();
    if (this.#chunkLine === "data") {
      this.#chunkLine = "size";
      return true;
    }
    const size = Number.parseInt(line, 16);
    this.#chunkLine = size === 0 ? "trailer" : "data";
    this.#remaining = size;
    return true;
  }

  #take(bytes: number): void {
    this.#body.push(this.#rest.subarray(0, bytes));
    this.#rest = this.#rest.subarray(bytes);
  }

  #finish(): true {
    const message = { head: this.#head ?? "", body: Buffer.concat(this.#body) };
    this.#head = null;
    this.#body = [];
    this.#chunkLine = null;
    this.#toClose = false;
    this.onMessage(message);
    return true;
  }
}

/** The body's end as the head's framing fields say. */
export function framingOf(head: string): BodyEnd | null {
  if (/^transfer-encoding: *chunked\r$/im.test(head)) return "chunked";
  const length = /^content-length: *(\d+)\r$/im.exec(head)?.[1];
  return length === undefined ? null : Number(length);
}
