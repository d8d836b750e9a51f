import { expect, test } from "bun:test";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import type { EndpointSlice } from "@bowline/kube";
import { rejectionOf, waitFor } from "@bowline/testkit";
import { setNetSysctls } from "../namespace-settings.ts";
import type { IpFamilies, PodAttachment, RunningNetwork } from "../pod-network.ts";
import { greeter, identity, TestNetwork, udpGreeter, within } from "../testing/test-network.ts";
import { podWithHostPort, SLICES, service, slice, WatchedObjects } from "../testing/watched-objects.ts";
import { startServices } from "./start-services.ts";

interface Lab extends AsyncDisposable {
  readonly api: WatchedObjects;
  readonly network: RunningNetwork;
  readonly client: PodAttachment;
  readonly a: PodAttachment;
  readonly b: PodAttachment;
}

async function lab(families: IpFamilies = "v4", addressReuse: "late" | "first" = "late"): Promise<Lab> {
  const cleanup = new AsyncDisposableStack();
  try {
    const network = await cleanup.use(new TestNetwork()).start({ families, addressReuse });
    const api = new WatchedObjects();
    const failures: string[] = [];
    const services = startServices(api, network, { warn: (line) => failures.push(line) });
    cleanup.defer(async () => {
      await services.stop();
      expect(failures).toEqual([]);
    });
    const [client, a, b] = await Promise.all(["client", "a", "b"].map((uid) => network.attach(identity(uid))));
    for (const [name, pod] of [
      ["a", a],
      ["b", b],
    ] as const) {
      cleanup.use(greeter(pod!, name, 8080, families === "dual" ? "::" : "0.0.0.0"));
    }
    const done = cleanup.move();
    return { api, network, client: client!, a: a!, b: b!, [Symbol.asyncDispose]: () => done.disposeAsync() };
  } catch (error) {
    await cleanup.disposeAsync();
    throw error;
  }
}

function endpoints(
  ips: readonly (string | undefined)[],
  conditions: object = { ready: true },
): EndpointSlice["endpoints"] {
  return ips.map((ip) => ({ addresses: [ip!], conditions }));
}

const PORTS = [{ port: 8080, protocol: "TCP" }];

async function greeting({ network }: Lab, from: string, ip: string, port = 80): Promise<string> {
  return text(await network.dial(from, ip, port));
}

async function servedBy(lab: Lab, from: string, names: string): Promise<void> {
  const seen = new Set<string>();
  await waitFor(
    async () => {
      const [name = ""] = (await greeting(lab, from, "10.96.0.20")).split(" ");
      if (!names.includes(name)) seen.clear();
      else seen.add(name);
      return seen.size === names.length;
    },
    { what: `answers from ${names} alone`, intervalMs: 1, timeoutMs: 2_000 },
  );
}

test("a cluster IP leads to every ready endpoint, from pods and from the node, and follows changes", async () => {
  await using here = await lab();
  const { api, client, a, b, network } = here;
  api.put("services", service("web", { clusterIPs: ["10.96.0.20"], ports: [{ port: 80 }] }));
  api.put(SLICES, slice("web", { ports: PORTS, endpoints: endpoints([a.ips[0], b.ips[0]]) }));
  await servedBy(here, client.netns, "ab");
  await servedBy(here, network.nodeNetns, "ab");
  expect(await greeting(here, client.netns, "10.96.0.20")).toEndWith(` ${client.ips[0]}`);
  api.put(SLICES, slice("web", { ports: PORTS, endpoints: endpoints([b.ips[0]]) }));
  await servedBy(here, client.netns, "b");
});

test("a pod reaches itself through its service, and sees the node as the client", async () => {
  await using here = await lab();
  const { api, a } = here;
  api.put("services", service("web", { clusterIPs: ["10.96.0.20"], ports: [{ port: 80 }] }));
  api.put(SLICES, slice("web", { ports: PORTS, endpoints: endpoints([a.ips[0]]) }));
  await servedBy(here, a.netns, "a");
  expect(await greeting(here, a.netns, "10.96.0.20")).toBe("a 10.244.0.1");
});

test("without endpoints, and where there is no service, connections are refused at once", async () => {
  await using here = await lab();
  const { api, client, a, network } = here;
  api.put("services", service("web", { clusterIPs: ["10.96.0.20"], ports: [{ port: 80 }] }));
  api.put(SLICES, slice("web", { ports: PORTS, endpoints: endpoints([a.ips[0]]) }));
  await servedBy(here, client.netns, "a");
  api.put(SLICES, slice("web", { ports: PORTS, endpoints: endpoints([a.ips[0]], { ready: false }) }));
  await waitFor(
    () =>
      greeting(here, client.netns, "10.96.0.20").then(
        () => false,
        () => true,
      ),
    { what: "no answer" },
  );
  for (const from of [client.netns, network.nodeNetns]) {
    for (const [ip, port] of [
      ["10.96.0.20", 80],
      ["10.96.0.20", 81],
      ["10.96.7.7", 80],
    ] as const) {
      const before = performance.now();
      expect(await rejectionOf(network.dial(from, ip, port))).toMatchObject({ code: "ECONNREFUSED" });
      expect(performance.now() - before).toBeLessThan(500);
    }
  }
});

test("session affinity keeps a client with one endpoint", async () => {
  await using here = await lab();
  const { api, client, a, b } = here;
  api.put(SLICES, slice("web", { ports: PORTS, endpoints: endpoints([a.ips[0], b.ips[0]]) }));
  api.put(
    "services",
    service("web", { clusterIPs: ["10.96.0.20"], ports: [{ port: 80 }], sessionAffinity: "ClientIP" }),
  );
  const first = await waitFor(() => greeting(here, client.netns, "10.96.0.20"), { what: "an answer" });
  const [other] = [a, b].filter(({ ips }) => !first.startsWith(ips === a.ips ? "a" : "b"));
  for (let repeat = 0; repeat < 15; repeat++) expect(await greeting(here, client.netns, "10.96.0.20")).toBe(first);
  // The set of clients outlives a change of endpoints, unless it is the client's own that goes.
  api.put(SLICES, slice("web", { ports: PORTS, endpoints: endpoints([other!.ips[0]]) }));
  await servedBy(here, client.netns, first.startsWith("a") ? "b" : "a");
});

test("dual stack: both families of a service", async () => {
  await using here = await lab("dual");
  const { api, client, a, b, network } = here;
  api.put("services", service("web", { clusterIPs: ["10.96.0.20", "fd00:10:96::20"], ports: [{ port: 80 }] }));
  api.put(SLICES, slice("web", { ports: PORTS, endpoints: endpoints([a.ips[0]]) }));
  api.put(SLICES, slice("web", { ports: PORTS, addressType: "IPv6", endpoints: endpoints([b.ips[1]]) }));
  await servedBy(here, client.netns, "a");
  expect(await greeting(here, client.netns, "fd00:10:96::20")).toBe(`b ${client.ips[1]}`);
  expect(await greeting(here, b.netns, "fd00:10:96::20")).toBe("b fd00:10:244::1");
  expect(await greeting(here, network.nodeNetns, "fd00:10:96::20")).toBe("b fd00:10:244::1");
  expect(await rejectionOf(network.dial(client.netns, "fd00:10:96::99", 80))).toMatchObject({ code: "ECONNREFUSED" });
});

test("host ports are the node's", async () => {
  await using here = await lab();
  const { api, client, a, network } = here;
  const pod = podWithHostPort("a", a.ips[0]!, 8080, 8088);
  api.put("pods", pod);
  const answer = await waitFor(() => greeting(here, client.netns, "10.244.0.1", 8088), { what: "the host port" });
  expect(answer).toBe(`a ${client.ips[0]}`);
  expect(await greeting(here, network.nodeNetns, "10.244.0.1", 8088)).toBe("a 10.244.0.1");
  expect(await greeting(here, a.netns, "10.244.0.1", 8088)).toBe("a 10.244.0.1");
  api.remove("pods", pod);
  await waitFor(
    () =>
      greeting(here, client.netns, "10.244.0.1", 8088).then(
        () => false,
        () => true,
      ),
    { what: "its end" },
  );
});

test("UDP clients that go on sending move to an endpoint that is there", async () => {
  await using here = await lab();
  const { api, client, a, b } = here;
  using _a = await udpGreeter(a, "a", 5353);
  using _b = await udpGreeter(b, "b", 5353);
  const ports = [{ port: 5353, protocol: "UDP" }];
  const answers: string[] = [];
  const socket = await within(client.netns, () =>
    Bun.udpSocket({
      hostname: "0.0.0.0",
      port: 0,
      // Errors: the service has no endpoint yet.
      socket: { data: (_self, bytes) => void answers.push(bytes.toString()), error: () => {} },
    }),
  );
  try {
    const answered = (by: string): Promise<boolean> =>
      waitFor(
        () => {
          socket.send("who?", 53, "10.96.0.53");
          return answers.at(-1) === by;
        },
        { what: `an answer from ${by}` },
      );
    api.put("services", service("names", { clusterIPs: ["10.96.0.53"], ports: [{ port: 53, protocol: "UDP" }] }));
    api.put(SLICES, slice("names", { ports, endpoints: endpoints([a.ips[0]]) }));
    await answered("a");
    api.put(SLICES, slice("names", { ports, endpoints: endpoints([b.ips[0]]) }));
    await answered("b");
  } finally {
    socket.close();
  }
});

test("what a pod left behind does not lead to the next one with its address", async () => {
  await using here = await lab("v4", "first");
  const { api, client, a, b, network } = here;
  const open = (socket: Bun.Socket): void => void socket.write("a stays");
  const a9000 = { hostname: "0.0.0.0", port: 9000, socket: { open, data: () => {} } };
  const staying = within(a.netns, () => Bun.listen(a9000));
  using _a = { [Symbol.dispose]: () => staying.stop(true) };
  using _b = greeter(b, "b", 9000);
  const ports = [{ port: 9000, protocol: "TCP" }];
  api.put("services", service("web", { clusterIPs: ["10.96.0.20"], ports: [{ port: 80 }] }));
  api.put(SLICES, slice("web", { ports, endpoints: endpoints([a.ips[0]]) }));
  const onePort = { "ipv4/ip_local_port_range": "40000 40000" };
  setNetSysctls(client.netns, onePort);
  await waitFor(() => network.dial(client.netns, "10.96.0.20", 80), { what: "a connection that nobody will end" });
  api.put(SLICES, slice("web", { ports, endpoints: endpoints([b.ips[0]]) }));
  const isB = async (): Promise<boolean> => {
    const stream = await network.dial(network.nodeNetns, "10.96.0.20", 80);
    const [said] = (await once(stream, "data")) as [Buffer];
    stream.destroy();
    return said.toString().startsWith("b ");
  };
  await waitFor(isB, { what: "b" });
  await network.detach("a");
  await network.detach("client");
  const client2 = await network.attach(identity("client2"));
  const c = await network.attach(identity("c"));
  expect([client2.ips, c.ips]).toEqual([client.ips, a.ips]);
  using _c = greeter(c, "c", 9000);
  setNetSysctls(client2.netns, onePort);
  expect(await greeting(here, client2.netns, "10.96.0.20")).toStartWith("b ");
});

test("a daemon that comes later replaces the rules of the one before", async () => {
  await using here = await lab();
  const { api, client, a, b, network } = here;
  api.put("services", service("web", { clusterIPs: ["10.96.0.20"], ports: [{ port: 80 }] }));
  api.put(SLICES, slice("web", { ports: PORTS, endpoints: endpoints([a.ips[0]]) }));
  await servedBy(here, client.netns, "a");
  const other = new WatchedObjects();
  other.put("services", service("web", { clusterIPs: ["10.96.0.20"], ports: [{ port: 80 }] }));
  other.put(SLICES, slice("web", { ports: PORTS, endpoints: endpoints([b.ips[0]]) }));
  const later = startServices(other, network);
  await servedBy(here, client.netns, "b");
  await later.stop();
});
