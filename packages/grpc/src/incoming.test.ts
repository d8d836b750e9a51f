import { describe, expect, test } from "bun:test";
import { rejectionOf } from "@bowline/testkit";
import { frameMessage } from "./framing.ts";
import type { GrpcError } from "./grpc-error.ts";
import { GrpcError as Failure } from "./grpc-error.ts";
import { Incoming, onlyMessage } from "./incoming.ts";
import { GrpcStatus } from "./status.ts";

/** A call's side that notes what it is told. */
class Owner {
  readBytes = 0;
  broken: GrpcError | null = null;
  abandoned = false;

  onRead(bytes: number): void {
    this.readBytes += bytes;
  }

  onBroken(error: GrpcError): void {
    this.broken = error;
  }

  onAbandoned(): void {
    this.abandoned = true;
  }
}

function setUp(messageBytesMax = 1000): { owner: Owner; incoming: Incoming<string>; push: (text: string) => void } {
  const owner = new Owner();
  const decode = (bytes: Uint8Array) => {
    const text = new TextDecoder().decode(bytes);
    if (text === "bad") throw new Error("no message");
    return text;
  };
  const incoming = new Incoming(owner, decode, messageBytesMax);
  return {
    owner,
    incoming,
    push(text) {
      const framed = frameMessage(new TextEncoder().encode(text));
      incoming.push(framed, 0, framed.length);
    },
  };
}

const codeOf = (promise: Promise<unknown>) => promise.then(String, (error: GrpcError) => error.code);

describe("back-pressure", () => {
  test("bytes of messages that nobody has taken are not given back", async () => {
    const { owner, incoming, push } = setUp();
    push("one");
    push("second");
    expect(owner.readBytes).toBe(0);
    expect((await incoming.next()).value).toBe("one");
    expect(owner.readBytes).toBe(8);
    expect((await incoming.next()).value).toBe("second");
    expect(owner.readBytes).toBe(8 + 11);
  });

  test("while the reader waits, parts of a message are given back as they come", async () => {
    const { owner, incoming } = setUp();
    const framed = frameMessage(new Uint8Array(100).fill(0x61));
    const next = incoming.next();
    incoming.push(framed, 0, 60);
    expect(owner.readBytes).toBe(60);
    incoming.push(framed, 60, 105);
    expect((await next).value).toBe("a".repeat(100));
    expect(owner.readBytes).toBe(105);
  });

  test("the end gives everything back, and the messages are still there", async () => {
    const { owner, incoming, push } = setUp();
    push("one");
    push("two");
    incoming.finish(null);
    expect(owner.readBytes).toBe(16);
    expect((await incoming.next()).value).toBe("one");
    expect((await incoming.next()).value).toBe("two");
    expect((await incoming.next()).done).toBe(true);
    expect(owner.readBytes).toBe(16);
  });
});

describe("the end", () => {
  test("an error comes after the messages, once", async () => {
    const { incoming, push } = setUp();
    push("one");
    incoming.finish(new Failure(GrpcStatus.Aborted, ""));
    expect((await incoming.next()).value).toBe("one");
    expect(await codeOf(incoming.next())).toBe(GrpcStatus.Aborted);
    expect((await incoming.next()).done).toBe(true);
  });

  test("abort drops messages and wakes a reader", async () => {
    const { incoming, push } = setUp();
    const waiting = incoming.next();
    incoming.abort(new Failure(GrpcStatus.Cancelled, ""));
    expect(await codeOf(waiting)).toBe(GrpcStatus.Cancelled);
    push("late");
    expect((await incoming.next()).done).toBe(true);
  });

  test("within a message it is INTERNAL", async () => {
    const { incoming } = setUp();
    incoming.push(Uint8Array.of(0, 0, 0, 0, 9, 1), 0, 6);
    incoming.finish(null);
    expect(await codeOf(incoming.next())).toBe(GrpcStatus.Internal);
  });

  test("a reader that leaves is reported, unless all was over", async () => {
    const early = setUp();
    early.push("one");
    for await (const text of early.incoming) {
      expect(text).toBe("one");
      break;
    }
    expect(early.owner.abandoned).toBe(true);
    const late = setUp();
    late.incoming.finish(null);
    await late.incoming.return();
    expect(late.owner.abandoned).toBe(false);
  });

  test("a second reader is told that there is one", async () => {
    const { incoming, push } = setUp();
    const first = incoming.next();
    expect((await rejectionOf(incoming.next())).message).toBe("gRPC messages: next() is waiting already");
    push("one");
    expect((await first).value).toBe("one");
  });
});

const broken: { name: string; bytes: number[]; code: GrpcStatus }[] = [
  { name: "too long", bytes: [0, 0, 0, 4, 0], code: GrpcStatus.ResourceExhausted },
  { name: "compressed", bytes: [1, 0, 0, 0, 0], code: GrpcStatus.Internal },
  { name: "flagged with something else", bytes: [2], code: GrpcStatus.Internal },
  { name: "undecodable", bytes: [0, 0, 0, 0, 3, 0x62, 0x61, 0x64], code: GrpcStatus.Internal },
];

for (const { name, bytes, code } of broken) {
  test(`a message that is ${name} breaks the call, and all bytes are given back`, async () => {
    const { owner, incoming } = setUp();
    incoming.push(Uint8Array.from(bytes), 0, bytes.length);
    expect(await codeOf(incoming.next())).toBe(code);
    expect(owner.broken?.code).toBe(code);
    expect(owner.readBytes).toBe(bytes.length);
  });
}

const only: { messages: string[]; want: string | GrpcStatus }[] = [
  { messages: [], want: GrpcStatus.Unimplemented },
  { messages: ["one"], want: "one" },
  { messages: ["one", "two"], want: GrpcStatus.Unimplemented },
];

for (const { messages, want } of only) {
  test(`of ${messages.length} messages the only one is ${want}`, async () => {
    const { incoming, push } = setUp();
    for (const message of messages) push(message);
    incoming.finish(null);
    expect(await codeOf(onlyMessage(incoming))).toBe(want);
  });
}
