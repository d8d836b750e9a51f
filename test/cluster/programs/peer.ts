import { connect as connectHttp2, createServer as createHttp2, type ServerHttp2Stream } from "node:http2";
import { Http1Connection, within } from "./http1-connection.ts";
import { Load } from "./load.ts";

/**
 * What runs in the pods of these tests: a server of HTTP/1, gRPC over HTTP/2 and a TCP protocol whose server speaks first; and a
 * client of all three, told what to do by requests, since `kubectl get --raw …/proxy/…` reaches every pod.
 */

const APP = process.env["APP"] ?? "peer";
const POD = process.env["POD"] ?? "";
const DEADLINE_MS = 10_000;
const loads = new Map<string, Load>();
const kept = new Map<string, Http1Connection>();
/** Requests that were meant for another app. */
let misdirected = 0;

const server = Bun.serve({
  port: portOf("HTTP_PORT", 8080),
  hostname: "0.0.0.0",
  routes: {
    "/": answer,
    "/status/:code": ({ params }) => new Response("", { status: Number(params.code) }),
    "/slow/:ms": async (request) => {
      await Bun.sleep(Number(request.params.ms));
      return answer(request);
    },
    "/misdirected": () => Response.json(misdirected),
    "/do/http": (request) => attempt(request, getHttp),
    "/do/kept": (request) => attempt(request, askKept),
    "/do/grpc": (request) => attempt(request, callGrpc),
    "/do/tcp": (request) => attempt(request, greet),
    "/do/load": (request) => attempt(request, startLoad),
    "/do/report": (request) => attempt(request, async (query) => loadNamed(query).report()),
    "/do/stop": (request) => attempt(request, stopLoad),
  },
});
const grpc = createHttp2();
grpc.on("stream", (stream: ServerHttp2Stream) => {
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  stream.once("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.end(POD);
});
grpc.listen(portOf("GRPC_PORT", 8081), "0.0.0.0");
for (const port of (process.env["TCP_PORTS"] ?? "").split(",").filter((text) => text !== "")) {
  Bun.listen({
    port: Number(port),
    hostname: "0.0.0.0",
    socket: {
      open: (socket) => {
        socket.write(`hello from ${POD}\n`);
      },
      data: (socket, bytes) => {
        socket.write(bytes);
      },
    },
  });
}
process.once("SIGTERM", () => {
  grpc.close();
  void server.stop().then(() => process.exit(0));
});
process.stdout.write(`${APP} ${POD} serves\n`);

function portOf(variable: string, fallback: number): number {
  return Number(process.env[variable] ?? fallback);
}

function answer(request: Request): Response {
  const meantFor = request.headers.get("x-meant-for") ?? APP;
  if (meantFor !== APP) misdirected++;
  return new Response(`${APP} ${POD}`);
}

/** The outcome as JSON, failures too: `kubectl get --raw` shows no body of a failed request. */
async function attempt(request: Request, action: (query: URLSearchParams) => Promise<unknown>): Promise<Response> {
  try {
    return Response.json({ result: await action(new URL(request.url).searchParams) });
  } catch (error) {
    return Response.json({ error: error instanceof Error ? error.message : String(error) });
  }
}

async function getHttp(query: URLSearchParams): Promise<unknown> {
  const { hostname, port, host, pathname } = new URL(required(query, "url"));
  const startMs = performance.now();
  const connection = await Http1Connection.open(hostname, Number(port || "80"), host, DEADLINE_MS);
  try {
    const { status, headers, body } = await connection.get(pathname, {}, DEADLINE_MS);
    return { status, headers, body, tookMs: performance.now() - startMs };
  } finally {
    connection.close();
  }
}

/** Like getHttp, but over one connection that is kept from one call to the next. */
async function askKept(query: URLSearchParams): Promise<unknown> {
  const { hostname, port, host, pathname, href } = new URL(required(query, "url"));
  const connection = kept.get(href) ?? (await Http1Connection.open(hostname, Number(port || "80"), host, DEADLINE_MS));
  kept.set(href, connection);
  return await connection.get(pathname, {}, DEADLINE_MS);
}

async function callGrpc(query: URLSearchParams): Promise<unknown> {
  const session = connectHttp2(required(query, "url"));
  try {
    return await within(unaryCall(session), DEADLINE_MS, "for the call's end");
  } finally {
    session.destroy();
  }
}

function unaryCall(session: ReturnType<typeof connectHttp2>): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let body = "";
    let status = 0;
    let grpcStatus = "";
    session.on("error", reject);
    const stream = session.request({
      ":method": "POST",
      ":path": "/test.Peer/Hello",
      "content-type": "application/grpc",
      te: "trailers",
    });
    stream.on("response", (headers) => {
      status = Number(headers[":status"]);
      grpcStatus = String(headers["grpc-status"] ?? "");
    });
    stream.on("trailers", (trailers) => {
      grpcStatus = String(trailers["grpc-status"] ?? "");
    });
    stream.on("data", (bytes: Uint8Array) => {
      body += Buffer.from(bytes).toString();
    });
    stream.on("error", reject);
    stream.on("end", () => resolve({ status, body, grpcStatus }));
    stream.end();
  });
}

/** Connects, waits for the greeting, and has one line echoed. */
async function greet(query: URLSearchParams): Promise<unknown> {
  let text = "";
  let wake: () => void = () => {};
  const socket = await Bun.connect({
    hostname: required(query, "host"),
    port: Number(required(query, "port")),
    socket: {
      data: (_, bytes) => {
        text += Buffer.from(bytes).toString();
        wake();
      },
      close: () => wake(),
    },
  });
  const line = async (): Promise<string> => {
    while (!text.includes("\n")) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    const [first = ""] = text.split("\n", 1);
    text = text.slice(first.length + 1);
    return first;
  };
  try {
    const greeting = await within(line(), DEADLINE_MS, "for a greeting");
    socket.write("ping\n");
    return { greeting, echo: await within(line(), DEADLINE_MS, "for an echo") };
  } finally {
    socket.end();
  }
}

async function startLoad(query: URLSearchParams): Promise<unknown> {
  const load = new Load({
    url: required(query, "url"),
    app: required(query, "app"),
    workers: Number(query.get("workers") ?? 4),
    pauseMs: Number(query.get("pauseMs") ?? 5),
    perConnection: 20,
    deadlineMs: DEADLINE_MS,
  });
  loads.set(required(query, "name"), load);
  return null;
}

async function stopLoad(query: URLSearchParams): Promise<unknown> {
  return await loadNamed(query).stop();
}

function loadNamed(query: URLSearchParams): Load {
  const name = required(query, "name");
  const load = loads.get(name);
  if (load === undefined) throw new Error(`there is no load ${name}`);
  return load;
}

function required(query: URLSearchParams, name: string): string {
  const value = query.get(name);
  if (value === null) throw new Error(`?${name}= is missing`);
  return value;
}
