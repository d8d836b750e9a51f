import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Container, ContainerStatus, Event, Pod, PodSpec } from "@bowline/kube";
import { waitFor } from "@bowline/testkit";
import { ApiServer } from "../../api/api-server.ts";
import type { ClusterApi } from "../../api/cluster-api.ts";
import type { RunningNetwork } from "../../network/index.ts";
import { TestNetwork } from "../../network/testing/test-network.ts";
import { Node } from "../node.ts";
import { podsDirectory, removePods } from "../remove-pods.ts";
import type { ImageDefinition, LogOptions } from "../types.ts";

const NODE_NAME = "bowline";
const WAIT_MS = 10_000;

/** Its only container, or all but its containers. */
export type PodWords = Partial<PodSpec> & {
  readonly labels?: Record<string, string>;
  readonly annotations?: Record<string, string>;
};

export interface TestNodeOptions {
  readonly images?: Readonly<Record<string, ImageDefinition>>;
}

/** A node with a network and a directory of its own, with an API server and nothing else of a cluster. Disposing of it fails when anything is left behind. */
export class TestNode implements AsyncDisposable {
  readonly api: ClusterApi;
  readonly stateDir: string;
  readonly warnings: string[] = [];
  /** Tokens asked for so far, the last with what it was asked for. */
  readonly tokens: string[] = [];
  readonly #server: ApiServer;
  readonly #network = new TestNetwork();
  readonly #images: Readonly<Record<string, ImageDefinition>>;
  #running: RunningNetwork | undefined;
  #node: Node | undefined;

  private constructor(stateDir: string, server: ApiServer, images: Readonly<Record<string, ImageDefinition>>) {
    this.stateDir = stateDir;
    this.#server = server;
    this.api = server.api;
    this.#images = images;
  }

  static async start({ images = {} }: TestNodeOptions = {}): Promise<TestNode> {
    const stateDir = mkdtempSync(join(tmpdir(), "bowline-node-"));
    const unused = () => {
      throw new Error("nobody asks for this here");
    };
    const streams = { log: unused, upgrade: unused };
    const server = await ApiServer.open({ stateDir, host: "127.0.0.1", port: 0, network: unused, streams });
    const metadata = { name: "default", namespace: "default" };
    await server.api.create("serviceaccounts", { apiVersion: "v1", kind: "ServiceAccount", metadata });
    const test = new TestNode(stateDir, server, images);
    await test.startNode();
    return test;
  }

  get node(): Node {
    if (this.#node === undefined) throw new Error("the node has been stopped");
    return this.#node;
  }

  get podsDir(): string {
    return podsDirectory(this.stateDir);
  }

  /** As the first time, and again after `stopNode`. */
  async startNode(): Promise<void> {
    this.#running = await this.#network.start();
    this.#node = await Node.start({
      api: this.api,
      network: this.#running,
      images: { resolve: (image) => this.#images[image] },
      stateDir: this.stateDir,
      nodeName: NODE_NAME,
      serviceAccountToken: (namespace, name, { audiences, expirationSeconds, pod }) => {
        this.tokens.push(`${namespace}/${name} ${audiences.join()} ${expirationSeconds} ${pod.name}`);
        return Promise.resolve(`token ${this.tokens.length}`);
      },
      caPem: "CA",
      warn: (line) => this.warnings.push(line),
    });
  }

  /** Pods run on. */
  async stopNode(): Promise<void> {
    await this.#node?.stop();
    await this.#running?.close();
    [this.#node, this.#running] = [undefined, undefined];
  }

  /** Makes a pod of containers that say what they do in shell, unless they say more. */
  async run(
    name: string,
    containers: Record<string, string | Partial<Container>>,
    words: PodWords = {},
  ): Promise<void> {
    const { labels = {}, annotations = {}, initContainers = [], ...spec } = words;
    await this.api.create("pods", {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, namespace: "default", labels, annotations },
      spec: {
        terminationGracePeriodSeconds: 2,
        automountServiceAccountToken: false,
        ...spec,
        initContainers,
        containers: Object.entries(containers).map(([container, what]) => shell(container, what)),
      },
    });
  }

  pod(name: string): Pod {
    const pod = this.api.get<Pod>("pods", "default", name);
    if (pod === undefined) throw new Error(`no pod ${name}`);
    return pod;
  }

  status(pod: string, container: string): ContainerStatus {
    const { initContainerStatuses = [], containerStatuses = [] } = this.pod(pod).status ?? {};
    const status = [...initContainerStatuses, ...containerStatuses].find(({ name }) => name === container);
    if (status === undefined) throw new Error(`no status of ${container}`);
    return status;
  }

  condition(pod: string, type: string): string | undefined {
    return this.pod(pod).status?.conditions?.find((condition) => condition.type === type)?.status;
  }

  async untilReady(pod: string): Promise<void> {
    await this.until(`${pod} is ready`, () => this.condition(pod, "Ready") === "True");
  }

  async untilPhase(pod: string, phase: string): Promise<void> {
    await this.until(`${pod} is ${phase}`, () => this.pod(pod).status?.phase === phase);
  }

  async until(what: string, condition: () => unknown): Promise<void> {
    try {
      await waitFor(() => Boolean(condition()), { what, timeoutMs: WAIT_MS });
    } catch (error) {
      throw new Error(`${String(error)}\n${this.#describe()}`, { cause: error });
    }
  }

  async log(pod: string, container = "", options: LogOptions = {}): Promise<string> {
    return await new Response(await this.node.log("default", pod, container, options)).text();
  }

  /** What a shell command within a container wrote and came to. */
  async exec(
    pod: string,
    container: string,
    command: string,
  ): Promise<{ stdout: string; stderr: string; code: number }> {
    const process = this.node.exec("default", pod, container, ["sh", "-c", command], { tty: false, stdin: false });
    const [stdout, stderr, code] = await Promise.all([
      new Response(process.stdout).text(),
      new Response(process.stderr).text(),
      process.exited,
    ]);
    return { stdout, stderr, code };
  }

  /** Without a grace period the object goes first. */
  async deleted(pod: string, gracePeriodSeconds = 0): Promise<void> {
    await this.api.delete("pods", "default", pod, { gracePeriodSeconds });
    await this.until(`${pod} is gone`, () => this.api.get("pods", "default", pod) === undefined);
  }

  events(reason: string): string[] {
    const events = this.api.list<Event>("events").filter((event) => event.reason === reason);
    return events.map(({ message }) => message ?? "");
  }

  /** Supervisors and loggers that run: the containers themselves end with their supervisor. */
  processes(): string[] {
    return processesWith(this.podsDir);
  }

  mounts(): string[] {
    return readFileSync("/proc/self/mountinfo", "utf8")
      .split("\n")
      .filter((line) => line.includes(this.stateDir));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopNode();
    await removePods(this.stateDir);
    await this.#network[Symbol.asyncDispose]();
    await this.#server.close();
    const left = [...this.processes(), ...this.mounts()];
    rmSync(this.stateDir, { recursive: true, force: true });
    if (left.length > 0) throw new Error(`left behind: ${left.join("\n")}`);
  }

  #describe(): string {
    const pods = this.api
      .list<Pod>("pods")
      .map(({ metadata, status }) => `${metadata.name}: ${JSON.stringify(status)}`);
    const events = this.api.list<Event>("events").map(({ reason, message }) => `${reason}: ${message}`);
    return [...pods, ...events.slice(-20), ...this.warnings].join("\n");
  }
}

/** A container of an image that nobody has heard of. */
export function shell(name: string, what: string | Partial<Container>): Container {
  const given = typeof what === "string" ? { command: ["sh", "-c", what] } : what;
  return { name, image: "example/none", ...given };
}

/** Ends when told to, and at once. */
export const UNTIL_TERM = "trap 'exit 0' TERM; sleep 1000 & wait";

/** Supervisors by their script, loggers by the directory they are in. */
function processesWith(directory: string): string[] {
  const numbers = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && name !== String(process.pid));
  return numbers.flatMap((pid) => {
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
      return line.includes(directory) || readlinkSync(`/proc/${pid}/cwd`).startsWith(directory)
        ? [`${pid} ${line}`]
        : [];
    } catch {
      // It ended meanwhile.
      return [];
    }
  });
}
