import { afterAll, beforeAll, expect, test } from "bun:test";
import { destination } from "@bowline/contracts/proto";
import {
  Batch,
  ClusterIndex,
  DestinationService,
  Discovery,
  type ObjectsByKind,
  parsePortList,
  SILENT_OBSERVER,
} from "@bowline/control-plane/destination";
import { GrpcServer } from "@bowline/grpc";
import { Relay, type TwoPods, twoPods, waitFor } from "@bowline/testkit";
import { HttpApp } from "./http-app.ts";
import { connectCaller } from "./http-caller.ts";
import { askAdmin, initPod, metricsPage, type RunningProxy, startProxy } from "./mesh.ts";

// A real proxy that asks the real destination service, without a policy service: what the embedded cluster and Linkerd of
// old have. The cluster is objects put into the service's index.

const CONTROL_PORT = 8086;
const APP_PORT = 8080;
const CLUSTER_IP = "10.96.0.1";
/** Of the apps' pod as well, but nothing that the cluster knows. */
const OUTSIDE_IP = "10.88.0.1";
const WEB = "web.shop.svc.cluster.local";

const index = new ClusterIndex();
let pods: TwoPods;
let proxy: RunningProxy;
let server: GrpcServer;
let service: DestinationService;
let relay: Relay;
const apps: HttpApp[] = [];

beforeAll(async () => {
  const discovery = new Discovery({
    index,
    batch: new Batch(),
    observer: SILENT_OBSERVER,
    settings: {
      clusterDomain: "cluster.local",
      controllerNamespace: "linkerd",
      identityTrustDomain: null,
      h2Upgrade: true,
      ipv6: true,
      transportHeader: true,
      defaultOpaquePorts: parsePortList("3306"),
      http2: null,
      zoneWeights: false,
    },
  });
  service = new DestinationService({
    discovery,
    streamQueueCapacity: 100,
    onEndpointsOverflow() {},
    onProfileOverflow() {},
  });
  server = new GrpcServer().add(destination.Destination, service.implementation);
  const { port } = await server.listen({ host: "127.0.0.1", port: 0 });
  pods = await twoPods();
  const { client, server: apart } = pods;
  relay = new Relay({ namespace: client.namespace, hostname: "127.0.0.1", port: CONTROL_PORT });
  relay.open({ namespace: null, hostname: "127.0.0.1", port });
  await initPod(client.namespace);
  proxy = await startProxy(client, {
    LINKERD2_PROXY_DESTINATION_SVC_ADDR: `127.0.0.1:${CONTROL_PORT}`,
    LINKERD2_PROXY_DESTINATION_CONTEXT: '{"ns":"shop","nodeName":"n1","pod":"client-1"}',
    LINKERD2_PROXY_DESTINATION_PROFILE_NETWORKS: "10.0.0.0/8",
  });
  await apart.namespace.run(["ip", "address", "add", `${OUTSIDE_IP}/32`, "dev", "lo"]);
  await client.namespace.run(["ip", "route", "add", OUTSIDE_IP, "via", apart.v4]);
  for (const ip of [apart.v4, OUTSIDE_IP]) apps.push(await HttpApp.start("HTTP/1", apart.namespace, ip, APP_PORT));
  putWeb(apart.v4);
}, 30_000);

afterAll(async () => {
  proxy?.process.kill("SIGKILL");
  relay?.close();
  await pods?.[Symbol.asyncDispose]();
  await Promise.all(apps.map((app) => app[Symbol.asyncDispose]()));
  await server?.close();
});

/** Service `web`, with one pod of Deployment `web` at this address. */
function putWeb(ip: string): void {
  index.upsert("services", webService());
  const hash = { "pod-template-hash": "abc" };
  const owner = { apiVersion: "apps/v1", kind: "ReplicaSet", name: "web-abc", uid: "u", controller: true };
  index.upsert("pods", {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "web-abc-1", namespace: "shop", labels: hash, ownerReferences: [owner] },
    spec: { containers: [{ name: "app", ports: [{ containerPort: APP_PORT }] }] },
    status: { phase: "Running", podIP: ip },
  });
  index.upsert("endpointslices", webSlice([ip]));
}

function webService(): ObjectsByKind["services"] {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "web", namespace: "shop" },
    spec: { clusterIP: CLUSTER_IP, clusterIPs: [CLUSTER_IP], ports: [{ port: 80 }] },
  };
}

function webSlice(ips: readonly string[]): ObjectsByKind["endpointslices"] {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: "web-1", namespace: "shop", labels: { "kubernetes.io/service-name": "web" } },
    addressType: "IPv4",
    ports: [{ port: APP_PORT }],
    endpoints: ips.map((ip) => ({
      addresses: [ip],
      hostname: "web-0",
      targetRef: { kind: "Pod", namespace: "shop", name: "web-abc-1" },
    })),
  };
}

/** The labels of all outbound requests that were counted, from one look to the next. */
async function countedSince(before: ReadonlyMap<string, number>): Promise<Record<string, string>[]> {
  const grown = [...(await requestCounts())].filter(([labels, count]) => count > (before.get(labels) ?? 0));
  return grown.map(([labels]) =>
    Object.fromEntries([...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, name = "", value = ""]) => [name, value])),
  );
}

async function requestCounts(): Promise<ReadonlyMap<string, number>> {
  const series = (await metricsPage(proxy)).matchAll(/^request_total\{(direction="outbound".*)\} (\d+)$/gm);
  return new Map([...series].map(([, labels = "", count]) => [labels, Number(count)]));
}

const POD = {
  dst_pod: "web-abc-1",
  dst_deployment: "web",
  dst_namespace: "shop",
  dst_pod_template_hash: "abc",
  dst_serviceaccount: "default",
  dst_zone: "",
};
const ROWS: { name: string; target: () => string; labels: () => Record<string, string> }[] = [
  {
    name: "a cluster IP leads to the service's pods",
    target: () => `${CLUSTER_IP}:80`,
    labels: () => ({
      ...POD,
      authority: WEB,
      target_addr: `${pods.server.v4}:${APP_PORT}`,
      dst_service: "web",
      dst_zone_locality: "unknown",
    }),
  },
  {
    name: "a pod's address, to which headless names resolve, leads to the pod",
    target: () => `${pods.server.v4}:${APP_PORT}`,
    labels: () => ({ ...POD, target_addr: `${pods.server.v4}:${APP_PORT}` }),
  },
  {
    name: "an address outside leads there",
    target: () => `${OUTSIDE_IP}:${APP_PORT}`,
    labels: () => ({ target_addr: `${OUTSIDE_IP}:${APP_PORT}` }),
  },
];

test.each(ROWS)("$name", async ({ target, labels }) => {
  const before = await requestCounts();
  using caller = await connectCaller("HTTP/1", pods.client.namespace, target());
  expect((await caller.call({ authority: "any.example" })).status).toBe(200);
  const counted = await countedSince(before);
  const telling = counted.map((all) =>
    Object.entries(all).filter(([label]) => /^(dst_|authority|target_addr)/.test(label)),
  );
  expect(telling.map((entries) => Object.fromEntries(entries))).toEqual([labels()]);
});

test("what the proxy holds is what it was told, until it is told otherwise", async () => {
  const held = async (): Promise<unknown> => {
    const answer = await askAdmin(proxy, "GET", "/debug/endpoints");
    const { services } = JSON.parse(answer.slice(answer.indexOf("\r\n\r\n"))) as { services: Held[] };
    return services.map(({ authority, exists, endpoints }) => [authority, exists, endpoints.map(({ ip }) => ip)]);
  };
  using caller = await connectCaller("HTTP/1", pods.client.namespace, `${CLUSTER_IP}:80`);
  expect((await caller.call()).status).toBe(200);
  expect(await held()).toEqual([[`${WEB}:80`, true, [pods.server.v4]]]);
  index.upsert("endpointslices", webSlice([]));
  await waitFor(async () => JSON.stringify(await held()) === JSON.stringify([[`${WEB}:80`, true, []]]), {
    what: "the proxy to hold no endpoint",
  });
  using hopeful = await connectCaller("HTTP/1", pods.client.namespace, `${CLUSTER_IP}:80`);
  expect((await hopeful.call()).status).toBe(504);
  index.upsert("endpointslices", webSlice([pods.server.v4]));
  await waitFor(async () => JSON.stringify(await held()).includes(pods.server.v4), { what: "the endpoint to be back" });
  using again = await connectCaller("HTTP/1", pods.client.namespace, `${CLUSTER_IP}:80`);
  expect((await again.call()).status).toBe(200);
});

test("requests do not notice that the destination service is away", async () => {
  using caller = await connectCaller("HTTP/1", pods.client.namespace, `${CLUSTER_IP}:80`);
  expect((await caller.call()).status).toBe(200);
  relay.close();
  for (let i = 0; i < 5; i++) expect((await caller.call()).status).toBe(200);
  using other = await connectCaller("HTTP/1", pods.client.namespace, `${CLUSTER_IP}:80`);
  expect((await other.call()).status).toBe(200);
});

interface Held {
  readonly authority: string;
  readonly exists: boolean | null;
  readonly endpoints: readonly { readonly ip: string }[];
}
