import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mustRun, type Pod, type RunAs, type TwoPods, twoPods } from "@bowline/testkit";
import { bowline, MODES } from "./bowline.ts";

const SPEAKER = [process.execPath, `${import.meta.dir}/speaker.ts`];
const PROXY: RunAs = { uid: 2102 };
const PROXY_GROUP: RunAs = { uid: 1001, gid: 2103 };
const APP: RunAs = { uid: 1000 };

/** A second address of the client's, in the ignored subnets. */
const IGNORED_V4 = "10.78.0.1";
const IGNORED_V6 = "fd78::1";

const FLAGS = [
  "--incoming-proxy-port=4143",
  "--outgoing-proxy-port=4140",
  "--proxy-uid=2102",
  "--proxy-gid=2103",
  "--inbound-ports-to-ignore=4190,4567-4568",
  "--outbound-ports-to-ignore=4567-4568",
  "--subnets-to-ignore=10.78.0.0/24,fd78::/64",
];

let pods: TwoPods;
let client: Pod;
let server: Pod;

beforeAll(async () => {
  pods = await twoPods();
  ({ client, server } = pods);
  for (const address of [`${IGNORED_V4}/24`, `${IGNORED_V6}/64`]) {
    const nodad = address.includes(":") ? ["nodad"] : [];
    await mustRun(["ip", "-n", client.namespace.name, "address", "add", address, "dev", "eth0", ...nodad]);
  }
  const ports = ["80", "4140", "4143", "4190", "4567", "4568", "4569", "8080", "8081"];
  for (const [name, { namespace }] of Object.entries({ client, server })) {
    await namespace.spawn([...SPEAKER, "serve", name, ...ports]).waitForOutput("serving", 20_000);
  }
}, 60_000);

afterAll(async () => {
  await pods?.[Symbol.asyncDispose]();
});

async function ask(from: Pod, targets: readonly string[], as: RunAs = APP): Promise<string[]> {
  return JSON.parse(await from.namespace.run([...SPEAKER, "ask", ...targets], { as })) as string[];
}

for (const mode of MODES) {
  describe(mode, () => {
    const install = async (...flags: string[]): Promise<void> => {
      const result = await bowline(server.namespace, "proxy-init", ...FLAGS, "--iptables-mode", mode, ...flags);
      expect(result).toMatchObject({ code: 0, stderr: "" });
    };
    const remove = async (): Promise<void> => {
      const result = await bowline(server.namespace, "proxy-init", "--cleanup", "--iptables-mode", mode);
      expect(result).toMatchObject({ code: 0, stderr: "" });
    };

    test("inbound: all ports but the ignored reach 4143, and all from ignored sources reach their own", async () => {
      await install();
      const ports = ["80", "8080", "4190", "4567", "4568", "4569"];
      const want = ["server 4143", "server 4143", "server 4190", "server 4567", "server 4568", "server 4143"];
      expect(await ask(client, to(server.v4, ports))).toEqual(want);
      expect(await ask(client, to(server.v6, ports))).toEqual(want);
      const fromIgnored = [
        ...to(`${IGNORED_V4}@${server.v4}`, ["8080"]),
        ...to(`${IGNORED_V6}@${server.v6}`, ["8080"]),
      ];
      expect(await ask(client, fromIgnored)).toEqual(["server 8080", "server 8080"]);
      await remove();
      expect(await ask(client, [...to(server.v4, ["8080"]), ...to(server.v6, ["8080"])])).toEqual([
        "server 8080",
        "server 8080",
      ]);
    }, 60_000);

    test("outbound: the app reaches 4140 unless by an ignored port or lo, the proxy's user and group go out", async () => {
      await install();
      for (const [peer, self, loopback] of [
        [client.v4, server.v4, "127.0.0.1"],
        [client.v6, server.v6, "::1"],
      ] as const) {
        const targets = [...to(peer, ["80", "4567", "4568"]), ...to(loopback, ["8080"]), ...to(self, ["8080"])];
        const own = ["server 8080", "server 8080"];
        expect(await ask(server, targets)).toEqual(["server 4140", "client 4567", "client 4568", ...own]);
        const direct = ["client 80", "client 4567", "client 4568", ...own];
        expect(await ask(server, targets, PROXY)).toEqual(direct);
        expect(await ask(server, targets, PROXY_GROUP)).toEqual(direct);
      }
      await remove();
      expect(await ask(server, to(client.v4, ["80"]))).toEqual(["client 80"]);
    }, 60_000);

    test("with --ports-to-redirect only those are", async () => {
      await install("--ports-to-redirect", "80,8081-8082");
      for (const address of [server.v4, server.v6]) {
        const answers = await ask(client, to(address, ["80", "8080", "8081", "4190"]));
        expect(answers).toEqual(["server 4143", "server 8080", "server 4143", "server 4190"]);
      }
      await remove();
    }, 60_000);
  });
}

function to(address: string, ports: readonly string[]): string[] {
  return ports.map((port) => `${address}|${port}`);
}
