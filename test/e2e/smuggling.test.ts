import { afterAll, beforeAll, expect, test } from "bun:test";
import { freePort, HTTP1_CORPUS, loadHttp1Corpus, spawnProcess, waitFor } from "@bowline/testkit";
import { Detected, detectProtocol } from "@bowline/wire";
import { exchange } from "../smuggling/exchange.ts";
import { RawBackend } from "../smuggling/raw-backend.ts";
import { requestsNotRefused } from "../smuggling/refusal.ts";
import { ARTICLE_ENV, BOWLINE } from "./mesh.ts";

const PLAIN_REQUEST = Buffer.from("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n");
const corpus = loadHttp1Corpus();
const stack = new AsyncDisposableStack();
let backend: RawBackend;
let port: number;

// No namespace is needed: 2018's variable for connections without an original destination sends them to the backend.
beforeAll(async () => {
  backend = stack.use(await RawBackend.start());
  port = await freePort();
  const [outbound, admin] = [await freePort(), await freePort()];
  const proxy = stack.use(
    spawnProcess([...BOWLINE, "proxy"], {
      env: {
        ...ARTICLE_ENV,
        LINKERD2_PROXY_INBOUND_LISTENER: `tcp://127.0.0.1:${port}`,
        LINKERD2_PROXY_INBOUND_FORWARD: `tcp://127.0.0.1:${backend.port}`,
        LINKERD2_PROXY_OUTBOUND_LISTENER: `tcp://127.0.0.1:${outbound}`,
        LINKERD2_PROXY_METRICS_LISTENER: `tcp://127.0.0.1:${admin}`,
        // A body that never ends is not refused, but its connection must not stay.
        LINKERD2_PROXY_HTTP1_HEAD_TIMEOUT: "500ms",
      },
    }),
  );
  await waitFor(async () => proxy.result() ?? (await exchange(port, PLAIN_REQUEST, false)).status === 200, {
    what: "the proxy to pass a request",
    timeoutMs: 10_000,
  });
  if (proxy.result() !== null) throw new Error(`the proxy ended: ${proxy.stderr()}`);
}, 30_000);

afterAll(async () => {
  await stack.disposeAsync();
});

test("the corpus is there", () => {
  expect(corpus.filter(({ kind }) => kind === "request").length, HTTP1_CORPUS).toBeGreaterThan(50);
});

test("every request that is to be refused is, and the app sees nothing of it", async () => {
  // What does not even look like a request is another protocol's, as long as nothing was said before.
  const requests = corpus.filter(({ bytes }) => detectProtocol(bytes, 0, bytes.length) === Detected.Http1);
  expect(requests.length).toBeGreaterThan(50);
  expect(await requestsNotRefused(port, backend, requests)).toEqual([]);
}, 60_000);

test("behind a good request on the same connection, all are", async () => {
  expect(await requestsNotRefused(port, backend, corpus, PLAIN_REQUEST)).toEqual([]);
}, 60_000);

test("every request that is to be accepted arrives and is answered", async () => {
  const failures: string[] = [];
  for (const row of corpus) {
    if (row.kind !== "request" || row.verdict !== "accept") continue;
    backend.clear(null);
    const { status, answer } = await exchange(port, row.bytes, false);
    const reached = backend.received.join("").length > 0;
    if (!reached || (status !== 200 && !answer.endsWith("ok"))) {
      failures.push(`${row.name}: answered ${status}, ${reached ? "reached the app" : "nothing reached the app"}`);
    }
  }
  expect(failures).toEqual([]);
}, 60_000);

test("every malformed response becomes a 502 or breaks off; a good one passes", async () => {
  const failures: string[] = [];
  for (const row of corpus) {
    if (row.kind !== "response") continue;
    backend.clear(row.bytes);
    const { status, answer } = await exchange(port, PLAIN_REQUEST, false);
    const passed = status === 0 ? answer !== "" : status >= 200 && status < 300;
    if (passed !== (row.verdict === "accept")) failures.push(`${row.name}: ${row.verdict}, but answered ${status}`);
  }
  expect(failures).toEqual([]);
}, 60_000);
