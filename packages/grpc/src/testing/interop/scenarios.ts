import type { EchoRequest } from "../gen/echo_pb.ts";
import type { EchoReply, PlainMetadata } from "./echo-service.ts";

export interface EchoCallOptions {
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
  readonly metadata?: PlainMetadata;
  readonly onHeaders?: (get: (name: string) => string | Uint8Array | undefined) => void;
  readonly onTrailers?: (get: (name: string) => string | Uint8Array | undefined) => void;
}

export type EchoInit = Partial<Omit<EchoRequest, "$typeName" | "$unknown">>;
type Reply = Required<EchoReply>;

/** The Echo service as a client of some library calls it. */
export interface EchoCaller {
  unary(request: EchoInit, options?: EchoCallOptions): Promise<Reply>;
  missing(request: EchoInit, options?: EchoCallOptions): Promise<Reply>;
  serverStream(request: EchoInit, options?: EchoCallOptions): AsyncIterable<Reply>;
  clientStream(requests: AsyncIterable<EchoInit>, options?: EchoCallOptions): Promise<Reply>;
  bidi(requests: AsyncIterable<EchoInit>, options?: EchoCallOptions): AsyncIterable<Reply>;
  /** What the library makes of a status: the code, the message alone, and the texts of the EchoRequests in details. */
  failure(error: unknown): { readonly code: number; readonly message: string; readonly details: readonly string[] };
}

export interface Scenario {
  readonly name: string;
  run(echo: EchoCaller): Promise<void>;
}

/** As much payload as a message of exactly 4 MiB has: a tag and four bytes of length come before it. */
const LARGEST_PAYLOAD_BYTES = 4 * 1024 * 1024 - 5;

/** What any client and any server of gRPC should do together. */
export const SCENARIOS: readonly Scenario[] = [
  {
    name: "unary",
    async run(echo) {
      const reply = await echo.unary({ text: "grüße", payload: new Uint8Array(10), responseBytes: 3 });
      equal(reply.text, "grüße");
      equal(reply.receivedBytes, 10n);
      equal(reply.payload.join(), "90,90,90");
    },
  },
  {
    name: "a hundred unary calls at once",
    async run(echo) {
      const texts = Array.from({ length: 100 }, (_, i) => `call ${i}`);
      const replies = await Promise.all(texts.map((text) => echo.unary({ text })));
      equal(replies.map(({ text }) => text).join(), texts.join());
    },
  },
  {
    name: "messages of 4 MiB in both directions",
    async run(echo) {
      const sent = await echo.unary({ payload: new Uint8Array(LARGEST_PAYLOAD_BYTES) });
      equal(sent.receivedBytes, BigInt(LARGEST_PAYLOAD_BYTES));
      const got = await echo.unary({ responseBytes: LARGEST_PAYLOAD_BYTES });
      equal(got.payload.length, LARGEST_PAYLOAD_BYTES);
      equal(
        got.payload.every((byte) => byte === 0x5a),
        true,
      );
    },
  },
  {
    name: "a request above 4 MiB is RESOURCE_EXHAUSTED",
    async run(echo) {
      const failure = await failureOf(echo, echo.unary({ payload: new Uint8Array(LARGEST_PAYLOAD_BYTES + 1) }));
      equal(failure.code, 8);
    },
  },
  {
    name: "a response above 4 MiB is RESOURCE_EXHAUSTED",
    async run(echo) {
      const failure = await failureOf(echo, echo.unary({ responseBytes: LARGEST_PAYLOAD_BYTES + 1 }));
      equal(failure.code, 8);
    },
  },
  {
    name: "server streaming",
    async run(echo) {
      const indexes: number[] = [];
      for await (const { index } of echo.serverStream({ count: 200, responseBytes: 1000 })) indexes.push(index);
      equal(indexes.join(), Array.from({ length: 200 }, (_, i) => i).join());
    },
  },
  {
    name: "a server stream without messages",
    async run(echo) {
      equal((await all(echo.serverStream({ count: 0 }))).length, 0);
    },
  },
  {
    name: "client streaming",
    async run(echo) {
      const reply = await echo.clientStream(requests(200, { payload: new Uint8Array(3000) }));
      equal(reply.receivedBytes, 600_000n);
      equal(reply.index, 200);
    },
  },
  {
    name: "bidirectional streaming, one answer for each question",
    async run(echo) {
      let answered: () => void = () => undefined;
      async function* questions(): AsyncGenerator<EchoInit> {
        for (let i = 0; i < 20; i++) {
          const answer = new Promise<void>((resolve) => {
            answered = resolve;
          });
          yield { text: `${i}`, responseBytes: i };
          await answer;
        }
      }
      let count = 0;
      for await (const { text, payload } of echo.bidi(questions())) {
        equal(text, `${count}`);
        equal(payload.length, count);
        count++;
        answered();
      }
      equal(count, 20);
    },
  },
  {
    name: "a status with message and details, alone (trailers-only)",
    async run(echo) {
      const failure = await failureOf(echo, echo.unary({ failCode: 9, text: "nicht möglich: 100%\n" }));
      equal(failure.code, 9);
      equal(failure.message, "nicht möglich: 100%\n");
      equal(failure.details.join(), "nicht möglich: 100%\n");
      const stream = await failureOf(echo, all(echo.serverStream({ failCode: 5, text: "gone" })));
      equal(`${stream.code} ${stream.message}`, "5 gone");
    },
  },
  {
    name: "a status after messages",
    async run(echo) {
      let count = 0;
      const stream = echo.serverStream({ count: 3, failCode: 10, text: "enough" });
      const reading = (async () => {
        for await (const _ of stream) count++;
      })();
      equal((await failureOf(echo, reading)).code, 10);
      equal(count, 3);
    },
  },
  {
    name: "metadata, ASCII and binary, in the request, the head and the trailers",
    async run(echo) {
      const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
      let initial: unknown;
      let trailing: unknown;
      const metadata = { "x-echo-initial": "some text; with=signs", "x-echo-trailing-bin": bytes };
      await echo.unary(
        { text: "m" },
        {
          metadata,
          onHeaders: (get) => {
            initial = get("x-echo-initial");
          },
          onTrailers: (get) => {
            trailing = get("x-echo-trailing-bin");
          },
        },
      );
      equal(initial, "some text; with=signs");
      equal(trailing instanceof Uint8Array && Array.from(trailing).join(), bytes.join());
    },
  },
  {
    name: "an unknown method is UNIMPLEMENTED",
    async run(echo) {
      equal((await failureOf(echo, echo.missing({}))).code, 12);
    },
  },
  {
    name: "a deadline passes at both ends",
    async run(echo) {
      const before = await cancellations(echo);
      const failure = await failureOf(echo, echo.unary({ hang: true }, { deadlineMs: 100 }));
      equal(failure.code, 4);
      await until(async () => (await cancellations(echo)) === before + 1);
    },
  },
  {
    name: "a generous deadline changes nothing",
    async run(echo) {
      equal((await echo.unary({ text: "in time" }, { deadlineMs: 60_000 })).text, "in time");
    },
  },
  {
    name: "cancelling a unary call reaches the server",
    async run(echo) {
      const before = await cancellations(echo);
      const abort = new AbortController();
      const failing = failureOf(echo, echo.unary({ hang: true }, { signal: abort.signal }));
      await echo.unary({ text: "the other is there by now" });
      abort.abort();
      equal((await failing).code, 1);
      await until(async () => (await cancellations(echo)) === before + 1);
    },
  },
  {
    name: "cancelling a stream of answers reaches the server",
    async run(echo) {
      const before = await cancellations(echo);
      const abort = new AbortController();
      let count = 0;
      const reading = (async () => {
        for await (const _ of echo.serverStream({ count: 5, hang: true }, { signal: abort.signal })) {
          if (++count === 5) abort.abort();
        }
      })();
      equal((await failureOf(echo, reading)).code, 1);
      await until(async () => (await cancellations(echo)) === before + 1);
    },
  },
  {
    name: "a server that fails while the client still sends",
    async run(echo) {
      const failure = await failureOf(echo, echo.clientStream(requests(1000, { failCode: 3, text: "stop" })));
      equal(`${failure.code} ${failure.message}`, "3 stop");
    },
  },
  {
    name: "a slow reader gets everything",
    async run(echo) {
      let count = 0;
      for await (const { payload } of echo.serverStream({ count: 40, responseBytes: 20_000 })) {
        equal(payload.length, 20_000);
        if (count++ % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      }
      equal(count, 40);
    },
  },
];

async function* requests(count: number, request: EchoInit): AsyncGenerator<EchoInit> {
  for (let i = 0; i < count; i++) yield request;
}

async function all(replies: AsyncIterable<Reply>): Promise<Reply[]> {
  const list: Reply[] = [];
  for await (const reply of replies) list.push(reply);
  return list;
}

async function failureOf(echo: EchoCaller, call: Promise<unknown>): Promise<ReturnType<EchoCaller["failure"]>> {
  try {
    await call;
  } catch (error) {
    return echo.failure(error);
  }
  throw new Error("the call should have failed");
}

async function cancellations(echo: EchoCaller): Promise<number> {
  return Number((await echo.unary({ text: "cancellations?" })).text);
}

/** Asks again until it is so; a call each time, so that it never spins. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  const giveUpMs = performance.now() + 5_000;
  while (!(await condition())) {
    if (performance.now() > giveUpMs) throw new Error("waited 5 s for it");
  }
}

function equal(got: unknown, want: unknown): void {
  if (!Object.is(got, want)) throw new Error(`got ${String(got).slice(0, 200)}, want ${String(want).slice(0, 200)}`);
}
