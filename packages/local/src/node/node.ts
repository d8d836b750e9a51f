import { mkdirSync, readdirSync, realpathSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { ApiError, type KubeObject, type Pod } from "@bowline/kube";
import { startExec } from "./container/exec.ts";
import { prepareMachine } from "./container/machine.ts";
import { streamLog } from "./log/log-stream.ts";
import { keepNodeObject } from "./node-object.ts";
import type { ContainerSlot } from "./pod/container-slot.ts";
import { discardPod } from "./pod/discard-pod.ts";
import type { NodeContext } from "./pod/node-context.ts";
import { PodWorker } from "./pod/pod-worker.ts";
import { podsDirectory } from "./remove-pods.ts";
import { Scheduler } from "./scheduler.ts";
import type { AttachedContainer, ExecOptions, ExecProcess, LogOptions, NodeOptions } from "./types.ts";

/** What all containers share; no pod can have such a uid. */
const MACHINE_DIRECTORY = ".machine";
const TOKENS_CHECKED_MS = 10_000;

/** The kubelet and container runtime of the embedded cluster: pods as processes of this machine. */
export class Node {
  readonly #context: NodeContext;
  readonly #workers = new Map<string, PodWorker>();
  readonly #stops: (() => void)[] = [];

  private constructor(context: NodeContext) {
    this.#context = context;
  }

  /**
   * Takes over what runs of the cluster's pods, ends what belongs to no pod any more, and goes on from there.
   * @throws when this machine can't run containers, saying why
   */
  static async start(options: NodeOptions): Promise<Node> {
    const warn = options.warn ?? (() => undefined);
    mkdirSync(podsDirectory(options.stateDir), { recursive: true, mode: 0o700 });
    const stateDir = realpathSync(options.stateDir);
    const podsDir = podsDirectory(stateDir);
    const machine = prepareMachine(join(podsDir, MACHINE_DIRECTORY), realpathSync(options.secretDir ?? stateDir));
    const capacity = { cpus: cpus().length, memoryBytes: totalmem() };
    const node = new Node({ options, machine, podsDir, capacity, warn });
    node.#stops.push(await keepNodeObject(options, warn));
    await node.#adopt();
    node.#watch();
    return node;
  }

  /** Ends nothing: pods run on, and the next node adopts them. */
  stop(): Promise<void> {
    for (const stop of this.#stops) stop();
    for (const worker of this.#workers.values()) worker.release();
    this.#workers.clear();
    return Promise.resolve();
  }

  /** The container's output, as the pod's `log` subresource gives it. Rejects with an ApiError (400, 404) in Kubernetes' words. */
  log(namespace: string, pod: string, container: string, options: LogOptions): Promise<ReadableStream<Uint8Array>> {
    return Promise.try(() => {
      const slot = this.#slot(namespace, pod, container);
      const { name } = slot.spec;
      const attempt = options.previous === true ? slot.attempt - 1 : slot.attempt;
      if (attempt < 0 && options.previous === true) {
        throw ApiError.badRequest(
          `previous terminated container ${JSON.stringify(name)} in pod ${JSON.stringify(pod)} not found`,
        );
      }
      if (attempt < 0) {
        const reason = slot.waiting?.reason ?? "ContainerCreating";
        throw ApiError.badRequest(
          `container ${JSON.stringify(name)} in pod ${JSON.stringify(pod)} is waiting to start: ${reason}`,
        );
      }
      const { run, recorder } = slot;
      const live = attempt === slot.attempt && run !== undefined && recorder !== undefined;
      const source = live ? { onGrowth: recorder.onGrowth.bind(recorder), ended: run.ended } : undefined;
      return streamLog(slot.directory(attempt), options, source);
    });
  }

  /** Starts a command within a running container. @throws ApiError when there is none */
  exec(
    namespace: string,
    pod: string,
    container: string,
    command: readonly string[],
    options: ExecOptions,
  ): ExecProcess {
    const slot = this.#slot(namespace, pod, container);
    const words = slot.execWords(command);
    if (words === undefined) throw ApiError.badRequest(`container not found (${JSON.stringify(slot.spec.name)})`);
    return startExec(words, options);
  }

  /**
   * Joins a container. One that reads is told from its beginning, since it may have written before anybody could attach; others from
   * now on. With `stdinOnce`, its input ends with the first who attached. Rejects with an ApiError.
   */
  async attach(namespace: string, pod: string, container: string): Promise<AttachedContainer> {
    const { spec, run } = this.#slot(namespace, pod, container);
    const stdout = await this.log(namespace, pod, spec.name, {
      follow: true,
      ...(spec.stdin === true ? {} : { tailLines: 0 }),
    });
    const input = run?.input;
    const end = () => {
      if (spec.stdinOnce === true) void input?.end();
    };
    const stdin = input === undefined ? null : { write: (bytes: Uint8Array) => input.write(bytes), end };
    return { stdin, stdout, detach: end };
  }

  /** Path of the pod's network namespace; undefined before it has one and after it has ended. */
  netnsOf(namespace: string, pod: string): string | undefined {
    return this.#worker(namespace, pod)?.netns;
  }

  async #adopt(): Promise<void> {
    const { options, podsDir, warn } = this.#context;
    const pods = options.api.list<Pod>("pods").filter(({ spec }) => spec?.nodeName === options.nodeName);
    const uids = new Set(pods.map(({ metadata }) => metadata.uid ?? ""));
    const strange = readdirSync(podsDir).filter((name) => name !== MACHINE_DIRECTORY && !uids.has(name));
    await Promise.all(strange.map((name) => discardPod(join(podsDir, name))));
    const adopting = pods.map(async (pod) => {
      const worker = this.#addWorker(pod);
      await worker.adopt().catch((error: unknown) => {
        warn(`adopting pod ${pod.metadata.namespace}/${pod.metadata.name}: ${String(error)}`);
      });
      worker.wake();
    });
    await Promise.all(adopting);
    const ended = (pod: Pod) => pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
    const live = pods.filter((pod) => !ended(pod)).map(({ metadata }) => metadata.uid ?? "");
    await options.network.sweep(new Set(live));
  }

  #watch(): void {
    const { options, warn } = this.#context;
    const scheduler = new Scheduler(options.api, options.nodeName, warn);
    const pods = options.api.watch<Pod>("pods", ({ type, object }) => {
      if (type === "DELETED") this.#workers.get(object.metadata.uid ?? "")?.remove();
      else if (object.spec?.nodeName === options.nodeName) this.#updateWorker(object);
      else scheduler.schedule(object);
    });
    const onConfig = ({ object }: { object: KubeObject }) => this.#configChanged(object);
    const configs = ["configmaps", "secrets"].map((type) => options.api.watch(type, onConfig));
    const tokens = setInterval(() => this.#refreshTokens(), TOKENS_CHECKED_MS);
    this.#stops.push(pods, ...configs, () => clearInterval(tokens));
  }

  #addWorker(pod: Pod): PodWorker {
    const worker = new PodWorker(this.#context, pod, ({ uid }) => this.#workers.delete(uid));
    this.#workers.set(worker.uid, worker);
    return worker;
  }

  #updateWorker(pod: Pod): void {
    const known = this.#workers.get(pod.metadata.uid ?? "");
    const worker = known ?? this.#addWorker(pod);
    worker.update(pod);
    if (known === undefined) worker.wake();
  }

  /** Only pods that mention the object by name; those that wait for it are woken with the rest. */
  #configChanged({ metadata }: KubeObject): void {
    for (const worker of this.#workers.values()) {
      if (worker.pod.metadata.namespace !== metadata.namespace) continue;
      if (JSON.stringify(worker.pod.spec).includes(JSON.stringify(metadata.name))) worker.refreshVolumes();
    }
  }

  #refreshTokens(): void {
    const now = Date.now();
    for (const worker of this.#workers.values()) {
      if (worker.tokensExpireAtMs !== undefined && worker.tokensExpireAtMs <= now) worker.refreshVolumes();
    }
  }

  #worker(namespace: string, pod: string): PodWorker | undefined {
    const uid = this.#context.options.api.get<Pod>("pods", namespace, pod)?.metadata.uid;
    return uid === undefined ? undefined : this.#workers.get(uid);
  }

  /** @param container may be "" when there is no doubt */
  #slot(namespace: string, pod: string, container: string): ContainerSlot {
    const worker = this.#worker(namespace, pod);
    if (worker === undefined) throw ApiError.notFound("pods", pod);
    const mains = worker.slots.filter(({ role }) => role === "main").map(({ spec }) => spec.name);
    const preferred = worker.pod.metadata.annotations?.["kubectl.kubernetes.io/default-container"];
    const wanted = container || preferred || (mains.length === 1 ? mains[0] : undefined);
    if (wanted === undefined) {
      throw ApiError.badRequest(
        `a container name must be specified for pod ${pod}, choose one of: [${mains.join(" ")}]`,
      );
    }
    const slot = worker.slots.find(({ spec }) => spec.name === wanted);
    if (slot === undefined) throw ApiError.badRequest(`container ${wanted} is not valid for pod ${pod}`);
    return slot;
  }
}
