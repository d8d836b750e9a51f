import { afterAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { createServer as createHttp2Server, type ServerHttp2Stream } from "node:http2";
import { createServer as createSecureServer } from "node:https";
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Duplex } from "node:stream";
import type { Probe } from "@bowline/kube";
import { loadCertificates } from "../../api/auth/certificates.ts";
import { checkProbe } from "./check.ts";
import type { ProbeTarget } from "./probe-target.ts";
import { Prober, type ProberOptions } from "./prober.ts";

const HOST = "127.0.0.1";
const closers: (() => void)[] = [];

afterAll(() => {
  for (const close of closers) close();
});

async function listen(server: Pick<Server, "listen" | "address" | "close">): Promise<number> {
  await new Promise<void>((resolve) => {
    server.listen(0, HOST, () => resolve());
  });
  closers.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

const target: ProbeTarget = {
  host: HOST,
  namedPort: (name) => (name === "web" ? webPort : undefined),
  // As the network's: a stream, and no socket.
  dial: (host, port) =>
    new Promise<Duplex>((resolve, reject) => {
      const socket = connect(port, host, () => resolve(asStream(socket)));
      socket.on("error", () => reject(new Error(`dial tcp ${host}:${port}: connect: connection refused`)));
    }),
  exec: ([word = ""], timeoutMs) =>
    Promise.resolve({ exitCode: Number(word), output: `said ${timeoutMs}`, timedOut: word === "slow" }),
};

async function temporaryDirectory(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "bowline-probe-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

function asStream(socket: Socket): Duplex {
  const stream = new Duplex({
    read: () => undefined,
    write: (chunk, _encoding, done) => {
      socket.write(chunk, () => done());
    },
    final: (done) => {
      socket.end(() => done());
    },
    destroy: (error, done) => {
      socket.destroy();
      done(error);
    },
  });
  socket.on("data", (chunk) => stream.push(chunk));
  socket.on("end", () => stream.push(null));
  return stream;
}

const seen: string[] = [];
const webPort = await listen(
  createServer((request, response) => {
    const { host, "user-agent": agent, "x-a": extra = "" } = request.headers;
    seen.push([request.method, request.url, agent, extra, host].join(" "));
    if (request.url === "/slow") return;
    response.writeHead(Number(request.url?.slice(1) || 200));
    response.end("x".repeat(100_000));
  }),
);
const silentPort = await listen(createTcpServer((socket) => void socket.on("error", () => undefined)) as never);
const closedPort = await (async () => {
  const server = createTcpServer();
  const port = await listen(server as never);
  server.close();
  return port;
})();

describe("checkProbe", () => {
  const rows: [name: string, probe: Probe, message: string][] = [
    ["200", { httpGet: { port: webPort } }, ""],
    ["a redirect", { httpGet: { port: webPort, path: "/302" } }, ""],
    ["a named port", { httpGet: { port: "web", path: "204" } }, ""],
    ["500", { httpGet: { port: webPort, path: "/500" } }, "HTTP probe failed with statuscode: 500"],
    ["404", { httpGet: { port: webPort, path: "/404" } }, "HTTP probe failed with statuscode: 404"],
    ["an unknown port", { httpGet: { port: "none" } }, 'couldn\'t find port: "none"'],
    [
      "nobody there",
      { httpGet: { port: closedPort, path: "/x" } },
      `Get "http://${HOST}:${closedPort}/x": dial tcp ${HOST}:${closedPort}: connect: connection refused`,
    ],
    [
      "no answer in time",
      { httpGet: { port: webPort, path: "/slow" }, timeoutSeconds: 0.1 },
      `Get "http://${HOST}:${webPort}/slow": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`,
    ],
    ["an open port", { tcpSocket: { port: silentPort } }, ""],
    [
      "a closed port",
      { tcpSocket: { port: closedPort } },
      `dial tcp ${HOST}:${closedPort}: connect: connection refused`,
    ],
    ["a command", { exec: { command: ["0"] } }, ""],
    ["a command that fails", { exec: { command: ["3"] }, timeoutSeconds: 2 }, "said 2000"],
    ["a command that takes too long", { exec: { command: ["slow"] } }, 'command timed out: "slow" timed out after 1s'],
    ["nothing", {}, "the probe has no handler"],
  ];
  test.each(rows)("%s", async (_, probe, message) => {
    expect(await checkProbe(probe, target)).toEqual({ ok: message === "", message });
  });

  test("a request like a kubelet's, with the headers that were given", async () => {
    seen.length = 0;
    await checkProbe(
      {
        httpGet: {
          port: webPort,
          path: "/200",
          httpHeaders: [
            { name: "X-A", value: "1" },
            { name: "Host", value: "me" },
          ],
        },
      },
      target,
    );
    expect(seen).toEqual(["GET /200 kube-probe/1.32 1 me"]);
  });

  test("HTTPS, whoever signed the certificate", async () => {
    await using directory = await temporaryDirectory();
    const { certificatePem, keyPem } = await loadCertificates(directory.path);
    const server = createSecureServer({ cert: certificatePem, key: keyPem }, (request, response) => {
      response.writeHead(request.url === "/bad" ? 503 : 200).end();
    });
    const port = await listen(server);
    const check = (path: string) => checkProbe({ httpGet: { port, path, scheme: "HTTPS" } }, target);
    expect(await check("/")).toEqual({ ok: true, message: "" });
    expect((await check("/bad")).message).toBe("HTTP probe failed with statuscode: 503");
    const plain = await checkProbe({ httpGet: { port: webPort, scheme: "HTTPS" } }, target);
    expect(plain.message).toStartWith(`Get "https://${HOST}:${webPort}/": `);
  });

  test("gRPC health by service", async () => {
    const server = createHttp2Server();
    server.on("stream", (stream: ServerHttp2Stream, headers) => {
      const parts: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => parts.push(chunk));
      stream.on("end", () => {
        const service = Buffer.concat(parts).subarray(7).toString();
        expect(headers[":path"]).toBe("/grpc.health.v1.Health/Check");
        const unknown = service === "unknown";
        stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
        stream.on("wantTrailers", () =>
          stream.sendTrailers({ "grpc-status": unknown ? "5" : "0", "grpc-message": unknown ? "unknown service" : "" }),
        );
        stream.end(unknown ? undefined : Buffer.from([0, 0, 0, 0, 2, 0x08, service === "bad" ? 2 : 1]));
      });
    });
    const port = await listen(server as never);
    const check = (service?: string) =>
      checkProbe({ grpc: { port, ...(service === undefined ? {} : { service }) } }, target);
    expect(await check()).toEqual({ ok: true, message: "" });
    expect((await check("bad")).message).toBe('service unhealthy (responded with "NOT_SERVING")');
    expect((await check("unknown")).message).toBe("error: health rpc failed with status 5: unknown service");
    expect((await checkProbe({ grpc: { port: closedPort } }, target)).message).toContain("connection refused");
  });
});

/** A prober on a clock that is turned by hand, its container answering as told. */
class ProberBench {
  nowMs = 0;
  answer: (nowMs: number) => boolean = () => true;
  readonly asked: number[] = [];
  readonly verdicts: string[] = [];
  readonly failures: number[] = [];
  readonly #timers: { atMs: number; run: () => void }[] = [];

  start(kind: ProberOptions["kind"], probe: Probe, more: Partial<ProberOptions> = {}): Prober {
    return new Prober({
      kind,
      probe,
      startedMs: 0,
      check: () => {
        this.asked.push(this.nowMs);
        const ok = this.answer(this.nowMs);
        return Promise.resolve({ ok, message: ok ? "" : "bad" });
      },
      onVerdict: (good) => this.verdicts.push(`${good ? "good" : "bad"} ${this.nowMs}`),
      onFailure: () => this.failures.push(this.nowMs),
      clock: {
        now: () => this.nowMs,
        after: (delayMs, run) => {
          const timer = { atMs: this.nowMs + delayMs, run };
          this.#timers.push(timer);
          return () => void this.#timers.splice(this.#timers.indexOf(timer) >>> 0, 1);
        },
      },
      ...more,
    });
  }

  async until(ms: number): Promise<void> {
    while (true) {
      const next = this.#timers.toSorted((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined || next.atMs > ms) break;
      this.#timers.splice(this.#timers.indexOf(next), 1);
      this.nowMs = next.atMs;
      next.run();
      // The answer, and what follows from it, come in microtasks.
      for (let turn = 0; turn < 5; turn++) await Promise.resolve();
    }
    this.nowMs = ms;
  }
}

describe("Prober", () => {
  const get: Probe = { httpGet: { port: 1 }, periodSeconds: 1 };

  test("a startup probe is tried eagerly, and is over when it has succeeded", async () => {
    const bench = new ProberBench();
    bench.answer = (now) => now >= 300;
    bench.start("Startup", get);
    await bench.until(10_000);
    expect(bench.asked).toEqual([0, 75, 150, 225, 300]);
    expect(bench.verdicts).toEqual(["good 300"]);
    expect(bench.failures).toEqual([]);
  });

  test("failures count once a period, however often it was tried", async () => {
    const bench = new ProberBench();
    bench.answer = () => false;
    bench.start("Startup", { ...get, failureThreshold: 8 });
    await bench.until(20_000);
    expect(bench.failures).toHaveLength(8);
    const gaps = bench.failures.map((at, index) => at - (bench.failures[index - 1] ?? 0));
    for (const gap of gaps) expect(gap).toBeWithin(1000, 1075);
    expect(bench.verdicts).toHaveLength(1);
    expect(bench.verdicts[0]).toStartWith("bad 8");
    // After the eager seconds it is asked once a period.
    expect(bench.asked.filter((at) => at > 6000).length).toBeLessThan(4);
  });

  test("nothing before the initial delay", async () => {
    const bench = new ProberBench();
    bench.start("Readiness", { ...get, initialDelaySeconds: 10 });
    await bench.until(12_500);
    expect(bench.asked).toEqual([10_000, 11_000, 12_000]);
    expect(bench.verdicts).toEqual(["good 10000"]);
  });

  test("readiness follows its thresholds to and fro", async () => {
    const bench = new ProberBench();
    bench.answer = (now) => now < 5_000 || now >= 10_000;
    bench.start("Readiness", { ...get, failureThreshold: 3, successThreshold: 2 });
    await bench.until(15_000);
    expect(bench.verdicts.map((text) => text.split(" ")[0])).toEqual(["good", "bad", "good"]);
    expect(bench.failures).toHaveLength(5);
  });

  test("an adopted container stays ready while its probe says so", async () => {
    const bench = new ProberBench();
    bench.answer = (now) => now > 2_500;
    bench.start("Readiness", { ...get, failureThreshold: 4 }, { verdict: true });
    await bench.until(10_000);
    expect(bench.verdicts).toEqual([]);
    expect(bench.asked).toHaveLength(11);
  });

  test("liveness asks once a period and gives up once", async () => {
    const bench = new ProberBench();
    bench.answer = () => false;
    bench.start("Liveness", { httpGet: { port: 1 }, failureThreshold: 2 });
    await bench.until(60_000);
    expect(bench.asked).toEqual([0, 10_000]);
    expect(bench.verdicts).toEqual(["bad 10000"]);
  });

  test("a stopped one is silent, even about an answer that is under way", async () => {
    const bench = new ProberBench();
    const answer = Promise.withResolvers<{ ok: boolean; message: string }>();
    const prober = bench.start("Readiness", get, { check: () => answer.promise });
    await bench.until(0);
    prober.stop();
    answer.resolve({ ok: true, message: "" });
    await bench.until(5_000);
    expect(bench.verdicts).toEqual([]);
  });
});
