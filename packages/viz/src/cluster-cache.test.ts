import { afterEach, beforeEach, expect, test } from "bun:test";
import { KubeClient, type KubeConfig, type Pod } from "@bowline/kube";
import { waitFor } from "@bowline/testkit";
import { ClusterCache } from "./cluster-cache.ts";

/** An API that lists what it is given, fails while `down`, and whose watches tell nothing. */
const api = { pods: [] as Pod[], down: false, refused: 0 };
let server: ReturnType<typeof Bun.serve>;
let cache: ClusterCache;

beforeEach(() => {
  Object.assign(api, { pods: [], down: false, refused: 0 });
  server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request) => {
      const url = new URL(request.url);
      if (api.down) {
        api.refused++;
        return new Response("away", { status: 503 });
      }
      if (url.searchParams.has("watch")) return new Response("");
      const items = url.pathname.endsWith("/pods")
        ? api.pods
        : url.pathname.endsWith("/replicasets")
          ? [REPLICA_SET]
          : [];
      return Response.json({ kind: "List", apiVersion: "v1", metadata: { resourceVersion: "1" }, items });
    },
  });
  const config: KubeConfig = {
    server: `http://127.0.0.1:${server.port}`,
    origin: "test",
    context: "test",
    cluster: "test",
    user: "test",
    namespace: "default",
    tls: { insecure: false },
    authorization: () => undefined,
  };
  cache = new ClusterCache(new KubeClient(config), "linkerd", () => undefined);
});
afterEach(async () => {
  await cache.stop();
  await server.stop(true);
});

const REPLICA_SET = {
  apiVersion: "apps/v1",
  kind: "ReplicaSet",
  metadata: {
    name: "web-abc",
    namespace: "shop",
    uid: "rs",
    ownerReferences: [{ apiVersion: "apps/v1", kind: "Deployment", name: "web", uid: "d", controller: true }],
  },
};

interface Shape {
  readonly controlPlane?: string | null;
  readonly phase?: string;
  readonly podIP?: string | null;
  readonly isNative?: boolean;
  readonly portName?: string;
}

function pod(name: string, shape: Shape): Pod {
  const {
    controlPlane = "linkerd",
    phase = "Running",
    podIP = "10.1.2.3",
    isNative = false,
    portName = "linkerd-admin",
  } = shape;
  const proxy = { name: "linkerd-proxy", ports: [{ name: portName, containerPort: 4191 }] };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace: "shop",
      uid: `uid-${name}`,
      labels: controlPlane === null ? {} : { "linkerd.io/control-plane-ns": controlPlane },
      ownerReferences: [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: "web-abc", uid: "rs", controller: true }],
    },
    spec: { containers: [{ name: "web" }, ...(isNative ? [] : [proxy])], initContainers: isNative ? [proxy] : [] },
    status: { phase, ...(podIP === null ? {} : { podIP }) },
  };
}

test("targets are the proxies that run, have an address and belong to this control plane", async () => {
  api.pods = [
    pod("web-1", {}),
    pod("native", { isNative: true, podIP: "fd00::5" }),
    pod("unmeshed", { controlPlane: null }),
    pod("of-another", { controlPlane: "other" }),
    pod("starting", { phase: "Pending" }),
    pod("done", { phase: "Succeeded" }),
    pod("nowhere", { podIP: null }),
    pod("no-port", { portName: "other" }),
  ];
  await cache.start();
  const labels = (name: string): Record<string, string> => ({ namespace: "shop", pod: name, deployment: "web" });
  expect(cache.scrapeTargets()).toEqual([
    { id: "uid-web-1", url: "http://10.1.2.3:4191/metrics", labels: labels("web-1") },
    { id: "uid-native", url: "http://[fd00::5]:4191/metrics", labels: labels("native") },
  ]);
});

test("an API that is away delays the start, and what was known stays known", async () => {
  api.pods = [pod("web-1", {})];
  api.down = true;
  let started = false;
  const start = cache.start().then(() => {
    started = true;
  });
  const isRefused = (): Promise<boolean> => Promise.resolve(api.refused >= 4);
  await waitFor(isRefused, { what: "every list to be refused" });
  expect([started, cache.pods().length]).toEqual([false, 0]);
  api.down = false;
  await start;
  expect(cache.pods()).toHaveLength(1);
  Object.assign(api, { down: true, refused: 0 });
  await waitFor(isRefused, { what: "every watch to be refused" });
  expect(cache.scrapeTargets()).toHaveLength(1);
});
