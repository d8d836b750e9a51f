import { realpathSync } from "node:fs";
import { linkNamespaces, NetNamespace, type Pod, type RunningProcess, twoPods, waitFor } from "@bowline/testkit";

/** The container of the article: init's flags and the proxy's environment. */
export const PROXY_INIT_FLAGS: readonly string[] =
  "--incoming-proxy-port 4143 --outgoing-proxy-port 4140 --proxy-uid 2102 --inbound-ports-to-ignore 4190,4191".split(
    " ",
  );
export const PROXY_ENVIRONMENT: Readonly<Record<string, string>> = {
  LINKERD2_PROXY_LOG: "warn,linkerd2_proxy=info",
  LINKERD2_PROXY_BIND_TIMEOUT: "10s",
  LINKERD2_PROXY_CONTROL_URL: "tcp://proxy-api.linkerd.svc.cluster.local:8086",
  LINKERD2_PROXY_CONTROL_LISTENER: "tcp://0.0.0.0:4190",
  LINKERD2_PROXY_METRICS_LISTENER: "tcp://0.0.0.0:4191",
  LINKERD2_PROXY_OUTBOUND_LISTENER: "tcp://127.0.0.1:4140",
  LINKERD2_PROXY_INBOUND_LISTENER: "tcp://0.0.0.0:4143",
  LINKERD2_PROXY_POD_NAMESPACE: "demo",
};
export const WEB_PORT = 80;

const PROXY_UID = 2102;
const APP_UID = 1000;
const ADMIN_PORT = 4191;
const ROOT = realpathSync(`${import.meta.dir}/../../..`);
/** Where processes find the repository, whatever its real place: an ordinary user may not enter root's home. */
const MOUNT = "/mnt";
const BUN = `${MOUNT}/node_modules/.bin/bun`;
/** Starting takes a fraction of a second; a busy machine may need more. */
const START_LIMIT_MS = 20_000;
const PROXY_GRACE_MS = 5_000;

/** A pod of the demo: a network namespace that a monitor can reach. */
export class DemoPod {
  readonly name: string;
  readonly address: string;
  readonly #namespace: NetNamespace;
  readonly #monitor: NetNamespace;
  readonly #admin: string;
  #proxy: RunningProcess | null = null;

  /** @param adminAddress the pod's address on the monitor's link */
  constructor(name: string, { namespace, v4 }: Pod, monitor: NetNamespace, adminAddress: string) {
    this.name = name;
    this.address = v4;
    this.#namespace = namespace;
    this.#monitor = monitor;
    this.#admin = `http://${adminAddress}:${ADMIN_PORT}`;
  }

  /** What the pod's init container does, as root; it ends before anything else starts. */
  async runProxyInit(): Promise<void> {
    // Container runtimes do this one for every container, so that an app can have port 80 without being root.
    await this.#namespace.run(["sysctl", "-q", "-w", "net.ipv4.ip_unprivileged_port_start=0"]);
    const argv = [process.execPath, `${ROOT}/packages/cli/src/main.ts`, "proxy-init", ...PROXY_INIT_FLAGS];
    await this.#namespace.run(inSession(argv));
  }

  async startProxy(): Promise<void> {
    const proxy = this.#spawn(PROXY_UID, PROXY_ENVIRONMENT, ["packages/cli/src/main.ts", "proxy"]);
    this.#proxy = proxy;
    await waitFor(async () => proxy.result() !== null || (await this.#get("/ready")) === "ready\n", {
      what: `the ${this.name} pod's proxy to be ready`,
      timeoutMs: START_LIMIT_MS,
      intervalMs: 50,
    }).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${this.proxyLog()}`);
    });
    if (proxy.result() !== null) throw new Error(`the ${this.name} pod's proxy ended at once\n${this.proxyLog()}`);
  }

  /** Starts one of the sample application's programs, which know nothing of proxies. */
  startApp(program: string, ...args: string[]): RunningProcess {
    return this.#spawn(APP_UID, {}, [`packages/demo/src/app/${program}.ts`, ...args]);
  }

  /** The proxy's page of metrics, asked for from outside the pod. */
  async metricsPage(): Promise<string> {
    if (this.#proxy !== null && this.#proxy.result() !== null) {
      throw new Error(`the ${this.name} pod's proxy has ended\n${this.proxyLog()}`);
    }
    return await this.#get("/metrics");
  }

  /** `iptables -t nat -L -v` as in a container of a slim image: without names for ports. */
  natTable(): Promise<string> {
    const script = "[ ! -e /etc/services ] || mount --bind /dev/null /etc/services; exec iptables -t nat -L -v";
    return this.#namespace.run(inSession(["sh", "-c", script]));
  }

  /** Asks the proxy to end and tells how it did: its exit status, or the signal that it took. */
  async stopProxy(): Promise<string> {
    const result = await this.#proxy?.stop(PROXY_GRACE_MS);
    return String(result?.code ?? result?.signal ?? "never started");
  }

  /** The last lines. */
  proxyLog(): string {
    const log = `${this.#proxy?.stdout() ?? ""}${this.#proxy?.stderr() ?? ""}`;
    return log.trim().split("\n").slice(-10).join("\n");
  }

  #get(path: string): Promise<string> {
    return this.#monitor.run(inSession(["curl", "-sS", "--fail", "--max-time", "3", `${this.#admin}${path}`]));
  }

  /** The environment is exactly the given one: nothing of the caller's shell may configure the proxy. */
  #spawn(uid: number, env: Readonly<Record<string, string>>, args: readonly string[]): RunningProcess {
    const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    const asUser = ["setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups", "--"];
    const { PATH = "" } = process.env;
    const program = ["env", "-i", `PATH=${PATH}`, ...variables, BUN, ...args];
    // `ip netns exec` has made a mount namespace of its own, so nobody else sees this mount, and it ends with the process.
    const script = `mount --bind "$0" ${MOUNT} && cd ${MOUNT} && exec "$@"`;
    return this.#namespace.spawn(inSession(["sh", "-c", script, ROOT, ...asUser, ...program]));
  }
}

export interface DemoPods extends AsyncDisposable {
  readonly caller: DemoPod;
  readonly web: DemoPod;
}

/**
 * Two pods on one wire, and a monitor with a wire to each, in the place that Prometheus has in a cluster:
 *
 *     caller 10.77.0.1 ──────────────────── 10.77.0.2 web
 *           10.78.1.2 ──── monitor ──── 10.78.2.2
 */
export async function makeDemoPods(): Promise<DemoPods> {
  await using made = new AsyncDisposableStack();
  const pods = made.use(await twoPods());
  const monitor = made.use(await NetNamespace.create("monitor"));
  const wire = (pod: Pod, number: number): Promise<void> =>
    linkNamespaces(
      { namespace: monitor, device: `eth${number}`, addresses: [`10.78.${number}.1/24`] },
      { namespace: pod.namespace, device: "eth1", addresses: [`10.78.${number}.2/24`] },
    );
  await wire(pods.client, 1);
  await wire(pods.server, 2);
  const kept = made.move();
  return {
    caller: new DemoPod("caller", pods.client, monitor, "10.78.1.2"),
    web: new DemoPod("web", pods.server, monitor, "10.78.2.2"),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** Ctrl-C goes to every process of the terminal's foreground group; these are to end only when the demo ends them. */
function inSession(argv: readonly string[]): string[] {
  return ["setsid", ...argv];
}
