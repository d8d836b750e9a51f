import { expect, test } from "bun:test";
import { waitFor } from "@bowline/testkit";
import { type DecodedPacket, decode, encode, streamEncode } from "dns-packet";
import { identity, TestNetwork, within } from "../testing/test-network.ts";
import { service, WatchedObjects } from "../testing/watched-objects.ts";
import { startDns } from "./start-dns.ts";

const upstream = {
  resolve: (name: string) =>
    Promise.resolve({ rcode: "NOERROR" as const, answers: [{ name, type: "A" as const, ttl: 1, data: "192.0.2.1" }] }),
};

function query(name: string): Parameters<typeof encode>[0] {
  return { type: "query", id: 1, questions: [{ name, type: "A" }] };
}

test("pods and the node ask by UDP and TCP, over both families", async () => {
  await using lab = new TestNetwork();
  const network = await lab.start({ families: "dual" });
  const pod = await network.attach(identity("client"));
  const api = new WatchedObjects();
  api.put("services", service("web", { clusterIPs: ["10.96.0.20"] }));
  const dns = await startDns(api, network, { upstream });
  try {
    const answers: DecodedPacket[] = [];
    for (const [netns, server] of [
      [pod.netns, "10.96.0.10"],
      [network.nodeNetns, "10.96.0.10"],
      [pod.netns, "fd00:10:96::a"],
    ] as const) {
      const any = server.includes(":") ? "::" : "0.0.0.0";
      const socket = await within(netns, () =>
        Bun.udpSocket({ hostname: any, port: 0, socket: { data: (_self, bytes) => void answers.push(decode(bytes)) } }),
      );
      socket.send(encode(query("web.default.svc.cluster.local")), 53, server);
      await waitFor(() => answers.length > 0, { what: `an answer from ${server}` });
      expect(answers.pop()!.answers).toMatchObject([{ data: "10.96.0.20" }]);
      socket.close();
    }
    const stream = await network.dial(pod.netns, "10.96.0.10", 53);
    stream.end(
      Buffer.concat([streamEncode(query("web.default.svc.cluster.local")), streamEncode(query("example.com"))]),
    );
    const bytes = Buffer.concat(await Array.fromAsync(stream as AsyncIterable<Buffer>));
    const first = 2 + bytes.readUInt16BE(0);
    expect(decode(bytes.subarray(2, first)).answers).toMatchObject([{ data: "10.96.0.20" }]);
    expect(decode(bytes.subarray(first + 2)).answers).toMatchObject([{ data: "192.0.2.1" }]);
  } finally {
    dns.stop();
  }
  // The addresses are free again for the next daemon.
  (await startDns(api, network, { upstream })).stop();
});
