import { readdirSync, readFileSync } from "node:fs";
import {
  connectTcp,
  type NetNamespace,
  type Pod,
  type RunningProcess,
  type TcpPeer,
  TcpServer,
  twoPods,
  waitFor,
} from "@bowline/testkit";

/** The command line that runs Bowline from its sources. */
export const BOWLINE: readonly string[] = [process.execPath, `${import.meta.dir}/../../packages/cli/src/main.ts`];
const PROXY_UID = 2102;
export const APP_UID = 1000;

/** The article's call of proxy-init. */
export const ARTICLE_INIT: readonly string[] =
  "--incoming-proxy-port 4143 --outgoing-proxy-port 4140 --proxy-uid 2102 --inbound-ports-to-ignore 4190,4191".split(
    " ",
  );

/** The article's environment of the proxy, of which the control plane's address leads nowhere. */
export const ARTICLE_ENV: Readonly<Record<string, string>> = {
  LINKERD2_PROXY_LOG: "warn,linkerd2_proxy=info",
  LINKERD2_PROXY_BIND_TIMEOUT: "10s",
  LINKERD2_PROXY_CONTROL_URL: "tcp://linkerd-proxy-api.linkerd.svc.cluster.local:8086",
  LINKERD2_PROXY_CONTROL_LISTENER: "tcp://0.0.0.0:4190",
  LINKERD2_PROXY_METRICS_LISTENER: "tcp://0.0.0.0:4191",
  LINKERD2_PROXY_OUTBOUND_LISTENER: "tcp://127.0.0.1:4140",
  LINKERD2_PROXY_INBOUND_LISTENER: "tcp://0.0.0.0:4143",
  LINKERD2_PROXY_POD_NAMESPACE: "test",
};

export type ProxyEnv = Readonly<Record<string, string>>;

/** A proxy running in a pod. */
export interface RunningProxy {
  readonly pod: Pod;
  readonly process: RunningProcess;
}

/** Starts a proxy in the pod as its container would, and waits until it is ready. */
export async function startProxy(pod: Pod, env: ProxyEnv = {}, prefix: readonly string[] = []): Promise<RunningProxy> {
  const process = pod.namespace.spawn([...prefix, ...BOWLINE, "proxy"], {
    as: { uid: PROXY_UID },
    env: { ...ARTICLE_ENV, ...env },
  });
  const proxy = { pod, process };
  await waitFor(
    async () => {
      const ended = process.result();
      if (ended !== null) return ended;
      return (await askAdmin(proxy, "GET", "/ready")).startsWith("HTTP/1.1 200");
    },
    { what: "the proxy to be ready", timeoutMs: 10_000 },
  );
  const ended = process.result();
  if (ended !== null) throw new Error(`the proxy ended: ${ended.stderr}${ended.stdout}`);
  return proxy;
}

/** Installs the redirection of a pod. */
export async function initPod(namespace: NetNamespace, args: readonly string[] = ARTICLE_INIT): Promise<void> {
  await namespace.run([...BOWLINE, "proxy-init", ...args]);
}

/** One request to the proxy's admin server from inside its pod; the raw answer. */
export async function askAdmin(proxy: RunningProxy, method: string, path: string, headers = ""): Promise<string> {
  const peer = await connectTcp(proxy.pod.namespace, "127.0.0.1", 4191);
  try {
    peer.send(`${method} ${path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\ncontent-length: 0\r\n${headers}\r\n`);
    return await peer.takeAll();
  } finally {
    peer.close();
  }
}

export async function metricsPage(proxy: RunningProxy): Promise<string> {
  const answer = await askAdmin(proxy, "GET", "/metrics");
  return answer.slice(answer.indexOf("\r\n\r\n") + 4);
}

/**
 * The sum of the counters or gauges of `name` whose labels include all of `labels`, now. A label's value null means
 * that it must be absent.
 */
export async function counted(
  proxy: RunningProxy,
  name: string,
  labels: Readonly<Record<string, string | number | null>> = {},
): Promise<number> {
  return sumOf(await metricsPage(proxy), name, labels);
}

export function sumOf(
  page: string,
  name: string,
  labels: Readonly<Record<string, string | number | null>> = {},
): number {
  let sum = 0;
  for (const line of page.split("\n")) {
    const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (match?.[1] !== name) continue;
    const own = new Map([...(match[2] ?? "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map((m) => [m[1], m[2]]));
    const fits = Object.entries(labels).every(([key, value]) =>
      value === null ? !own.has(key) : own.get(key) === String(value),
    );
    if (fits) sum += Number(match[3]);
  }
  return sum;
}

/** Runs `body` while the proxy stands still: it then sees all at once, in the order in which it came about. */
export async function frozen({ process: { pid } }: RunningProxy, body: () => void): Promise<void> {
  process.kill(pid, "SIGSTOP");
  try {
    const tasks = `/proc/${pid}/task`;
    const stopped = (task: string): boolean => / T /.test(readFileSync(`${tasks}/${task}/stat`, "latin1"));
    await waitFor(() => readdirSync(tasks).every(stopped), { what: "the proxy's threads to stop", intervalMs: 1 });
    body();
    // What was sent within this machine has arrived by the next turn of the event loop.
    await new Promise((resolve) => setTimeout(resolve, 1));
  } finally {
    process.kill(pid, "SIGCONT");
  }
}

/** Which proxies a connection passes. */
export const ROUTES = ["inbound", "outbound", "two proxies"] as const;
export type Route = (typeof ROUTES)[number];

/**
 * A client pod and a server pod, each with a proxy. The rules let some ports past one of the proxies, so that one pair
 * serves every route:
 *
 *     port     passes
 *     2xxxx    the client's outbound proxy only
 *     3xxxx    the server's inbound proxy only (4143, too)
 *     others   both
 */
export class Mesh implements AsyncDisposable {
  readonly client: Pod;
  readonly server: Pod;
  readonly outbound: RunningProxy;
  readonly inbound: RunningProxy;
  readonly #pods: AsyncDisposable;
  #nextPort = 0;

  private constructor(client: Pod, server: Pod, outbound: RunningProxy, inbound: RunningProxy, pods: AsyncDisposable) {
    this.client = client;
    this.server = server;
    this.outbound = outbound;
    this.inbound = inbound;
    this.#pods = pods;
  }

  static async start(env: ProxyEnv = {}): Promise<Mesh> {
    const pods = await twoPods();
    try {
      const { client, server } = pods;
      await Promise.all([
        initPod(client.namespace, [...ARTICLE_INIT, "--outbound-ports-to-ignore", "4143,30000-39999"]),
        initPod(server.namespace, [...ARTICLE_INIT.slice(0, -1), "4190,4191,20000-29999"]),
      ]);
      const [outbound, inbound] = await Promise.all([startProxy(client, env), startProxy(server, env)]);
      return new Mesh(client, server, outbound, inbound, pods);
    } catch (error) {
      await pods[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** A port in the server's pod that nothing has used yet, below those that the kernel gives to outgoing connections. */
  port(route: Route): number {
    return { outbound: 20_000, inbound: 30_000, "two proxies": 10_000 }[route] + this.#nextPort++;
  }

  /** The app: a listener in the server's pod at a port of its own. */
  app(route: Route, onOpen?: (peer: TcpPeer) => void): TcpServer {
    return TcpServer.listen(this.server.namespace, "0.0.0.0", this.port(route), onOpen);
  }

  /** A connection from the client's pod to the app. */
  connect(app: { readonly port: number }): Promise<TcpPeer> {
    return connectTcp(this.client.namespace, this.server.v4, app.port);
  }

  /** The proxy that is nearest to the client on a route. */
  firstProxy(route: Route): RunningProxy {
    return route === "inbound" ? this.inbound : this.outbound;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A test that failed may have left connections that a graceful end would wait for.
    for (const { process } of [this.outbound, this.inbound]) process.kill("SIGKILL");
    await this.#pods[Symbol.asyncDispose]();
  }
}

/** Makes connections to `port` of the pod vanish without an answer, as a dead host's do. */
export async function blackhole(pod: Pod, port: number): Promise<void> {
  await pod.namespace.run(["iptables", "-A", "INPUT", "-p", "tcp", "--dport", String(port), "-j", "DROP"]);
}
