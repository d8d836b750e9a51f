import { expect, test } from "bun:test";
import { NetNamespace } from "./netns.ts";
import { rejectionOf } from "./rejection.ts";
import { Relay, type RelayEnd } from "./relay.ts";
import { connectTcp, TcpServer } from "./tcp-peer.ts";

const PORT = 8080;
const MANY = 5_000_000;

/** From one namespace to another, by way of this process. */
async function withRelay(body: (from: NetNamespace, to: NetNamespace, relay: Relay) => Promise<void>): Promise<void> {
  await using from = await NetNamespace.create("from");
  await using to = await NetNamespace.create("to");
  using relay = new Relay(at(from)).open(at(to));
  await body(from, to, relay);
}

function at(namespace: NetNamespace): RelayEnd {
  return { namespace, hostname: "127.0.0.1", port: PORT };
}

test("bytes pass both ways, however many, and then the ends", async () => {
  await withRelay(async (from, to, relay) => {
    expect(relay.port).toBe(PORT);
    using app = TcpServer.listen(to, "127.0.0.1", PORT);
    const client = await connectTcp(from, "127.0.0.1", PORT);
    client.send("a".repeat(MANY));
    client.finish();
    const server = await app.next();
    expect((await server.takeAll()).length).toBe(MANY);
    expect(server.ended).toBe("end");
    server.send("b".repeat(MANY));
    server.finish();
    expect((await client.takeAll()).length).toBe(MANY);
    expect(client.ended).toBe("end");
  });
});

test("a reset passes, either way", async () => {
  await withRelay(async (from, to) => {
    using app = TcpServer.listen(to, "127.0.0.1", PORT);
    for (const byClient of [true, false]) {
      const client = await connectTcp(from, "127.0.0.1", PORT);
      client.send("x");
      const server = await app.next();
      await server.takeBytes(1);
      const [one, other] = byClient ? [client, server] : [server, client];
      one.reset();
      expect(await other.untilEnded()).toBe("reset");
    }
  });
});

test("a connection that leads nowhere is reset", async () => {
  await withRelay(async (from) => {
    const client = await connectTcp(from, "127.0.0.1", PORT);
    expect(await client.untilEnded()).toBe("reset");
  });
});

test("closing resets what is open and refuses what comes", async () => {
  await withRelay(async (from, to, relay) => {
    using app = TcpServer.listen(to, "127.0.0.1", PORT);
    const client = await connectTcp(from, "127.0.0.1", PORT);
    client.send("x");
    const server = await app.next();
    relay.close();
    expect(await client.untilEnded()).toBe("reset");
    expect(await server.untilEnded()).toBe("reset");
    expect(await rejectionOf(connectTcp(from, "127.0.0.1", PORT))).toBeInstanceOf(Error);
    expect(relay.port).toBe(0);
    relay.open(at(to));
    const again = await connectTcp(from, "127.0.0.1", PORT);
    again.send("y");
    expect(await (await app.next()).takeBytes(1)).toBe("y");
  });
});
