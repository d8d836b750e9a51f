import { ErrorCode } from "@bowline/wire";
import { type Arbitrary, array, boolean, constant, constantFrom, nat, oneof, record } from "fast-check";
import type { Fields } from "./http2-peer.case.test.ts";
import { streamBytes } from "./plane-world.case.test.ts";

/** One exchange as it is meant to go. */
export interface ExchangeScript {
  readonly id: number;
  readonly startMs: number;
  readonly grpc: boolean;
  readonly request: Message;
  readonly response: Message & { readonly interims: readonly Fields[] };
  /** When the server answers: at once with the head, or this long after the request's end. */
  readonly early: boolean;
  readonly thinkMs: number;
  /** An early answer ends with a word that the rest of the request is not wanted. */
  readonly stops: boolean;
  /** So often the server refuses the stream before it takes it. */
  readonly refusals: number;
  /** The client gives up so long after it has begun. */
  readonly clientResetMs: number | null;
  /** The server gives up behind so many bytes of its body; below zero before its head. */
  readonly serverReset: { readonly afterBytes: number; readonly code: ErrorCode } | null;
  /** Both sides take what comes in small bites. */
  readonly clientReadsSlowly: boolean;
  readonly serverReadsSlowly: boolean;
}

export interface Message {
  readonly head: Fields;
  readonly body: Uint8Array;
  readonly trailers: Fields;
}

interface MessageChoice {
  readonly body: number;
  readonly trailers: boolean;
  readonly length: boolean;
  readonly extra: number;
}

export interface ExchangeChoice {
  readonly startMs: number;
  readonly method: string;
  readonly request: MessageChoice;
  readonly response: MessageChoice;
  readonly status: number;
  readonly grpc: boolean;
  readonly interims: number;
  readonly early: boolean;
  readonly stops: boolean;
  readonly thinkMs: number;
  readonly refusals: number;
  readonly clientResetMs: number | null;
  readonly serverReset: { readonly at: number; readonly code: ErrorCode } | null;
  readonly clientReadsSlowly: boolean;
  readonly serverReadsSlowly: boolean;
}

/** What a connection's application allows the other side. */
export interface ConnectionChoice {
  readonly streamWindow: number;
  readonly connectionWindow: number;
  readonly streamsMax: number;
}

const usual = <T>(value: T, unusual: Arbitrary<T>, weight = 4): Arbitrary<T> =>
  oneof({ weight, arbitrary: constant(value) }, { weight: 1, arbitrary: unusual });

const messageChoice: Arbitrary<MessageChoice> = record({
  body: oneof(constant(0), nat(20), nat(5000), nat(200_000)),
  trailers: boolean(),
  length: boolean(),
  extra: nat(3),
});

export const exchangeChoice: Arbitrary<ExchangeChoice> = record({
  startMs: oneof(constant(0), nat(5), nat(200)),
  method: constantFrom("GET", "POST", "PUT", "HEAD"),
  request: messageChoice,
  response: messageChoice,
  status: constantFrom(200, 204, 404, 500, 304),
  grpc: boolean(),
  interims: usual(0, nat(2)),
  early: usual(false, boolean()),
  stops: boolean(),
  thinkMs: oneof(constant(0), nat(30)),
  refusals: usual(0, nat(2)),
  clientResetMs: usual<number | null>(null, nat(300), 6),
  serverReset: usual<ExchangeChoice["serverReset"]>(
    null,
    record({ at: nat(3000), code: constantFrom(ErrorCode.Cancel, ErrorCode.InternalError, ErrorCode.NoError) }),
    6,
  ),
  clientReadsSlowly: usual(false, boolean()),
  serverReadsSlowly: usual(false, boolean()),
});

export const connectionChoice: Arbitrary<ConnectionChoice> = record({
  streamWindow: usual(65_535, constantFrom(200, 1000, 30_000, 1_000_000)),
  connectionWindow: usual(1 << 20, constantFrom(65_535, 100_000)),
  streamsMax: usual(0, constantFrom(1, 2, 3)),
});

export const exchangeChoices: Arbitrary<ExchangeChoice[]> = array(exchangeChoice, { minLength: 1, maxLength: 8 });

/** The script that a choice makes; bodies together stay within `bytesMax`. */
export function exchangeOf(choice: ExchangeChoice, id: number, bytesMax: number): ExchangeScript {
  const { method, status, grpc, serverReset } = choice;
  const bodyless = method === "HEAD" || status === 204 || status === 304;
  const requestBody = method === "GET" || method === "HEAD" ? 0 : choice.request.body;
  const request = messageOf(choice.request, id, Math.min(requestBody, bytesMax >> 1), [
    [":method", method],
    [":scheme", "http"],
    [":authority", `web-${id % 3}.test:8080`],
    [":path", `/a/${id % 5}?q=${id}`],
    ["x-id", String(id)],
    ...(grpc
      ? ([
          ["te", "trailers"],
          ["content-type", "application/grpc"],
        ] as const)
      : []),
  ]);
  const response = messageOf(choice.response, id + 1, bodyless ? 0 : Math.min(choice.response.body, bytesMax >> 1), [
    [":status", String(status)],
    ["x-answers", String(id)],
    ...(grpc ? ([["content-type", "application/grpc"]] as const) : []),
  ]);
  const interim = (n: number): Fields => [
    [":status", n === 0 ? "103" : "102"],
    ["link", `</${id}>; rel=preload`],
  ];
  return {
    id,
    startMs: choice.startMs,
    grpc,
    request,
    response: {
      ...(bodyless ? { ...response, trailers: [] } : response),
      interims: interimsOf(choice.interims, interim),
    },
    early: choice.early,
    stops: choice.stops && choice.early,
    thinkMs: choice.thinkMs,
    refusals: choice.refusals,
    clientResetMs: choice.clientResetMs,
    serverReset: serverReset === null ? null : { afterBytes: serverReset.at - 1000, code: serverReset.code },
    clientReadsSlowly: choice.clientReadsSlowly,
    serverReadsSlowly: choice.serverReadsSlowly,
  };
}

function interimsOf(count: number, make: (n: number) => Fields): Fields[] {
  return Array.from({ length: count }, (_, n) => make(n));
}

function messageOf(choice: MessageChoice, id: number, bodyBytes: number, head: Fields): Message {
  const extras: Fields = Array.from({ length: choice.extra }, (_, n) => [`x-extra-${n}`, `${"v".repeat(n * 40)}${id}`]);
  const length: Fields = choice.length && bodyBytes > 0 ? [["content-length", String(bodyBytes)]] : [];
  const trailers: Fields = [["x-sum", `${id}/${bodyBytes}`]];
  return {
    head: [...head, ...length, ...extras],
    body: streamBytes(id, bodyBytes),
    trailers: choice.trailers ? trailers : [],
  };
}
