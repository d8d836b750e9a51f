import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { connectTcp, type Pod, type TcpPeer, TcpServer, type TwoPods, twoPods, waitFor } from "@bowline/testkit";
import { counted, initPod, type ProxyEnv, type RunningProxy, startProxy } from "./mesh.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const PORT = 8080;
/** The proxy has some 30 of them for itself. */
const FDS_MAX = 100;
const TICKS_PER_SECOND = 100;

let pods: TwoPods;
let client: Pod;
let server: Pod;

beforeAll(async () => {
  pods = await twoPods();
  ({ client, server } = pods);
  await initPod(server.namespace);
}, 30_000);

afterAll(async () => {
  await pods?.[Symbol.asyncDispose]();
});

/** Runs `body` with a proxy and an app of its own in the server's pod. */
async function withProxy(
  { env = {}, prefix = [], onOpen }: { env?: ProxyEnv; prefix?: string[]; onOpen?: (peer: TcpPeer) => void },
  body: (proxy: RunningProxy, app: TcpServer) => Promise<void>,
): Promise<void> {
  using app = TcpServer.listen(server.namespace, "0.0.0.0", PORT, onOpen);
  const proxy = await startProxy(server, env, prefix);
  try {
    await body(proxy, app);
  } finally {
    proxy.process.kill("SIGKILL");
    await proxy.process.exited;
  }
}

function connect(): Promise<TcpPeer> {
  return connectTcp(client.namespace, server.v4, PORT);
}

async function tunnel(app: TcpServer): Promise<{ here: TcpPeer; there: TcpPeer }> {
  const here = await connect();
  here.send("\x00");
  const there = await app.next();
  await there.takeBytes(1);
  return { here, there };
}

describe("the proxy is killed", () => {
  test("in the middle of streams and responses: every peer sees a reset, nothing hangs", async () => {
    await withProxy({}, async (proxy, app) => {
      const idle = await tunnel(app);
      const busy = await tunnel(app);
      busy.there.send(new Uint8Array(50_000_000));
      await waitFor(() => busy.here.receivedBytes > 1_000_000, { what: "the stream to flow" });
      const caller = await connect();
      caller.send(GET);
      const answering = await app.next();
      await answering.takeUntil("\r\n\r\n");
      answering.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123");
      await caller.takeUntil("0123");
      proxy.process.kill("SIGKILL");
      await proxy.process.exited;
      for (const peer of [idle.here, idle.there, busy.here, busy.there, caller, answering]) {
        expect(await peer.untilEnded()).toBe("reset");
      }
    });
  }, 20_000);

  test("another proxy takes over, on the same ports at once", async () => {
    await withProxy({}, async (_proxy, app) => {
      const { here, there } = await tunnel(app);
      there.send("again");
      expect(await here.takeUntil("again")).toBe("again");
    });
  }, 20_000);
});

describe("file descriptors run out", () => {
  test("open connections go on, no CPU is burnt, nobody hangs, and it recovers", async () => {
    const limit = ["prlimit", `--nofile=${FDS_MAX}:${FDS_MAX}`];
    const answer = (peer: TcpPeer): void => {
      peer.onBytes = (bytes) => {
        if (bytes[0] === 0x47) peer.send(OK);
        else peer.send("pong");
      };
    };
    await withProxy({ prefix: limit, onOpen: answer }, async (proxy, app) => {
      const old = await connect();
      old.send("\x00");
      await old.takeUntil("pong");
      const holders = await Promise.all(Array.from({ length: 2 * FDS_MAX }, connect));
      // Idle ones hold a descriptor each; the rest of them wait in the backlog.
      await proxy.process.waitForOutput("no file descriptor left: accepting pauses");
      const ticks = cpuTicks(proxy);
      const startMs = performance.now();
      for (let i = 0; i < 20; i++) {
        old.send("\x01ping");
        expect(await old.takeUntil("pong")).toBe("pong");
        await Bun.sleep(25);
      }
      const share = ((cpuTicks(proxy) - ticks) / TICKS_PER_SECOND / (performance.now() - startMs)) * 1_000;
      expect(share).toBeLessThan(0.3);
      // Requests on connections that were accepted: answered, or told why not.
      for (const holder of holders) holder.send(GET);
      await waitFor(() => holders.filter((holder) => holder.receivedBytes > 0 || holder.ended).length > 20, {
        what: "those that were accepted to get an answer",
        timeoutMs: 10_000,
      });
      const early = holders.filter((holder) => holder.text !== "").map((holder) => holder.text.slice(0, 13));
      expect(early.filter((line) => line !== "HTTP/1.1 503 " && line !== "HTTP/1.1 200 ")).toEqual([]);
      expect(await counted(proxy, "proxy_failures_total", { cause: "no-sockets" })).toBeGreaterThan(0);
      // The holders go; the backlog is worked off and new connections are served as ever.
      for (const holder of holders) holder.close();
      await waitFor(async () => (await served()) === OK, { what: "a request to be served", timeoutMs: 10_000 });
      expect(await served()).toBe(OK);
      old.send("\x01ping");
      expect(await old.takeUntil("pong")).toBe("pong");
      expect(app.accepted.length).toBeGreaterThan(0);
    });
  }, 60_000);
});

describe("two data threads", () => {
  test("both listen, all connections are served, and the page adds them up", async () => {
    const onOpen = (peer: TcpPeer): void => {
      peer.onBytes = () => peer.send(OK);
    };
    await withProxy({ env: { LINKERD2_PROXY_CORES_MAX: "2" }, onOpen }, async (proxy) => {
      const listening = await server.namespace.run(["ss", "-Hltn", "sport = :4143"]);
      // Never more threads than cores.
      expect(listening.trim().split("\n")).toHaveLength(Math.min(2, availableParallelism()));
      const clients = await Promise.all(Array.from({ length: 100 }, connect));
      for (const peer of clients) {
        peer.send(GET);
        expect(await peer.takeUntil("\r\n\r\nok")).toBe(OK);
      }
      const labels = { direction: "inbound", target_port: PORT };
      expect(await counted(proxy, "request_total", labels)).toBe(100);
      expect(await counted(proxy, "response_total", { ...labels, status_code: 200 })).toBe(100);
      expect(await counted(proxy, "tcp_open_connections", { ...labels, peer: "src" })).toBe(100);
      expect(await counted(proxy, "process_threads")).toBeGreaterThan(3);
      const sent = await counted(proxy, "tcp_read_bytes_total", { ...labels, peer: "src" });
      expect(sent).toBe(100 * GET.length);
      proxy.process.kill("SIGTERM");
      for (const peer of clients) expect(await peer.untilEnded()).toBe("end");
      await waitFor(() => proxy.process.result(), { what: "the proxy to end" });
      expect(proxy.process.result()?.code).toBe(0);
    });
  }, 20_000);
});

async function served(): Promise<string> {
  const peer = await connect();
  try {
    peer.send(GET);
    return await peer.takeUntil("\r\n\r\nok");
  } finally {
    peer.close();
  }
}

/** User and system time of the process so far (proc(5): fields 14 and 15 of stat). */
function cpuTicks({ process: { pid } }: RunningProxy): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /s, "")
    .split(" ");
  return Number(fields[11]) + Number(fields[12]);
}
