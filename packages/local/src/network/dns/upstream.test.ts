import { expect, test } from "bun:test";
import { type AddressInfo, createServer } from "node:net";
import { type Answer, decode, encode, streamDecode, streamEncode, TRUNCATED_RESPONSE } from "dns-packet";
import { MachineResolver } from "./upstream.ts";

/** A name server on the loopback that answers what the table says, and counts. */
async function nameServer(
  table: Record<string, Answer[] | "NXDOMAIN" | "silence" | "truncated">,
  port = 0,
): Promise<{ address: string; asked: string[] } & Disposable> {
  const asked: string[] = [];
  const socket = await Bun.udpSocket({
    hostname: "127.0.0.1",
    port,
    socket: {
      data: (self, bytes, from, address) => {
        const query = decode(bytes);
        const { name = "", type = "A" } = query.questions?.[0] ?? {};
        asked.push(`${name} ${type}`);
        const found = table[`${name} ${type}`] ?? [];
        if (found === "silence") return;
        const answers = found === "NXDOMAIN" || found === "truncated" ? [] : found;
        const flags = found === "NXDOMAIN" ? 3 : found === "truncated" ? TRUNCATED_RESPONSE : 0;
        self.send(
          encode({ type: "response", id: query.id!, flags, questions: query.questions!, answers }),
          from,
          address,
        );
      },
    },
  });
  return { address: `127.0.0.1:${socket.port}`, asked, [Symbol.dispose]: () => socket.close() };
}

test("asks the machine's server, and says what it says", async () => {
  using server = await nameServer({
    "a.test A": [{ name: "a.test", type: "A", ttl: 77, data: "192.0.2.1" }],
    "a.test TXT": [{ name: "a.test", type: "TXT", ttl: 77, data: "hello" }],
    "gone.test A": "NXDOMAIN",
  });
  const resolver = new MachineResolver({ servers: [server.address] });
  expect(await resolver.resolve("a.test", "A")).toMatchObject({
    rcode: "NOERROR",
    answers: [{ name: "a.test", type: "A", ttl: 77, data: "192.0.2.1" }],
  });
  expect((await resolver.resolve("a.test", "TXT")).answers).toMatchObject([
    { type: "TXT", data: [Buffer.from("hello")] },
  ]);
  expect(await resolver.resolve("gone.test", "A")).toEqual({ rcode: "NXDOMAIN", answers: [] });
  expect(await resolver.resolve("a.test", "AAAA")).toEqual({ rcode: "NOERROR", answers: [] });
  expect(await resolver.resolve("a.test", "UNKNOWN_65")).toEqual({ rcode: "NOERROR", answers: [] });
});

test("asks again by TCP for what did not fit, and the next server when one has no answer", async () => {
  using broken = await nameServer({ "big.test A": "silence" });
  const data = Array.from({ length: 100 }, (_, host) => `192.0.2.${host}`);
  const answers = data.map((ip): Answer => ({ name: "big.test", type: "A", ttl: 1, data: ip }));
  const tcp = createServer((socket) => {
    socket.once("data", (bytes: Buffer) => {
      const { id, questions } = streamDecode(bytes);
      socket.end(streamEncode({ type: "response", id: id!, questions: questions!, answers }));
    });
  });
  await new Promise<void>((resolve) => void tcp.listen(0, "127.0.0.1", resolve));
  const { port } = tcp.address() as AddressInfo;
  using _truncating = await nameServer({ "big.test A": "truncated" }, port);
  try {
    const resolver = new MachineResolver({ servers: [broken.address, `127.0.0.1:${port}`], timeoutMs: 50 });
    const { answers: found } = await resolver.resolve("big.test", "A");
    expect(found.map((record) => ("data" in record ? record.data : ""))).toEqual(data);
  } finally {
    tcp.close();
  }
});

test("names that don't exist are asked for once in a while, and once at a time", async () => {
  let nowMs = 0;
  using server = await nameServer({ "gone.test A": "NXDOMAIN" });
  const resolver = new MachineResolver({ servers: [server.address], failureMs: 1_000, now: () => nowMs });
  await Promise.all([resolver.resolve("gone.test", "A"), resolver.resolve("gone.test", "A")]);
  await resolver.resolve("gone.test", "A");
  expect(server.asked).toEqual(["gone.test A"]);
  nowMs = 1_001;
  await resolver.resolve("gone.test", "A");
  expect(server.asked.length).toBe(2);
});

test("a server that does not answer holds up the first question only", async () => {
  let nowMs = 0;
  using server = await nameServer({
    "slow.test A": "silence",
    "a.test A": [{ name: "a.test", type: "A", ttl: 1, data: "192.0.2.1" }],
  });
  const resolver = new MachineResolver({
    servers: [server.address],
    timeoutMs: 50,
    failureMs: 1_000,
    now: () => nowMs,
  });
  expect((await resolver.resolve("slow.test", "A")).rcode).toBe("SERVFAIL");
  const questions = server.asked.length;
  expect((await resolver.resolve("a.test", "A")).rcode).toBe("SERVFAIL");
  expect(server.asked.length).toBe(questions);
  nowMs = 1_001;
  expect((await resolver.resolve("a.test", "A")).rcode).toBe("NOERROR");
});
