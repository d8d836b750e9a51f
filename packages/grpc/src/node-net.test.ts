import { afterEach, describe, expect, test } from "bun:test";
import { rejectionOf } from "@bowline/testkit";
import type { ByteStream, ByteStreamOwner, Listening } from "./byte-stream.ts";
import { connectTcp, listenTcp } from "./node-net.ts";
import { eventually } from "./testing/eventually.ts";

/** Notes what a stream tells. */
class Owner implements ByteStreamOwner {
  receivedBytes = 0;
  last = -1;
  drains = 0;
  closed: Error | null | undefined;

  onBytes(bytes: Uint8Array): void {
    this.receivedBytes += bytes.length;
    this.last = bytes[bytes.length - 1] ?? -1;
  }

  onDrain(): void {
    this.drains++;
  }

  onClose(error: Error | null): void {
    this.closed = error;
  }
}

const open: { close(): void }[] = [];

afterEach(() => {
  for (const each of open.splice(0)) each.close();
});

async function pair(): Promise<{
  client: ByteStream;
  server: ByteStream;
  listening: Listening;
  accepted: ByteStream[];
}> {
  const accepted: ByteStream[] = [];
  const listening = await listenTcp({ host: "127.0.0.1", port: 0, connectionsMax: 2 }, (stream) =>
    accepted.push(stream),
  );
  open.push(listening);
  const client = await connectTcp({ host: "127.0.0.1", port: listening.port }, new AbortController().signal);
  await eventually(() => accepted.length > 0);
  const [server] = accepted;
  if (server === undefined) throw new Error("nobody came");
  open.push({ close: () => client.destroy() }, { close: () => server.destroy() });
  return { client, server, listening, accepted };
}

describe("TCP streams", () => {
  test("carry bytes, with back-pressure, and the end", async () => {
    const { client, server } = await pair();
    const owners = [new Owner(), new Owner()] as const;
    [client.owner, server.owner] = owners;
    server.pause();
    let written = 0;
    for (let full = false; !full; written += 65_536) full = !client.write(new Uint8Array(65_536).fill(7));
    expect(owners[0].drains).toBe(0);
    server.resume();
    await eventually(() => owners[1].receivedBytes === written && owners[0].drains === 1);
    client.write(Uint8Array.of(42));
    client.end();
    await eventually(() => owners[1].closed !== undefined);
    expect([owners[1].receivedBytes, owners[1].last, owners[1].closed]).toEqual([written + 1, 42, null]);
    expect(server.peer).toMatch(/^127\.0\.0\.1:\d+$/);
  });

  test("tell nothing more after destroy()", async () => {
    const { client, server } = await pair();
    const owners = [new Owner(), new Owner()] as const;
    [client.owner, server.owner] = owners;
    client.destroy();
    await eventually(() => owners[1].closed !== undefined);
    expect(owners[0].closed).toBeUndefined();
    expect(client.write(Uint8Array.of(1))).toBe(true);
  });
});

describe("connectTcp", () => {
  test("rejects when nobody listens", async () => {
    const { listening, client } = await pair();
    client.destroy();
    listening.close();
    const connecting = connectTcp({ host: "127.0.0.1", port: listening.port }, new AbortController().signal);
    expect((await rejectionOf(connecting)).message).toContain("ECONNREFUSED");
  });

  test("rejects with the signal's reason", async () => {
    const { listening } = await pair();
    const abort = new AbortController();
    const connecting = connectTcp({ host: "127.0.0.1", port: listening.port }, abort.signal);
    abort.abort(new Error("changed my mind"));
    expect((await rejectionOf(connecting)).message).toContain("changed my mind");
    const never = connectTcp({ host: "127.0.0.1", port: listening.port }, AbortSignal.abort(new Error("no")));
    expect((await rejectionOf(never)).message).toContain("no");
  });
});

describe("listenTcp", () => {
  test("rejects for an address that is taken", async () => {
    const { listening } = await pair();
    const again = listenTcp({ host: "127.0.0.1", port: listening.port, connectionsMax: 1 }, () => undefined);
    expect((await rejectionOf(again)).message).toContain("EADDRINUSE");
  });

  test("closes connections beyond its limit", async () => {
    const { listening, accepted } = await pair();
    const streams = await Promise.all(
      [1, 2].map(() => connectTcp({ host: "127.0.0.1", port: listening.port }, new AbortController().signal)),
    );
    const owners = streams.map(() => new Owner());
    for (const [i, stream] of streams.entries()) stream.owner = owners[i] ?? null;
    open.push(...streams.map((stream) => ({ close: () => stream.destroy() })));
    await eventually(() => owners.some(({ closed }) => closed !== undefined));
    expect(accepted).toHaveLength(2);
  });
});
