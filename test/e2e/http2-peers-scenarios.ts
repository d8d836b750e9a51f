import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { type Digest, patterned, ROOMY } from "./http2-peers-bytes.ts";

const MIB = 1024 * 1024;
const { NGHTTP2_CANCEL, NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR } = constants;

export interface Scenario {
  readonly name: string;
  /** @param session a connection of its own to the server at `origin` */
  readonly run: (session: ClientHttp2Session, origin: string) => Promise<void>;
}

/** What Node's client and Node's server do together. */
export const SCENARIOS: readonly Scenario[] = [
  {
    name: "500 requests at once on one connection",
    async run(session) {
      const sizes = Array.from({ length: 500 }, (_, i) => (i * 37) % 3000);
      const answers = await Promise.all(sizes.map((size) => ask(session, `/bytes/${size}`)));
      same(answers.map(({ body }) => body.length).join(), sizes.join());
      same(
        answers.every(({ code, headers }) => textOf(headers, ":status") === "200" && code === 0),
        true,
      );
    },
  },
  {
    name: "20 MiB down, whole",
    async run(session) {
      const { body } = await ask(session, `/bytes/${20 * MIB}`);
      same(body.equals(patterned(20 * MIB)), true);
    },
  },
  {
    name: "20 MiB up, whole",
    async run(session) {
      const body = patterned(20 * MIB);
      const { bytes, hash } = parsed<Digest>(await ask(session, "/hash", { body }));
      same(bytes, 20 * MIB);
      same(hash, createHash("sha256").update(body).digest("hex"));
    },
  },
  {
    name: "5 MiB up and down at the same time, in four streams",
    async run(session) {
      const body = patterned(5 * MIB);
      const answers = await Promise.all([1, 2, 3, 4].map(() => ask(session, "/echo", { body })));
      same(
        answers.every((answer) => answer.body.equals(body)),
        true,
      );
    },
  },
  {
    name: "what is sent comes back before the request has ended",
    async run(session) {
      const stream = session.request({ ":method": "POST", ":path": "/echo" });
      for (const text of ["one", "two", "three"]) {
        stream.write(text);
        const [chunk] = (await once(stream, "data")) as [Buffer];
        same(chunk.toString(), text);
      }
      stream.end();
      await closed(stream);
    },
  },
  {
    name: "header fields arrive as they were sent, repeated, long and odd ones too",
    async run(session, origin) {
      const headers = {
        "x-long": "v".repeat(8000),
        "x-empty": "",
        "x-odd": 'a, b;c="d" \\ (e) /?',
        cookie: ["a=1", "b=2"],
        te: "trailers",
        "user-agent": "peer/1",
        authorization: "Bearer secret",
      };
      const got = parsed<Record<string, string>>(await ask(session, "/headers?x=1&y=%20", { headers }));
      same(got[":path"], "/headers?x=1&y=%20");
      same(got[":scheme"], "http");
      const { cookie } = got;
      same(cookie, "a=1; b=2");
      for (const name of ["x-long", "x-empty", "x-odd", "te", "user-agent", "authorization"] as const)
        same(got[name], headers[name]);
      same(got[":authority"], new URL(origin).host);
      same(
        Object.keys(got)
          .filter((name) => /^(?:l5d-|via$|forwarded$|x-forwarded)/.test(name))
          .join(),
        "",
      );
    },
  },
  {
    name: "statuses with and without a body",
    async run(session) {
      for (const status of [204, 304, 404, 418, 503]) {
        const { headers, body, code } = await ask(session, `/status/${status}`);
        same([headers[":status"], body.length, code].join(), [status, 0, NGHTTP2_NO_ERROR].join());
      }
    },
  },
  {
    name: "a HEAD request: the length without the body",
    async run(session) {
      const { headers, body } = await ask(session, "/bytes/1234", { headers: { ":method": "HEAD" } });
      same(`${headers["content-length"]} ${body.length}`, "1234 0");
    },
  },
  {
    name: "trailers in both directions",
    async run(session) {
      const { body, trailers } = await ask(session, "/trailers", {
        body: Buffer.from("x"),
        trailers: { "x-sent": "1" },
      });
      same(body.toString(), "body");
      same(textOf(trailers, "x-received", "x-second"), "1 2");
    },
  },
  {
    name: "early hints come before the response",
    async run(session) {
      const { interim, headers } = await ask(session, "/hints");
      same(interim.map((hint) => textOf(hint, ":status", "link")).join(), "103 </a.css>; rel=preload");
      same(headers[":status"], 200);
    },
  },
  {
    name: "the server resets a stream: the code arrives, and other streams go on",
    async run(session) {
      for (const code of [NGHTTP2_CANCEL, NGHTTP2_INTERNAL_ERROR, NGHTTP2_ENHANCE_YOUR_CALM]) {
        const [reset, other] = await Promise.all([ask(session, `/reset/${code}`), ask(session, "/bytes/100000")]);
        same(reset.code, code);
        same(other.body.length, 100_000);
      }
    },
  },
  {
    name: "the client cancels: the server hears of it",
    async run(session) {
      const key = `cancel-${process.pid}`;
      const stream = session.request({ ":path": `/hang?${key}` });
      stream.on("error", () => undefined);
      await once(stream, "response");
      stream.close(NGHTTP2_CANCEL);
      same(await endOf(session, key), NGHTTP2_CANCEL);
    },
  },
  {
    name: "the client's connection goes away: the server's streams end",
    async run(session, origin) {
      const key = `gone-${process.pid}`;
      const other = connect(origin, ROOMY);
      other.on("error", () => undefined);
      const stream = other.request({ ":path": `/hang?${key}` });
      stream.on("error", () => undefined);
      await once(stream, "response");
      other.destroy();
      same(await endOf(session, key), NGHTTP2_CANCEL);
    },
  },
  {
    name: "a stream that nobody reads stalls no other",
    async run(session) {
      const slow = session.request({ ":path": `/bytes/${16 * MIB}` });
      await once(slow, "response");
      slow.pause();
      const { body } = await ask(session, `/bytes/${2 * MIB}`);
      same(body.length, 2 * MIB);
      const started = performance.now();
      for (let i = 0; i < 50; i++) same((await ask(session, "/bytes/10")).body.length, 10);
      same(performance.now() - started < 5000, true);
      slow.resume();
      let bytes = 0;
      slow.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
      });
      await closed(slow);
      same(bytes, 16 * MIB);
    },
  },
  {
    name: "1,000 streams open at once on ten connections, then all end",
    async run(_session, origin) {
      const sessions = Array.from({ length: 10 }, () => connect(origin, ROOMY));
      const streams = sessions.flatMap((one) =>
        Array.from({ length: 100 }, () => one.request({ ":method": "POST", ":path": "/echo" })),
      );
      // Watched from the beginning, so that a stream that fails is an answer like others.
      const answers = streams.map(answerOf);
      await Promise.all(streams.map((stream) => Promise.race([once(stream, "response"), closed(stream)])));
      for (const stream of streams) stream.end("end");
      for (const { body, code } of await Promise.all(answers)) same(`${body.toString()} ${code}`, "end 0");
      for (const one of sessions) one.close();
    },
  },
  {
    name: "extended CONNECT: bytes both ways under a protocol of their own",
    async run(session) {
      if (session.remoteSettings.enableConnectProtocol !== true) await once(session, "remoteSettings");
      same(session.remoteSettings.enableConnectProtocol, true);
      const stream = session.request({
        ":method": "CONNECT",
        ":protocol": "chat",
        ":path": "/tunnel",
        ":scheme": "http",
      });
      const [headers] = (await once(stream, "response")) as [IncomingHttpHeaders];
      same(textOf(headers, ":status", "x-protocol"), "200 chat");
      stream.write("hello");
      const [chunk] = (await once(stream, "data")) as [Buffer];
      same(chunk.toString(), "hello");
      stream.end();
      await closed(stream);
    },
  },
  {
    name: "a PING is answered",
    async run(session) {
      await once(session, "connect");
      await new Promise<void>((resolve, reject) => {
        session.ping((error) => (error === null ? resolve() : reject(error)));
      });
    },
  },
];

interface Answer {
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders;
  readonly interim: readonly IncomingHttpHeaders[];
  readonly body: Buffer;
  /** How the stream ended. */
  readonly code: number;
}

interface Ask {
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: Buffer;
  readonly trailers?: OutgoingHttpHeaders;
}

async function ask(session: ClientHttp2Session, path: string, options: Ask = {}): Promise<Answer> {
  const { headers = {}, body, trailers } = options;
  const method = body === undefined && trailers === undefined ? "GET" : "POST";
  const stream = session.request(
    { ":method": method, ":path": path, ...headers },
    { endStream: method === "GET", waitForTrailers: trailers !== undefined },
  );
  if (trailers !== undefined) stream.on("wantTrailers", () => stream.sendTrailers(trailers));
  if (method === "POST") stream.end(body);
  return answerOf(stream);
}

async function answerOf(stream: ClientHttp2Stream): Promise<Answer> {
  const chunks: Buffer[] = [];
  const interim: IncomingHttpHeaders[] = [];
  let headers: IncomingHttpHeaders = {};
  let trailers: IncomingHttpHeaders = {};
  stream.on("headers", (more) => interim.push(more));
  stream.on("response", (received) => {
    headers = received;
  });
  stream.on("trailers", (received) => {
    trailers = received;
  });
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  stream.on("error", () => {
    // The code tells.
  });
  await closed(stream);
  return { headers, trailers, interim, body: Buffer.concat(chunks), code: stream.rstCode };
}

/** However it ended: `once` would throw for an error. */
function closed(stream: ClientHttp2Stream): Promise<void> {
  return new Promise((resolve) => {
    stream.once("close", () => resolve());
  });
}

/** The code that a stream of /hang ended with, once it has. */
async function endOf(session: ClientHttp2Session, key: string): Promise<number> {
  for (;;) {
    const { code } = parsed<{ code: number | null }>(await ask(session, `/ended?${key}`));
    if (code !== null) return code;
    await sleep(5);
  }
}

function parsed<T>({ body }: Answer): T {
  return JSON.parse(body.toString()) as T;
}

function same(got: unknown, want: unknown): void {
  if (!Object.is(got, want)) throw new Error(`got ${JSON.stringify(got)}, want ${JSON.stringify(want)}`);
}

function textOf(headers: IncomingHttpHeaders, ...names: readonly string[]): string {
  return names.map((name) => String(headers[name])).join(" ");
}
