import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { type TcpPeer, waitFor } from "@bowline/testkit";
import { counted, Mesh, type RunningProxy } from "./mesh.ts";

const MIB = 1024 * 1024;
const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

let mesh: Mesh;

beforeAll(async () => {
  mesh = await Mesh.start();
}, 30_000);

afterAll(async () => {
  await mesh?.[Symbol.asyncDispose]();
});

describe("a stream through two proxies and a slow reader arrives whole", () => {
  test("1 GiB of opaque bytes", async () => {
    using app = mesh.app("two proxies");
    const client = await mesh.connect(app);
    client.send("\x00");
    const server = await app.next();
    await server.takeBytes(1);
    const check = new PatternCheck(client, 64 * MIB);
    await sendPattern(server, 1024 * MIB);
    server.finish();
    await client.untilEnded(30_000);
    expect(client.ended).toBe("end");
    expect(check.fault).toBe("");
    expect(check.bytes).toBe(1024 * MIB);
  }, 60_000);

  test("256 MiB of an HTTP body, in each direction at once", async () => {
    using app = mesh.app("two proxies");
    const client = await mesh.connect(app);
    const length = 256 * MIB;
    client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n`);
    const server = await app.next();
    await server.takeUntil("\r\n\r\n");
    server.send(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`);
    await client.takeUntil("\r\n\r\n");
    const checks = [new PatternCheck(client, 16 * MIB), new PatternCheck(server, 16 * MIB)];
    await Promise.all([sendPattern(client, length), sendPattern(server, length)]);
    for (const check of checks) {
      await waitFor(() => check.bytes === length || check.fault !== "", { what: "the whole body", timeoutMs: 20_000 });
      expect(check.fault).toBe("");
    }
  }, 60_000);
});

test("2,000 connections at once, each with a request, and each again", async () => {
  using app = mesh.app("two proxies", answerEach);
  const clients: TcpPeer[] = [];
  for (let i = 0; i < 20; i++) {
    clients.push(...(await Promise.all(Array.from({ length: 100 }, () => mesh.connect(app)))));
  }
  expect(clients).toHaveLength(2_000);
  // At first in lots that the app's backlog holds: beyond that the kernel drops connections for a second.
  for (const lot of [200, 2_000]) {
    for (let at = 0; at < clients.length; at += lot) {
      const some = clients.slice(at, at + lot);
      for (const client of some) client.send(GET);
      for (const client of some) expect(await client.takeUntil("\r\n\r\nok")).toBe(OK);
    }
  }
  const labels = { target_port: app.port };
  expect(await counted(mesh.outbound, "tcp_open_connections", { ...labels, peer: "src" })).toBe(2_000);
  expect(await counted(mesh.inbound, "response_total", { ...labels, status_code: 200 })).toBe(4_000);
  for (const client of clients) client.close();
  for (const proxy of [mesh.outbound, mesh.inbound]) {
    await waitFor(async () => (await counted(proxy, "tcp_open_connections", { ...labels, peer: "src" })) === 0, {
      what: "the connections to be gone",
      timeoutMs: 10_000,
    });
  }
}, 60_000);

test("200,000 connections opened and closed leave the memory as it was", async () => {
  // Of its own, since a heap that has seen a burst lets itself grow for a while.
  await using own = await Mesh.start();
  // Half of them speak HTTP, half are opaque; resets leave no ports in TIME_WAIT, here or between proxy and app.
  using http = own.app("outbound", answerEach);
  using opaque = own.app("outbound", (peer) => {
    peer.onBytes = () => peer.send("!");
  });
  const total = 200_000;
  const resident: number[] = [];
  let done = 0;
  const worker = async (): Promise<void> => {
    while (done < total) {
      const even = done++ % 2 === 0;
      const client = await own.connect(even ? http : opaque);
      client.send(even ? GET : "\x00");
      await client.firstByte;
      client.reset();
      if (done % 2_000 === 0) resident.push(residentBytes(own.outbound));
    }
  };
  await Promise.all(Array.from({ length: 50 }, worker));
  // Between collections memory comes and goes; what stays is the least of a while. The engine's heap lets itself grow
  // by some 20 MB before it collects more often; a connection that left 200 bytes behind would show as 32 MB.
  const [early, late] = [Math.min(...resident.slice(10, 20)), Math.min(...resident.slice(90))];
  expect(late - early).toBeLessThan(32 * MIB);
  const labels = { direction: "outbound", peer: "src" };
  for (const { port } of [http, opaque]) {
    expect(await counted(own.outbound, "tcp_open_total", { ...labels, target_port: port })).toBe(total / 2);
    await waitFor(
      async () => (await counted(own.outbound, "tcp_open_connections", { ...labels, target_port: port })) === 0,
      { what: "the connections to be gone" },
    );
  }
}, 120_000);

/** A block whose bytes say where they are in it; the stream repeats it. */
const BLOCK = new Uint8Array(MIB).map((_, i) => (i * 31 + (i >>> 8) * 17 + (i >>> 16)) & 0xff);

/** Sends `bytes` (whole MiB): blocks that begin with their number. */
async function sendPattern(to: TcpPeer, bytes: number): Promise<void> {
  for (let at = 0; at < bytes / MIB; at += 4) {
    const blocks = new Uint8Array(4 * MIB);
    for (let i = 0; i < 4; i++) {
      blocks.set(BLOCK, i * MIB);
      new DataView(blocks.buffer).setUint32(i * MIB, at + i);
    }
    to.send(blocks);
    await to.untilSent(20_000);
  }
}

/** Compares what a peer receives with the pattern, and stops reading for a while every so many bytes. */
class PatternCheck {
  bytes = 0;
  /** The first difference, in words. */
  fault = "";
  readonly #stamp = new Uint8Array(4);

  constructor(peer: TcpPeer, pauseEveryBytes: number) {
    let pauseAt = pauseEveryBytes;
    peer.onBytes = (received) => {
      this.#take(received);
      if (this.bytes < pauseAt) return;
      pauseAt += pauseEveryBytes;
      peer.pause();
      setTimeout(() => peer.resume(), 50);
    };
  }

  #take(received: Uint8Array): void {
    let from = 0;
    while (from < received.length && this.fault === "") {
      const inBlock = this.bytes % MIB;
      const length = inBlock < 4 ? 1 : Math.min(received.length - from, MIB - inBlock);
      const part = received.subarray(from, from + length);
      if (inBlock < 4) this.#takeStamp(inBlock, part[0]!);
      else if (Buffer.compare(part, BLOCK.subarray(inBlock, inBlock + length)) !== 0) {
        this.fault = `differs within ${length} bytes at ${this.bytes}`;
      }
      from += length;
      this.bytes += length;
    }
  }

  #takeStamp(at: number, byte: number): void {
    this.#stamp[at] = byte;
    if (at < 3) return;
    const block = new DataView(this.#stamp.buffer).getUint32(0);
    if (block !== Math.floor(this.bytes / MIB)) this.fault = `block ${block} at ${this.bytes}`;
  }
}

/** Answers everything that comes in at once as one request. */
function answerEach(peer: TcpPeer): void {
  peer.onBytes = () => peer.send(OK);
}

function residentBytes({ process: { pid } }: RunningProxy): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;
}
