import { chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PROXY_UID } from "@bowline/contracts";
import { mustRun, NetNamespace, type RunningProcess, waitFor } from "@bowline/testkit";
import { BACKEND_ADDRESS } from "./backend-address.ts";
import { allowedCores } from "./machine.ts";

/** Who connects where: the load asks for `backendPort`, the kernel redirects it to `proxyPort`, the proxy dials `backendPort`. */
export interface Route {
  readonly proxyPort: number;
  readonly backendPort: number;
}

/** The place where everything runs: one network namespace, two cores, one temporary directory. */
export interface Lab extends AsyncDisposable {
  readonly routes: readonly Route[];
  readonly floor: string;
  readonly bulk: string;
  readonly h2Backend: string;
  /** A directory of this process's own, writable for it. */
  directory(name: string): string;
  /** Starts a proxy on the proxy core as the user whose connections are not redirected; returns once it listens. */
  startProxy(name: string, command: ProxyCommand): Promise<RunningProcess>;
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

const FIRST_BACKEND_PORT = 9001;
const FIRST_PROXY_PORT = 4101;
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
    backendPort: FIRST_BACKEND_PORT + index,
  }));
  const namespace = await NetNamespace.create("bench");
  await prepareNetwork(namespace, routes);
  const pinned = (core: number, argv: readonly string[]) => [
    "taskset",
    "-c",
    String(core),
    ...WITH_DESCRIPTORS,
    ...argv,
  ];

  return {
    routes,
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
    startProxy: (name, { argv, env, port }) => {
      const options = { as: { uid: PROXY_UID }, env: { HOME: root, ...env } };
      return listening(namespace.spawn(pinned(proxyCore, argv), options), [port], name);
    },
    startBackend: (argv, ports) => {
      return listening(namespace.spawn(pinned(loadCore, argv), { as: { uid: BACKEND_UID } }), ports, "the backend");
    },
    startLoad: (argv) => namespace.spawn(pinned(loadCore, argv)),
    runLoad: (argv, timeoutMs) => namespace.run(pinned(loadCore, argv), { timeoutMs }),
    [Symbol.asyncDispose]: async () => {
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
async function prepareNetwork(namespace: NetNamespace, routes: readonly Route[]): Promise<void> {
  const rules = routes.map(
    ({ backendPort, proxyPort }) =>
      `-A OUTPUT -d ${BACKEND_ADDRESS} -p tcp -m owner ! --uid-owner ${PROXY_UID} -m tcp --dport ${backendPort} -j REDIRECT --to-ports ${proxyPort}`,
  );
  await namespace.run(["ip", "address", "add", `${BACKEND_ADDRESS}/32`, "dev", "lo"]);
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
