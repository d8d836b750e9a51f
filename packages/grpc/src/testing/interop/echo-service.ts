import type { EchoRequest } from "../gen/echo_pb.ts";

/** Text, or bytes under names that end in -bin; each library has its own class for it. */
export type PlainMetadata = Record<string, string | Uint8Array>;

export interface EchoReply {
  text?: string;
  payload?: Uint8Array;
  index?: number;
  receivedBytes?: bigint;
}

/** What an echo needs of the library that serves it. */
export interface EchoContext {
  /** Request metadata. */
  get(name: string): string | Uint8Array | undefined;
  /** Sends initial metadata, before any reply. */
  sendInitial(metadata: PlainMetadata): void;
  setTrailers(metadata: PlainMetadata): void;
  readonly signal: AbortSignal;
}

/** What an echo ends with when it was asked to fail: with itself as detail. */
export class EchoFailure extends Error {
  readonly code: number;
  readonly request: EchoRequest;

  constructor(request: EchoRequest) {
    super(request.text);
    this.code = request.failCode;
    this.request = request;
  }
}

/** The Echo service for whatever library serves it. Replies of 0x5a bytes; counts the calls it saw cancelled. */
export class EchoService {
  cancellations = 0;
  /** Replies that streams have yielded: how far a slow reader lets them get. */
  yielded = 0;

  async unary(request: EchoRequest, context: EchoContext): Promise<EchoReply> {
    await this.#prepare(request, context);
    const text = request.text === "cancellations?" ? String(this.cancellations) : request.text;
    return { text, payload: filled(request.responseBytes), receivedBytes: BigInt(request.payload.length) };
  }

  async *serverStream(request: EchoRequest, context: EchoContext): AsyncGenerator<EchoReply> {
    if (request.count === 0) await this.#prepare(request, context);
    for (let index = 0; index < request.count; index++) {
      this.yielded++;
      yield { text: request.text, index, payload: filled(request.responseBytes) };
    }
    await this.#prepare(request, context);
  }

  async clientStream(requests: AsyncIterable<EchoRequest>, context: EchoContext): Promise<EchoReply> {
    let receivedBytes = 0n;
    let index = 0;
    for await (const request of requests) {
      await this.#prepare(request, context);
      receivedBytes += BigInt(request.payload.length);
      index++;
    }
    return { receivedBytes, index };
  }

  async *bidi(requests: AsyncIterable<EchoRequest>, context: EchoContext): AsyncGenerator<EchoReply> {
    let index = 0;
    for await (const request of requests) {
      await this.#prepare(request, context);
      yield { text: request.text, index: index++, payload: filled(request.responseBytes) };
    }
  }

  /** Metadata back, then whatever the request asks for beside an answer. */
  async #prepare(request: EchoRequest, context: EchoContext): Promise<void> {
    const initial = context.get("x-echo-initial");
    if (initial !== undefined) context.sendInitial({ "x-echo-initial": initial });
    const trailing = context.get("x-echo-trailing-bin");
    if (trailing !== undefined) context.setTrailers({ "x-echo-trailing-bin": trailing });
    if (request.hang) await this.#hang(context.signal);
    if (request.failCode !== 0) throw new EchoFailure(request);
  }

  async #hang(signal: AbortSignal): Promise<void> {
    if (!signal.aborted) {
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    }
    this.cancellations++;
    throw signal.reason;
  }
}

function filled(bytes: number): Uint8Array {
  return new Uint8Array(bytes).fill(0x5a);
}
