import { expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { rejectionOf } from "@bowline/testkit";
import { vethName } from "./names.ts";
import { placesOf } from "./pod-namespace.ts";
import { identity, TestNetwork, within } from "./testing/test-network.ts";

/** Answers every connection with what its client sent, to its end, and then the client's address. */
function echo(netns: string, hostname: string, port = 0): { port: number } & Disposable {
  const listener = within(netns, () =>
    Bun.listen<{ waiting: Uint8Array[] }>({
      hostname,
      port,
      allowHalfOpen: true,
      socket: {
        open: (socket) => {
          socket.data = { waiting: [] };
        },
        data: (socket, bytes) => {
          socket.data.waiting.push(bytes);
          flush(socket);
        },
        drain: (socket) => flush(socket),
        end: (socket) => {
          socket.data.waiting.push(new TextEncoder().encode(`|${socket.remoteAddress}`), END);
          flush(socket);
        },
      },
    }),
  );
  return { port: listener.port, [Symbol.dispose]: () => listener.stop(true) };
}

const END = new Uint8Array(0);

function flush(socket: Bun.Socket<{ waiting: Uint8Array[] }>): void {
  const { waiting } = socket.data;
  for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
    if (next === END) {
      waiting.shift();
      socket.shutdown();
      return;
    }
    const sent = socket.write(next);
    if (sent < next.length) {
      waiting[0] = next.subarray(Math.max(sent, 0));
      return;
    }
    waiting.shift();
  }
}

test("pods get addresses of their own, a way to the node and no other, and lose all of it", async () => {
  await using lab = new TestNetwork();
  const network = await lab.start();
  const a = await network.attach(identity("a"));
  const b = await network.attach(identity("b"));
  expect([a.ips, b.ips]).toEqual([["10.244.0.2"], ["10.244.0.3"]]);
  expect(await network.attach(identity("a"))).toEqual(a);
  expect(await network.attach({ ...identity("h"), hostNetwork: true })).toEqual({
    netns: network.nodeNetns,
    ips: ["10.244.0.1"],
  });
  const routes = spawnSync("ip", ["-n", a.netns.split("/").at(-1)!, "route"], { encoding: "utf8" }).stdout;
  expect(routes.trim()).toBe("default via 10.244.0.1 dev eth0 src 10.244.0.2 onlink");
  expect(within(network.nodeNetns, () => readFileSync("/proc/sys/net/ipv4/ip_forward", "utf8"))).toBe("1\n");
  await network.detach("a");
  await network.detach("a");
  expect(existsSync(a.netns)).toBe(false);
  expect(lab.namespaces().length).toBe(2);
});

test("pods reach one another by way of the node, and see each other's addresses", async () => {
  await using lab = new TestNetwork();
  const network = await lab.start();
  const a = await network.attach(identity("a"));
  const b = await network.attach(identity("b"));
  using server = echo(b.netns, "0.0.0.0");
  const stream = await network.dial(a.netns, b.ips[0]!, server.port);
  stream.end("hello");
  expect(await text(stream)).toBe(`hello|${a.ips[0]}`);
});

test("dual: IPv6 addresses beside them", async () => {
  await using lab = new TestNetwork();
  const network = await lab.start({ families: "dual" });
  const a = await network.attach(identity("a"));
  const b = await network.attach(identity("b"));
  expect(b.ips).toEqual(["10.244.0.3", "fd00:10:244::3"]);
  using server = echo(b.netns, "::");
  const fromPod = await network.dial(a.netns, b.ips[1]!, server.port);
  fromPod.end("six");
  expect(await text(fromPod)).toBe(`six|${a.ips[1]}`);
  const fromNode = await network.dial(network.nodeNetns, b.ips[1]!, server.port);
  fromNode.end("node");
  expect(await text(fromNode)).toBe("node|fd00:10:244::1");
});

test("a daemon that comes after one that was killed finds the pods with their addresses", async () => {
  await using lab = new TestNetwork();
  const network = await lab.start();
  const kept = await network.attach(identity("kept"));
  const gone = await network.attach(identity("gone"));
  const later = await lab.start();
  expect(await later.attach(identity("kept"))).toEqual(kept);
  await later.sweep(new Set(["kept"]));
  expect(existsSync(gone.netns)).toBe(false);
  expect(existsSync(kept.netns)).toBe(true);
  const next = await later.attach(identity("next"));
  expect(next.ips).not.toEqual(kept.ips);
  using server = echo(next.netns, "0.0.0.0");
  const stream = await later.dial(kept.netns, next.ips[0]!, server.port);
  stream.end();
  expect(await text(stream)).toBe(`|${kept.ips[0]}`);
});

test("what a killed daemon left half made is made whole or swept", async () => {
  await using lab = new TestNetwork();
  const network = await lab.start();
  const half = await network.attach(identity("half"));
  const [namespace] = [half.netns.split("/").at(-1)!];
  spawnSync("ip", ["-n", namespace, "route", "flush", "default"]);
  const later = await lab.start();
  spawnSync("ip", ["netns", "add", `bowline-${lab.name}.00000000`]);
  expect(await later.attach(identity("half"))).toEqual(half);
  using server = echo(half.netns, "0.0.0.0");
  const stream = await later.dial(later.nodeNetns, half.ips[0]!, server.port);
  stream.end("x");
  expect(await text(stream)).toBe("x|10.244.0.1");
  await later.sweep(new Set(["half"]));
  expect(lab.namespaces().sort()).toEqual([`bowline-${lab.name}`, namespace]);
});

test("many pods at once", async () => {
  await using lab = new TestNetwork();
  const network = await lab.start();
  const uids = Array.from({ length: 30 }, (_, index) => `pod-${index}`);
  const places = await Promise.all(uids.map((uid) => network.attach(identity(uid))));
  expect(new Set(places.map(({ ips }) => ips[0])).size).toBe(30);
  await Promise.all(uids.map((uid) => network.detach(uid)));
  await network.sweep(new Set());
});

test("dialled streams carry bytes both ways, end by halves, and wait for a slow reader", async () => {
  await using lab = new TestNetwork();
  const network = await lab.start();
  const a = await network.attach(identity("a"));
  using server = echo(a.netns, "127.0.0.1");
  const stream = await network.dial(a.netns, "127.0.0.1", server.port);
  const sent = Buffer.alloc(8_000_000, "0123456789abcdef");
  stream.end(sent);
  const received = Buffer.from(await new Response(slowly(stream)).arrayBuffer());
  expect(received.subarray(0, sent.length).equals(sent)).toBe(true);
  expect(received.subarray(sent.length).toString()).toBe("|127.0.0.1");
});

test("dialling what nobody listens on, or what is no address, fails", async () => {
  await using lab = new TestNetwork();
  const network = await lab.start();
  const a = await network.attach(identity("a"));
  expect(await rejectionOf(network.dial(a.netns, "127.0.0.1", 1))).toMatchObject({ code: "ECONNREFUSED" });
  expect((await rejectionOf(network.dial(a.netns, "localhost", 1))).message).toContain("not an address");
});

test("a relay's unix socket leads into the node's namespace", async () => {
  await using lab = new TestNetwork();
  const network = await lab.start();
  const a = await network.attach(identity("a"));
  using server = echo(a.netns, "0.0.0.0");
  const path = await network.relay(a.ips[0]!, server.port);
  expect(await network.relay(a.ips[0]!, server.port)).toBe(path);
  const socket = connect({ path, allowHalfOpen: true });
  socket.end("through");
  expect(await text(socket)).toBe("through|10.244.0.1");
  const refused = connect(await network.relay(a.ips[0]!, 1));
  refused.on("error", () => {});
  expect(await text(refused).catch(() => "")).toBe("");
});

test("places are read from links of ours alone", () => {
  const links = [
    { ifname: "lo" },
    { ifname: vethName("ours"), ifalias: "pod=ours,ip=10.244.1.7" },
    { ifname: "veth1", ifalias: "pod=x,ip=10.244.0.2" },
    { ifname: vethName("far"), ifalias: "pod=far,ip=10.245.0.2" },
  ];
  expect(placesOf(links)).toEqual([{ uid: "ours", host: 263 }]);
});

/** Reads more slowly than anyone sends, so that both ends have to wait for one another. */
async function* slowly(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of stream) {
    await Bun.sleep(0);
    yield chunk;
  }
}
