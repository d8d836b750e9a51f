/**
 * Node's HTTP/2 on either side of the proxies, as a program of its own: built by http2-peers-node.test.ts for Node, as
 * Bun's `node:http2` is another implementation.
 *
 *     http2-peers-node server HOST PORT...    prints "serving"
 *     http2-peers-node client HOST PORT       runs the scenarios; prints {name, error} for each
 */
import { connect, createServer, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { digestOf, patterned, ROOMY } from "./http2-peers-bytes.ts";
import { SCENARIOS } from "./http2-peers-scenarios.ts";

const LIMIT_MS = 20_000;
/** Reset codes of the streams of /hang that ended, by query. */
const ended = new Map<string, number>();

const [role, host = "", ...ports] = process.argv.slice(2);
if (role === "server") serve(host, ports.map(Number));
else await runScenarios(`http://${host}:${ports[0]}`);

function serve(host: string, ports: readonly number[]): void {
  let open = 0;
  for (const port of ports) {
    const server = createServer({ ...ROOMY, settings: { enableConnectProtocol: true, maxConcurrentStreams: 1000 } });
    server.on("stream", (stream, headers) => {
      stream.on("error", () => {
        // The client has reset it, as some scenarios do.
      });
      answer(stream as ServerHttp2Stream, headers).catch((error: unknown) => console.error(error));
    });
    server.listen(port, host, () => ++open === ports.length && console.log("serving"));
  }
}

async function answer(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
  const [path = "", query = ""] = String(headers[":path"]).split("?");
  const [, kind = "", argument = ""] = path.split("/");
  switch (kind) {
    case "bytes":
      stream.respond({ ":status": 200, "content-length": argument });
      stream.end(patterned(Number(argument)));
      return;
    case "status":
      stream.respond({ ":status": Number(argument) }, { endStream: true });
      return;
    case "headers":
      json(stream, headers);
      return;
    case "hash":
      json(stream, await digestOf(stream));
      return;
    case "echo":
      stream.respond({ ":status": 200 });
      stream.pipe(stream);
      return;
    case "trailers":
      return answerTrailers(stream);
    case "hints":
      stream.additionalHeaders({ ":status": 103, link: "</a.css>; rel=preload" });
      json(stream, {});
      return;
    case "reset":
      // Node ends a stream before it resets it, unless it is to have trailers.
      stream.respond({ ":status": 200 }, { waitForTrailers: true });
      stream.write("some", () => stream.close(Number(argument)));
      return;
    case "hang":
      stream.on("close", () => ended.set(query, stream.rstCode));
      stream.respond({ ":status": 200 });
      return;
    case "ended":
      json(stream, { code: ended.get(query) ?? null });
      return;
    case "tunnel":
      stream.respond({ ":status": 200, "x-protocol": String(headers[":protocol"]) });
      stream.pipe(stream);
      return;
    default:
      stream.respond({ ":status": 404 }, { endStream: true });
  }
}

async function answerTrailers(stream: ServerHttp2Stream): Promise<void> {
  let received: IncomingHttpHeaders = {};
  stream.on("trailers", (trailers) => {
    received = trailers;
  });
  await digestOf(stream);
  stream.respond({ ":status": 200, trailer: "x-received" }, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "x-received": received["x-sent"] ?? "none", "x-second": "2" }));
  stream.end("body");
}

function json(stream: ServerHttp2Stream, value: unknown): void {
  stream.respond({ ":status": 200, "content-type": "application/json" });
  stream.end(JSON.stringify(value));
}

async function runScenarios(origin: string): Promise<void> {
  for (const { name, run } of SCENARIOS) {
    const session = connect(origin, ROOMY);
    const broken = new Promise<never>((_, reject) => session.once("error", reject));
    broken.catch(() => undefined);
    const late = sleep(LIMIT_MS, undefined, { ref: false }).then(() => {
      throw new Error(`not done after ${LIMIT_MS} ms`);
    });
    let error = "";
    try {
      await Promise.race([run(session, origin), broken, late]);
    } catch (thrown) {
      error = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
    }
    console.log(JSON.stringify({ name, error }));
    session.destroy();
  }
  process.exit(0);
}
