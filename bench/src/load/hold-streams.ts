/**
 * A program of its own, so that it can run inside the namespace:
 *
 *     hold-streams.ts PORT CONNECTIONS STREAMS
 *
 * Opens the connections with one request each that does not end, prints `connected` once all have a response head, opens
 * the other requests on SIGHUP, prints `held` once these have theirs, and stays until it is killed. Ends with 1 when a
 * stream or connection ends, or a head is late.
 */
import { connect, type Socket } from "node:net";
import { BACKEND_ADDRESS } from "../addresses.ts";

const FRAME_HEAD_BYTES = 9;
const FrameType = { Headers: 1, ResetStream: 3, Settings: 4, Ping: 6, GoAway: 7 } as const;
const ACK = 1;
const END_STREAM = 1;
const END_HEADERS = 4;
const ANSWER_LIMIT_MS = 20_000;

const [port = 0, connections = 0, streams = 0] = process.argv.slice(2).map(Number);

/** RFC 7541 §6: two fields of the static table and some that are not to be indexed, so that every stream sends the same. */
const REQUEST_HEAD = Buffer.concat([
  Buffer.of(0x83, 0x86),
  ...[
    { name: Buffer.of(0x04), value: "/bench.Bench/Watch" },
    { name: Buffer.of(0x01), value: `${BACKEND_ADDRESS}:${port}` },
    { name: Buffer.of(0x0f, 0x10), value: "application/grpc" },
    { name: Buffer.from("\0\x02te"), value: "trailers" },
  ].flatMap(({ name, value }) => [name, Buffer.of(value.length), Buffer.from(value)]),
]);

class Holder {
  readonly #socket: Socket;
  #unread: Uint8Array = Buffer.alloc(0);
  #opened = 0;
  answered = 0;

  constructor() {
    this.#socket = connect(port, BACKEND_ADDRESS);
    this.#socket.setNoDelay(true);
    this.#socket.on("data", (chunk) => this.#read(Buffer.from(chunk)));
    this.#socket.on("error", (error) => fail(String(error)));
    this.#socket.on("close", () => fail("a connection was closed"));
    this.#socket.write(
      Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(FrameType.Settings, 0, 0)]),
    );
  }

  open(count: number): void {
    const heads: Buffer[] = [];
    for (; count > 0; count--) heads.push(frame(FrameType.Headers, END_HEADERS, this.#opened++ * 2 + 1, REQUEST_HEAD));
    this.#socket.write(Buffer.concat(heads));
  }

  #read(chunk: Buffer): void {
    const bytes = Buffer.concat([this.#unread, chunk]);
    let at = 0;
    while (bytes.length - at >= FRAME_HEAD_BYTES) {
      const end = at + FRAME_HEAD_BYTES + bytes.readUIntBE(at, 3);
      if (end > bytes.length) break;
      this.#onFrame(bytes[at + 3]!, bytes[at + 4]!, bytes.subarray(at + FRAME_HEAD_BYTES, end));
      at = end;
    }
    this.#unread = bytes.subarray(at);
  }

  #onFrame(type: number, flags: number, payload: Buffer): void {
    switch (type) {
      case FrameType.Headers:
        if ((flags & END_STREAM) !== 0) fail("a stream ended");
        this.answered++;
        break;
      case FrameType.Settings:
        if ((flags & ACK) === 0) this.#socket.write(frame(FrameType.Settings, ACK, 0));
        break;
      case FrameType.Ping:
        if ((flags & ACK) === 0) this.#socket.write(frame(FrameType.Ping, ACK, 0, payload));
        break;
      case FrameType.ResetStream:
        fail(`a stream was reset with ${payload.readUInt32BE(0)}`);
        break;
      case FrameType.GoAway:
        fail(`a connection goes away with ${payload.readUInt32BE(4)}`);
    }
  }
}

function frame(type: number, flags: number, stream: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const bytes = Buffer.alloc(FRAME_HEAD_BYTES + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes[3] = type;
  bytes[4] = flags;
  bytes.writeUInt32BE(stream, 5);
  bytes.set(payload, FRAME_HEAD_BYTES);
  return bytes;
}

const holders = Array.from({ length: connections }, () => new Holder());
process.once("SIGHUP", () => void openTo(streams, streams - 1, "held"));
await openTo(1, 1, "connected");

/** Opens `count` more streams per connection and waits until each has `total` answers. */
async function openTo(total: number, count: number, done: string): Promise<void> {
  for (const holder of holders) holder.open(count);
  const limitMs = performance.now() + ANSWER_LIMIT_MS;
  while (!holders.every(({ answered }) => answered >= total)) {
    if (performance.now() > limitMs) fail(`some of ${total} streams a connection have no answer`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  console.log(done);
}

function fail(reason: string): never {
  console.error(reason);
  process.exit(1);
}
