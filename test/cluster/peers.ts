import { type ParsedSeries, parseText } from "@bowline/metrics";
import { waitFor } from "@bowline/testkit";
import type { LoadReport } from "./programs/load.ts";
import type { TestCluster } from "./test-cluster.ts";

const PROGRAM = new URL("./programs/peer.ts", import.meta.url).pathname;
/** Within a peer's container, see programs/peer.ts. */
const HTTP_PORT = 8080;
export const GRPC_PORT = 8081;

export interface PeerOptions {
  /** What its answers begin with, and its label `app`. */
  readonly app: string;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Ports of the protocol whose server speaks first. */
  readonly tcpPorts?: readonly number[];
  /** Other than 8080 where two peers share an address. */
  readonly httpPort?: number;
  readonly grpcPort?: number;
  readonly pod?: Readonly<Record<string, unknown>>;
  readonly container?: Readonly<Record<string, unknown>>;
}

/** A pod template whose one container is a peer. */
export function peerTemplate(options: PeerOptions): Readonly<Record<string, unknown>> {
  const { app, annotations = {}, tcpPorts = [], httpPort = HTTP_PORT, grpcPort = GRPC_PORT } = options;
  const ports = [
    { name: "http", containerPort: httpPort },
    { name: "grpc", containerPort: grpcPort },
    ...tcpPorts.map((containerPort) => ({ name: `tcp-${containerPort}`, containerPort })),
  ];
  return {
    metadata: { labels: { app }, annotations },
    spec: {
      terminationGracePeriodSeconds: 10,
      containers: [
        {
          name: "peer",
          image: "peer",
          command: [process.execPath, PROGRAM],
          env: [
            { name: "APP", value: app },
            { name: "POD", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
            { name: "HTTP_PORT", value: String(httpPort) },
            { name: "GRPC_PORT", value: String(grpcPort) },
            { name: "TCP_PORTS", value: tcpPorts.join(",") },
            // Bun would go on using an address for 30 s after a name has got another one.
            { name: "BUN_CONFIG_DNS_TIME_TO_LIVE_SECONDS", value: "0" },
          ],
          ports,
          readinessProbe: { httpGet: { path: "/", port: httpPort }, periodSeconds: 1 },
          ...options.container,
        },
      ],
      ...options.pod,
    },
  };
}

/** `kind` Deployment or StatefulSet, with room for what its spec needs beside. */
export function peerWorkload(
  kind: "Deployment" | "StatefulSet",
  namespace: string,
  options: PeerOptions,
  spec: Readonly<Record<string, unknown>> = {},
): unknown {
  const { app } = options;
  return {
    apiVersion: "apps/v1",
    kind,
    metadata: { name: app, namespace },
    spec: { replicas: 1, selector: { matchLabels: { app } }, template: peerTemplate(options), ...spec },
  };
}

export function peerService(
  namespace: string,
  name: string,
  app: string,
  ports: readonly unknown[],
  spec: Readonly<Record<string, unknown>> = {},
): unknown {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace },
    spec: { selector: { app }, ports, ...spec },
  };
}

/** Waits until a Deployment or StatefulSet ("deploy/web") has all of its pods ready. */
export async function rolledOut(cluster: TestCluster, space: string, workload: string): Promise<void> {
  await cluster.kubectl(["rollout", "status", workload, "-n", space, "--timeout=30s"], { timeoutMs: 40_000 });
}

/** Waits until there are so many pods with a label, those on their way out included. */
export async function podsLeft(cluster: TestCluster, space: string, label: string, count: number): Promise<void> {
  const names = async (): Promise<string> => await cluster.run(`get pods -n ${space} -l ${label} -o name`);
  await waitFor(async () => (await names()).split("\n").filter(Boolean).length === count, {
    what: `${count} pods of ${label}`,
    timeoutMs: 20_000,
    intervalMs: 100,
  });
}

/**
 * A meshed client, two meshed pods `web` and their service on port 80, all in namespace "mesh" and ready.
 * @returns the client
 */
export async function startClientAndWeb(cluster: TestCluster, web: Partial<PeerOptions> = {}): Promise<Peer> {
  await cluster.apply([
    namespace("mesh", true),
    peerWorkload("Deployment", "mesh", { app: "client" }),
    peerWorkload("Deployment", "mesh", { ...web, app: "web" }, { replicas: 2 }),
    peerService("mesh", "web", "web", [{ name: "http", port: 80, targetPort: "http" }]),
  ]);
  for (const name of ["client", "web"]) await rolledOut(cluster, "mesh", `deploy/${name}`);
  return await Peer.of(cluster, "mesh", "client");
}

/** For a peer's container: as users of Kubernetes write it, so that a pod is out of everybody's lists before it stops to serve. */
export function preStop(seconds: number): NonNullable<PeerOptions["container"]> {
  return { lifecycle: { preStop: { exec: { command: ["sleep", String(seconds)] } } } };
}

export function namespace(name: string, injected: boolean): unknown {
  const annotations = injected ? { "linkerd.io/inject": "enabled" } : {};
  return { apiVersion: "v1", kind: "Namespace", metadata: { name, annotations } };
}

export interface HttpResult {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly tookMs: number;
}

/** A running peer as a client: what it is told goes by the API's proxy to its pod. */
export class Peer {
  readonly pod: string;
  readonly #cluster: TestCluster;
  readonly #namespace: string;
  readonly #port: number;

  private constructor(cluster: TestCluster, space: string, pod: string, port: number) {
    this.#cluster = cluster;
    this.#namespace = space;
    this.pod = pod;
    this.#port = port;
  }

  /** The first running pod of `app`. */
  static async of(cluster: TestCluster, space: string, app: string, port: number = HTTP_PORT): Promise<Peer> {
    const name = "jsonpath={.items[0].metadata.name}";
    const pod = await cluster.kubectl(["get", "pods", "-n", space, "-l", `app=${app}`, "-o", name]);
    return new Peer(cluster, space, pod, port);
  }

  static named(cluster: TestCluster, space: string, pod: string): Peer {
    return new Peer(cluster, space, pod, HTTP_PORT);
  }

  /** One HTTP/1 request over a connection of its own. */
  http(url: string): Promise<HttpResult> {
    return this.#do("http", { url });
  }

  /** The same over a connection that is kept, and never replaced, for the next one of the same URL. */
  kept(url: string): Promise<Omit<HttpResult, "tookMs">> {
    return this.#do("kept", { url });
  }

  grpc(url: string): Promise<{ status: number; body: string; grpcStatus: string }> {
    return this.#do("grpc", { url });
  }

  tcp(host: string, port: number): Promise<{ greeting: string; echo: string }> {
    return this.#do("tcp", { host, port: String(port) });
  }

  /** How many requests it got that were meant for another app. */
  async misdirected(): Promise<number> {
    return JSON.parse(await this.#raw("misdirected")) as number;
  }

  /** Begins a steady load; see programs/load.ts for what counts as failed. */
  async startLoad(
    name: string,
    options: { url: string; app: string; workers?: number; pauseMs?: number },
  ): Promise<void> {
    const { url, app, workers = 4, pauseMs = 5 } = options;
    await this.#do("load", { name, url, app, workers: String(workers), pauseMs: String(pauseMs) });
  }

  report(name: string): Promise<LoadReport> {
    return this.#do("report", { name });
  }

  stopLoad(name: string): Promise<LoadReport> {
    return this.#do("stop", { name });
  }

  /** Waits until so many more requests of a load have succeeded. */
  async moreSuccesses(name: string, count: number): Promise<void> {
    const { succeeded } = await this.report(name);
    await waitFor(async () => (await this.report(name)).succeeded >= succeeded + count, {
      what: `${count} more answers to ${name}`,
      timeoutMs: 15_000,
      intervalMs: 50,
    });
  }

  /** What its proxy counts, by `bowline diagnostics proxy-metrics`. */
  async metrics(): Promise<ProxyMetrics> {
    const args = ["diagnostics", "proxy-metrics", "-n", this.#namespace, `pod/${this.pod}`];
    const page = await this.#cluster.bowline(args);
    // A page without a part would read as if nothing had happened there.
    if (page.includes("# ERROR")) throw new Error(page);
    return new ProxyMetrics(page);
  }

  async #do<T>(action: string, query: Readonly<Record<string, string>>): Promise<T> {
    const answer = JSON.parse(await this.#raw(`do/${action}?${new URLSearchParams(query).toString()}`)) as Outcome<T>;
    if ("error" in answer) throw new Error(`${action} ${JSON.stringify(query)} from ${this.pod}: ${answer.error}`);
    return answer.result;
  }

  #raw(path: string): Promise<string> {
    const proxied = `/api/v1/namespaces/${this.#namespace}/pods/${this.pod}:${this.#port}/proxy/${path}`;
    return this.#cluster.kubectl(["get", "--raw", proxied]);
  }
}

type Outcome<T> = { readonly error: string } | { readonly result: T };

export type Labels = Readonly<Record<string, string>>;

/** One page of a proxy's metrics. */
export class ProxyMetrics {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The sum over the series of `family` that have all of `labels`. */
  sum(family: string, labels: Labels): number {
    return this.#matching(family, labels).reduce((sum, { value }) => sum + value, 0);
  }

  /** The labels of those series that count anything. */
  labelsOf(family: string, labels: Labels): Labels[] {
    return this.#matching(family, labels)
      .filter(({ value }) => value > 0)
      .map((series) => Object.fromEntries(series.labels));
  }

  #matching(family: string, labels: Labels): readonly ParsedSeries[] {
    const parsed = parseText(this.#text);
    if ("error" in parsed) throw new Error(`line ${parsed.line}: ${parsed.error}`);
    const wanted = Object.entries(labels);
    const { series = [] } = parsed.families.find(({ name }) => name === family) ?? {};
    return series.filter((one) =>
      wanted.every(([key, value]) => one.labels.some(([k, v]) => k === key && v === value)),
    );
  }
}
