import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connectTcp, type TcpPeer, TcpServer, type TwoPods, twoPods, waitFor } from "@bowline/testkit";
import { ARTICLE_INIT, askAdmin, initPod, type ProxyEnv, type RunningProxy, startProxy } from "./mesh.ts";

const GET = "GET / HTTP/1.1\r\nhost: app\r\n\r\n";
const PORT = 8080;
const GRACE_OVER = "shutting down with connections still open: the grace period is over";

let pods: TwoPods;
let app: TcpServer;

beforeAll(async () => {
  pods = await twoPods();
  await initPod(pods.server.namespace, [...ARTICLE_INIT, "--ipv6=false"]);
  app = TcpServer.listen(pods.server.namespace, "0.0.0.0", PORT);
}, 30_000);

afterAll(async () => {
  app?.[Symbol.dispose]();
  await pods?.[Symbol.asyncDispose]();
});

/** Runs `body` with a proxy of its own in the server's pod. */
async function withProxy(env: ProxyEnv, body: (proxy: RunningProxy) => Promise<void>): Promise<void> {
  const proxy = await startProxy(pods.server, env);
  try {
    await body(proxy);
  } finally {
    proxy.process.kill("SIGKILL");
    await proxy.process.exited;
  }
}

function connect(): Promise<TcpPeer> {
  return connectTcp(pods.client.namespace, pods.server.v4, PORT);
}

/** A connection on which one request has been answered, and its other end in the app. */
async function answeredOnce(): Promise<{ client: TcpPeer; server: TcpPeer }> {
  const client = await connect();
  client.send(GET);
  const server = await app.next();
  await server.takeUntil("\r\n\r\n");
  server.send("HTTP/1.1 204 No Content\r\n\r\n");
  await client.takeUntil("\r\n\r\n");
  return { client, server };
}

/** Asks to end, and waits until the proxy takes no more connections. */
async function terminate(proxy: RunningProxy): Promise<void> {
  proxy.process.kill("SIGTERM");
  await proxy.process.waitForOutput("shutting down: received SIGTERM");
}

async function exitCode(proxy: RunningProxy): Promise<number | null> {
  await waitFor(() => proxy.process.result(), { what: "the proxy to end" });
  return proxy.process.result()?.code ?? null;
}

describe("on SIGTERM", () => {
  test("a proxy without connections ends at once, with 0", async () => {
    await withProxy({}, async (proxy) => {
      await terminate(proxy);
      expect(await exitCode(proxy)).toBe(0);
      expect(proxy.process.result()).toMatchObject({ stderr: "", signal: null });
    });
  }, 20_000);

  test("idle keep-alive connections close, on both sides of the proxy", async () => {
    await withProxy({}, async (proxy) => {
      const { client, server } = await answeredOnce();
      await terminate(proxy);
      expect(await client.untilEnded()).toBe("end");
      expect(await server.untilEnded()).toBe("end");
      expect(await exitCode(proxy)).toBe(0);
    });
  }, 20_000);

  test("a response in flight completes, says connection: close, and then its connection closes", async () => {
    await withProxy({}, async (proxy) => {
      const client = await connect();
      client.send(GET);
      const server = await app.next();
      await server.takeUntil("\r\n\r\n");
      await terminate(proxy);
      await waitFor(() => connect().then(closed, () => true), { what: "new connections to be refused" });
      server.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n01234");
      await client.takeUntil("01234").then((text) => expect(text).toContain("\r\nconnection: close\r\n"));
      expect(proxy.process.result()).toBeNull();
      server.send("56789");
      expect(await client.takeAll()).toBe("56789");
      expect(client.ended).toBe("end");
      expect(await exitCode(proxy)).toBe(0);
    });
  }, 20_000);

  test("a response that has begun completes, and then its connection closes", async () => {
    await withProxy({}, async (proxy) => {
      const client = await connect();
      client.send(GET);
      const server = await app.next();
      await server.takeUntil("\r\n\r\n");
      server.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n");
      await client.takeUntil("abc\r\n");
      await terminate(proxy);
      server.send("3\r\ndef\r\n0\r\n\r\n");
      expect(await client.takeAll()).toBe("3\r\ndef\r\n0\r\n\r\n");
      expect(client.ended).toBe("end");
      expect(await exitCode(proxy)).toBe(0);
    });
  }, 20_000);

  test("a tunnel lives until its ends close it", async () => {
    await withProxy({}, async (proxy) => {
      const client = await connect();
      client.send("\x00\x01 no protocol that anybody knows");
      const server = await app.next();
      await server.takeUntil("knows");
      await terminate(proxy);
      server.send("still here?");
      expect(await client.takeUntil("?")).toBe("still here?");
      client.send("yes.");
      expect(await server.takeUntil(".")).toBe("yes.");
      expect(proxy.process.result()).toBeNull();
      client.finish();
      expect(await server.untilEnded()).toBe("end");
      server.finish();
      expect(await client.untilEnded()).toBe("end");
      expect(await exitCode(proxy)).toBe(0);
      expect(proxy.process.stdout()).not.toContain(GRACE_OVER);
    });
  }, 20_000);

  test("after the grace period what is left is reset, with a warning, and the exit code is still 0", async () => {
    await withProxy({ LINKERD2_PROXY_SHUTDOWN_GRACE_PERIOD: "300ms" }, async (proxy) => {
      const { client, server } = await tunnel();
      const startMs = performance.now();
      await terminate(proxy);
      expect(await exitCode(proxy)).toBe(0);
      expect(performance.now() - startMs).toBeGreaterThan(290);
      expect(proxy.process.stdout()).toContain(GRACE_OVER);
      expect(await client.untilEnded()).toBe("reset");
      expect(await server.untilEnded()).toBe("reset");
    });
  }, 20_000);

  test("a second SIGTERM ends the grace period", async () => {
    await withProxy({}, async (proxy) => {
      const { client } = await tunnel();
      await terminate(proxy);
      // One that follows at once is taken for an echo of the first.
      const again = (): unknown => proxy.process.result() ?? proxy.process.kill("SIGTERM");
      await waitFor(again, { what: "the proxy to end", intervalMs: 100 });
      expect(await exitCode(proxy)).toBe(0);
      expect(proxy.process.stdout()).toContain(GRACE_OVER);
      expect(await client.untilEnded()).toBe("reset");
    });
  }, 20_000);
});

test("POST /shutdown ends the proxy as SIGTERM does, where it is enabled", async () => {
  await withProxy({}, async (proxy) => {
    expect(await askAdmin(proxy, "POST", "/shutdown")).toStartWith("HTTP/1.1 404 ");
  });
  await withProxy({ LINKERD2_PROXY_SHUTDOWN_ENDPOINT_ENABLED: "true" }, async (proxy) => {
    expect(await askAdmin(proxy, "POST", "/shutdown")).toStartWith("HTTP/1.1 200 ");
    expect(await exitCode(proxy)).toBe(0);
    expect(proxy.process.stdout()).toContain("shutting down: POST /shutdown");
  });
}, 20_000);

async function tunnel(): Promise<{ client: TcpPeer; server: TcpPeer }> {
  const client = await connect();
  client.send("\x00");
  const server = await app.next();
  await server.takeBytes(1);
  return { client, server };
}

function closed(peer: TcpPeer): boolean {
  peer.close();
  return false;
}
