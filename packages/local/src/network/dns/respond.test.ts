import { describe, expect, test } from "bun:test";
import { type Answer, type DecodedPacket, decode, encode, type Packet, RECURSION_DESIRED } from "dns-packet";
import * as fc from "fast-check";
import { isClusterAddress } from "../addresses.ts";
import { ServiceIndex } from "../services/service-index.ts";
import { SLICES, service, slice, WatchedObjects } from "../testing/watched-objects.ts";
import { ClusterZone } from "./cluster-zone.ts";
import { respond } from "./respond.ts";

const api = new WatchedObjects();
const index = new ServiceIndex(api);
const zone = new ClusterZone({
  index,
  hasNamespace: () => true,
  domain: "cluster.local",
  dnsIps: [],
  isOurs: isClusterAddress,
});
const many = Array.from({ length: 60 }, (_, host) => ({
  addresses: [`10.244.1.${host}`],
  conditions: { ready: true },
}));
api.put("services", service("web", { clusterIPs: ["10.96.0.20"] }));
api.put("services", service("many", { clusterIP: "None" }));
api.put(SLICES, slice("many", { ports: [], endpoints: many }));
api.put("services", service("away", { type: "ExternalName", externalName: "example.com" }));
api.put("services", service("loop", { type: "ExternalName", externalName: "loop.default.svc.cluster.local" }));
api.put("services", service("odd", { type: "ExternalName", externalName: `${"x".repeat(300)}.test` }));
await Promise.resolve();

const asked: string[] = [];
const upstream = {
  resolve: (name: string, type: string) => {
    asked.push(`${name} ${type}`);
    const answers: Answer[] =
      name === "example.com" && type === "A" ? [{ name, type, ttl: 60, data: "192.0.2.1" }] : [];
    return Promise.resolve({ rcode: name === "gone.test" ? ("NXDOMAIN" as const) : ("NOERROR" as const), answers });
  },
};

async function ask(
  name: string,
  type: string,
  more: Partial<Packet> = {},
  transport: "udp" | "tcp" = "udp",
): Promise<DecodedPacket & { bytes: number; rcode: number }> {
  const query = encode({
    type: "query",
    id: 7,
    flags: RECURSION_DESIRED,
    questions: [{ name, type: type as "A" }],
    ...more,
  });
  const response = (await respond({ zone, upstream }, query, transport))!;
  const packet = decode(Buffer.from(response));
  return Object.assign(packet, { bytes: response.length, rcode: (packet.flags ?? 0) & 0xf });
}

const EDNS = (udpPayloadSize: number): Partial<Packet> => ({
  additionals: [
    { type: "OPT", name: ".", udpPayloadSize, extendedRcode: 0, ednsVersion: 0, flags: 0, flag_do: false, options: [] },
  ],
});

describe("a response", () => {
  test("has the query's id, question and letters, and says that it is ours", async () => {
    const response = await ask("Web.DEFAULT.svc.cluster.local", "A");
    expect(response).toMatchObject({
      id: 7,
      rcode: 0,
      flag_qr: true,
      flag_aa: true,
      flag_rd: true,
      flag_ra: true,
      flag_tc: false,
    });
    expect(response.questions).toMatchObject([{ name: "Web.DEFAULT.svc.cluster.local", type: "A" }]);
    expect(response.answers).toMatchObject([
      { name: "Web.DEFAULT.svc.cluster.local", type: "A", ttl: 5, data: "10.96.0.20" },
    ]);
  });

  test("with nothing in it has the zone's SOA, whether the name exists or not", async () => {
    for (const [name, rcode] of [
      ["none.default.svc.cluster.local", 3],
      ["default.svc.cluster.local", 0],
    ] as const) {
      const response = await ask(name, "A");
      expect(response.rcode).toBe(rcode);
      expect(response.answers).toEqual([]);
      expect(response.authorities).toMatchObject([
        { name: "cluster.local", type: "SOA", ttl: 5, data: { minimum: 5 } },
      ]);
    }
  });

  test("to types that nobody knows is empty", async () => {
    expect(await ask("web.default.svc.cluster.local", "UNKNOWN_65")).toMatchObject({ rcode: 0, answers: [] });
  });

  test("about other names comes from upstream", async () => {
    expect(await ask("Example.com", "A")).toMatchObject({
      rcode: 0,
      flag_aa: false,
      answers: [{ name: "Example.com", data: "192.0.2.1" }],
    });
    expect(await ask("gone.test", "A")).toMatchObject({ rcode: 3, authorities: [] });
    expect(asked).toContain("example.com A");
  });

  test("about an alias has what the alias stands for", async () => {
    expect((await ask("away.default.svc.cluster.local", "A")).answers).toMatchObject([
      { name: "away.default.svc.cluster.local", type: "CNAME", data: "example.com" },
      { name: "example.com", type: "A", data: "192.0.2.1" },
    ]);
    expect((await ask("loop.default.svc.cluster.local", "A")).rcode).toBe(2);
    expect((await ask("odd.default.svc.cluster.local", "CNAME")).rcode).toBe(3);
  });

  test("by UDP is as long as the client takes, and no longer", async () => {
    const name = "many.default.svc.cluster.local";
    const plain = await ask(name, "A");
    expect(plain.bytes).toBeLessThanOrEqual(512);
    expect(plain.flag_tc).toBe(true);
    expect(plain.answers!.length).toBeGreaterThan(5);
    const edns = await ask(name, "A", EDNS(4096));
    expect(edns.bytes).toBeLessThanOrEqual(1232);
    expect(edns.answers!.length).toBeGreaterThan(plain.answers!.length);
    expect(edns.additionals).toMatchObject([{ type: "OPT", udpPayloadSize: 1232 }]);
    const tcp = await ask(name, "A", {}, "tcp");
    expect([tcp.flag_tc, tcp.answers!.length]).toEqual([false, 60]);
  });
});

describe("what is no query", () => {
  const header = (flags: number, questions: number): Buffer => {
    const bytes = Buffer.alloc(12);
    bytes.writeUInt16BE(9, 0);
    bytes.writeUInt16BE(flags, 2);
    bytes.writeUInt16BE(questions, 4);
    return bytes;
  };
  const rows: { name: string; bytes: Uint8Array; rcode: number | undefined }[] = [
    { name: "too short", bytes: Buffer.alloc(11), rcode: undefined },
    { name: "a response", bytes: header(0x8000, 1), rcode: undefined },
    { name: "no question", bytes: header(0, 0), rcode: 1 },
    { name: "a question that is missing", bytes: header(0, 1), rcode: 1 },
    {
      name: "a name that points at itself",
      bytes: Buffer.concat([header(0, 1), Buffer.from([0xc0, 12, 0, 1, 0, 1])]),
      rcode: 1,
    },
    { name: "an update", bytes: header(5 << 11, 1), rcode: 4 },
  ];
  test.each(rows)("$name", async ({ bytes, rcode }) => {
    const response = await respond({ zone, upstream }, bytes, "udp");
    expect(response === undefined ? undefined : response[3]! & 0xf).toBe(rcode);
  });

  test("arbitrary bytes never throw", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 80 }), async (bytes) => {
        const response = await respond({ zone, upstream }, bytes, "udp");
        expect(response === undefined || response.length >= 12).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});
