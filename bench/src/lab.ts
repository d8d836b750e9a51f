import { chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PROXY_UID } from "@bowline/contracts";
import { mustRun, NetNamespace, type RunningProcess, waitFor } from "@bowline/testkit";
import { BACKEND_ADDRESS, FAR_ADDRESS, SERVICE_NETWORK, SERVICE_PORT } from "./addresses.ts";
import { startControlPlane } from "./control-plane.ts";
import { allowedCores } from "./machine.ts";

/** Who connects where: the load asks for `backendPort`, the kernel redirects it to `proxyPort`, the proxy dials `backendPort`. */
export interface Route {
  readonly proxyPort: number;
  readonly backendAddress: string;
  readonly backendPort: number;
}

/** The same for two proxies: `near` dials `far.backendAddress`, and the kernel redirects that to `far.proxyPort`. */
interface ChainRoute {
  readonly near: Route;
  readonly far: Route;
}

/** The place where everything runs: one network namespace, two cores, one temporary directory. */
export interface Lab extends AsyncDisposable {
  readonly routes: readonly Route[];
  readonly chainRoutes: readonly ChainRoute[];
  /** `ip:port` of a control plane that knows how the namespace is laid out. */
  readonly controlPlane: string;
  readonly floor: string;
  readonly bulk: string;
  readonly h2Backend: string;
  /** A directory of this process's own, writable for it. */
  directory(name: string): string;
  /**
   * Starts a proxy on the proxy core as the user whose connections are not redirected, or as that of the far ones;
   * returns once it listens.
   */
  startProxy(name: string, command: ProxyCommand, end?: "near" | "far"): Promise<RunningProcess>;
  /** Starts a server on the load core; returns once it listens. */
  startBackend(argv: readonly string[], ports: readonly number[]): Promise<RunningProcess>;
  /** Starts a load generator on the load core; its connections are redirected. */
  startLoad(argv: readonly string[]): RunningProcess;
  /** Runs a load generator to its end and returns what it printed. */
  runLoad(argv: readonly string[], timeoutMs: number): Promise<string>;
}

export interface ProxyCommand {
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly port: number;
}

const BACKEND_UID: number = PROXY_UID + 1;
const FAR_PROXY_UID: number = PROXY_UID + 2;

const FIRST_BACKEND_PORT = 9001;
const FIRST_PROXY_PORT = 4101;
const FIRST_FAR_PORT = 4201;
const CONTROL_PLANE = { host: "127.0.0.1", port: 8086 } as const;
const BENCH = join(import.meta.dir, "..");
const START_LIMIT_MS = 15_000;

/**
 * Per connection the two sides of a proxy take four descriptors; 2,000 connections must fit. Hard limits differ from
 * shell to shell, and haproxy sizes tables by them, so everybody gets the same one.
 */
const WITH_DESCRIPTORS = ["sh", "-c", 'ulimit -n 16384; exec "$@"', "sh"];

/** @throws Error when the machine lacks cores, tools or rights; what was set up until then is removed again */
export async function setUpLab(routeCount: number): Promise<Lab> {
  const [proxyCore, loadCore] = allowedCores();
  if (proxyCore === undefined || loadCore === undefined) throw new Error("the bench needs two cores of its own");
  const root = mkdtempSync(join(tmpdir(), "bowline-bench-"));
  process.once("exit", () => rmSync(root, { recursive: true, force: true }));
  const compiled = ["floor", "bulk", "h2-backend"].map((name) => compile(name, root));
  const [floor = "", bulk = "", h2Backend = ""] = await Promise.all(compiled);
  // Other users read the programs and files in it.
  await mustRun(["chmod", "755", root]);
  const routes = Array.from({ length: routeCount }, (_, index) => ({
    proxyPort: FIRST_PROXY_PORT + index,
    backendAddress: BACKEND_ADDRESS,
    backendPort: FIRST_BACKEND_PORT + index,
  }));
  const chainRoutes = routes.map((route, index) => {
    const near = { ...route, backendAddress: FAR_ADDRESS };
    return { near, far: { ...near, proxyPort: FIRST_FAR_PORT + index } };
  });
  const namespace = await NetNamespace.create("bench");
  await prepareNetwork(namespace, chainRoutes);
  const control = await startControlPlane(routes.map(({ backendPort }) => backendPort));
  const { address: controlPlane } = control.open(namespace, CONTROL_PLANE.host, CONTROL_PLANE.port);
  const pinned = (core: number, argv: readonly string[]) => [
    "taskset",
    "-c",
    String(core),
    ...WITH_DESCRIPTORS,
    ...argv,
  ];

  return {
    routes,
    chainRoutes,
    controlPlane,
    floor,
    bulk,
    h2Backend,
    directory: (name) => {
      const path = join(root, name);
      mkdirSync(path, { recursive: true });
      const uid = name.startsWith("backend") ? BACKEND_UID : PROXY_UID;
      chownSync(path, uid, uid);
      return path;
    },
    startProxy: (name, { argv, env, port }, end = "near") => {
      const options = { as: { uid: end === "near" ? PROXY_UID : FAR_PROXY_UID }, env: { HOME: root, ...env } };
      return listening(namespace.spawn(pinned(proxyCore, argv), options), [port], name);
    },
    startBackend: (argv, ports) => {
      return listening(namespace.spawn(pinned(loadCore, argv), { as: { uid: BACKEND_UID } }), ports, "the backend");
    },
    startLoad: (argv) => namespace.spawn(pinned(loadCore, argv)),
    runLoad: (argv, timeoutMs) => namespace.run(pinned(loadCore, argv), { timeoutMs }),
    [Symbol.asyncDispose]: async () => {
      await control[Symbol.asyncDispose]();
      await namespace[Symbol.asyncDispose]();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

async function compile(name: string, directory: string): Promise<string> {
  const program = join(directory, name);
  await mustRun(["cc", "-O2", "-Wall", "-o", program, join(BENCH, `${name}.c`)]);
  return program;
}

/**
 * Bowline learns a connection's destination from the redirect, as in a pod. So that the cost of connection tracking and
 * NAT is the same for everybody, all the other proxies get their load through a redirect in the same table, too.
 */
async function prepareNetwork(namespace: NetNamespace, routes: readonly ChainRoute[]): Promise<void> {
  const rules = routes.flatMap(({ near, far }) => [
    `-A OUTPUT -d ${BACKEND_ADDRESS} -p tcp -m owner ! --uid-owner ${PROXY_UID} -m tcp --dport ${near.backendPort} -j REDIRECT --to-ports ${near.proxyPort}`,
    `-A OUTPUT -d ${FAR_ADDRESS} -p tcp -m owner --uid-owner ${PROXY_UID} -m tcp --dport ${far.backendPort} -j REDIRECT --to-ports ${far.proxyPort}`,
  ]);
  rules.push(
    `-A OUTPUT -d ${SERVICE_NETWORK} -p tcp -m owner ! --uid-owner ${PROXY_UID} -m tcp --dport ${SERVICE_PORT} -j REDIRECT --to-ports ${FIRST_PROXY_PORT}`,
  );
  for (const address of [BACKEND_ADDRESS, FAR_ADDRESS])
    await namespace.run(["ip", "address", "add", `${address}/32`, "dev", "lo"]);
  // Services have no address of anybody's, but a route by which packets leave, to be redirected on the way.
  await namespace.run(["ip", "route", "add", SERVICE_NETWORK, "dev", "lo", "src", BACKEND_ADDRESS]);
  await namespace.run(["iptables-restore", "--noflush"], { input: ["*nat", ...rules, "COMMIT", ""].join("\n") });
  // A connection per request uses up ports and tracking entries by the ten thousand; neither may become the limit.
  for (const setting of [
    "net.ipv4.ip_local_port_range=10000 65000",
    "net.netfilter.nf_conntrack_tcp_timeout_time_wait=2",
  ])
    await namespace.run(["sysctl", "-q", "-w", setting]);
}

async function listening(running: RunningProcess, ports: readonly number[], name: string): Promise<RunningProcess> {
  try {
    await waitFor(() => running.result() !== null || ports.every((port) => listens(running.pid, port)), {
      what: `${name} to listen on ${ports.join(", ")}`,
      timeoutMs: START_LIMIT_MS,
    });
    if (running.result() !== null) throw new Error(`${name} ended at once`);
    return running;
  } catch (error) {
    await running.stop();
    const output = `${running.stdout()}${running.stderr()}`.trim().split("\n").slice(-10).join("\n");
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n${output}`);
  }
}

/** Whether someone listens on the port in the process's network namespace; asking so opens no connection. */
function listens(pid: number, port: number): boolean {
  const local = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return ["tcp", "tcp6"].some((table) => {
    const path = `/proc/${pid}/net/${table}`;
    if (!existsSync(path)) return false;
    // Fields: number, local address, remote address, state; 0A is LISTEN.
    return readFileSync(path, "utf8")
      .split("\n")
      .map((line) => line.trim().split(/\s+/))
      .some((fields) => fields[1]?.endsWith(local) === true && fields[3] === "0A");
  });
}

/** Writes a configuration file and returns its path. */
export function writeConfig(directory: string, name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}
