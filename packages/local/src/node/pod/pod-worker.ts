import type { Pod } from "@bowline/kube";
import { ContainerConfigError } from "../environment/config-error.ts";
import type { PodPlace } from "../environment/pod-field.ts";
import { MountFailure } from "../volume/payload.ts";
import { PodVolumes } from "../volume/pod-volumes.ts";
import { Alarm } from "./alarm.ts";
import { buildLaunch } from "./build-launch.ts";
import { ContainerSlot } from "./container-slot.ts";
import { Deadline } from "./deadline.ts";
import { discardPod } from "./discard-pod.ts";
import { runHook } from "./hooks.ts";
import { type NodeContext, PodCluster, PodPaths } from "./node-context.ts";
import { type ContainerRole, type PodPlan, planPod, type RestartPolicy } from "./plan.ts";
import { type PodView, podStatus } from "./pod-status.ts";
import { Sandbox } from "./sandbox.ts";
import { shutDown, stopContainer } from "./shutdown.ts";
import { nameInMessages, probeTarget, SlotProbes } from "./slot-probes.ts";
import { StatusWriter } from "./status-writer.ts";

/** How long to wait before something that failed for want of something else is tried again. */
const RETRY_MS = 1_000;
const RETRY_IMAGE_MS = 10_000;
const DEFAULT_GRACE_SECONDS = 30;

/**
 * Makes one pod come true: a loop that compares what should run with what does, does the next things, and writes the status. It
 * is woken by whatever may have changed the answer. One step at a time; only the end of the pod interrupts one.
 */
export class PodWorker {
  readonly uid: string;
  readonly slots: readonly ContainerSlot[];
  readonly #cluster: PodCluster;
  readonly #paths: PodPaths;
  readonly #onGone: (worker: PodWorker) => void;
  readonly #sandbox: Sandbox;
  readonly #volumes: PodVolumes;
  readonly #probes = new Map<ContainerSlot, SlotProbes>();
  readonly #startTime: Date;
  #pod: Pod;
  #outcome: "Succeeded" | "Failed" | undefined;
  #why: { reason: string; message: string } | undefined;
  /** Set once the pod has to end, whether it is deleted, has failed or is done. */
  #ending: Deadline | undefined;
  readonly #endingBegun = Promise.withResolvers<void>();
  /** The object is gone: there is nobody to tell anything. */
  #removed = false;
  #released = false;
  #dirty = false;
  #working = false;
  readonly #alarm = new Alarm(() => this.wake());
  readonly #status: StatusWriter;
  #deadlineTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(context: NodeContext, pod: Pod, onGone: (worker: PodWorker) => void) {
    const { uid = "", namespace = "" } = pod.metadata;
    this.uid = uid;
    this.#pod = pod;
    this.#onGone = onGone;
    this.#cluster = new PodCluster(context, namespace);
    this.#paths = new PodPaths(context.podsDir, uid);
    this.#startTime = new Date(pod.status?.startTime ?? Date.now());
    this.slots = rolesOf(pod).map(
      ([container, role]) => new ContainerSlot(uid, container, role, this.#paths, (slot) => this.#onExit(slot)),
    );
    this.#sandbox = new Sandbox(this.#cluster, this.#paths);
    this.#status = new StatusWriter(
      () => this.#writeStatus(),
      (error) => {
        this.#warn(error);
        this.#alarm.in(RETRY_MS);
      },
    );
    this.#volumes = new PodVolumes(pod, this.#paths.volumes, {
      configMap: this.#cluster.configMap,
      secret: this.#cluster.secret,
      place: this.#place(),
      token: (request) => this.#cluster.token(this.#pod, request),
    });
    const { phase } = pod.status ?? {};
    if (phase === "Succeeded" || phase === "Failed") this.#outcome = phase;
  }

  get pod(): Pod {
    return this.#pod;
  }

  get netns(): string | undefined {
    return this.#sandbox.netns;
  }

  /** Finds what an earlier daemon has left of this pod. To be called, if at all, before anything else. */
  async adopt(): Promise<void> {
    const statuses = [
      ...(this.#pod.status?.initContainerStatuses ?? []),
      ...(this.#pod.status?.containerStatuses ?? []),
    ];
    await Promise.all(this.slots.map((slot) => slot.adopt(statuses.find(({ name }) => name === slot.spec.name))));
    if (this.#outcome !== undefined) return;
    await this.#attach();
    for (const slot of this.slots) {
      if (slot.run !== undefined) this.#beginProbes(slot);
    }
  }

  /** The object has changed. */
  update(pod: Pod): void {
    const before = this.#pod;
    this.#pod = pod;
    if (pod.metadata.deletionTimestamp !== undefined) {
      const { deletionGracePeriodSeconds } = pod.metadata;
      this.#end((deletionGracePeriodSeconds ?? this.#graceSeconds()) * 1000);
      return;
    }
    const { labels, annotations } = pod.metadata;
    if (!Bun.deepEquals([before.metadata.labels, before.metadata.annotations], [labels, annotations]))
      this.refreshVolumes();
    if ((pod.spec?.readinessGates ?? []).length > 0) void this.#status.request();
  }

  /** The object is gone, without waiting for its containers. */
  remove(): void {
    this.#removed = true;
    this.#end(0);
  }

  /** A ConfigMap, a Secret or a token's age may have changed what files say, or let a container start that could not. */
  refreshVolumes(): void {
    void this.#volumes.refresh(this.#pod).catch((error: unknown) => this.#warn(error));
    this.wake();
  }

  get tokensExpireAtMs(): number | undefined {
    return this.#volumes.refreshAtMs;
  }

  wake(): void {
    this.#dirty = true;
    if (!this.#working) void this.#work();
  }

  /** Lets go of everything; the containers run on. */
  release(): void {
    this.#released = true;
    this.#alarm.clear();
    clearTimeout(this.#deadlineTimer);
    this.#ending?.cancel();
    for (const probes of this.#probes.values()) probes.stop();
    for (const slot of this.slots) slot.release();
  }

  async #work(): Promise<void> {
    this.#working = true;
    while (this.#dirty && !this.#released) {
      this.#dirty = false;
      try {
        await this.#step();
      } catch (error) {
        this.#warn(error);
        this.#alarm.in(RETRY_MS);
      }
    }
    this.#working = false;
  }

  async #step(): Promise<void> {
    if (this.#ending !== undefined) return await this.#finish(this.#ending);
    if (this.#outcome !== undefined) return;
    this.#watchDeadline();
    if (!(await this.#prepare())) return await this.#status.request();
    const plan = this.#makePlan();
    if (plan.outcome !== undefined) {
      this.#outcome = plan.outcome;
      this.#end(this.#graceSeconds() * 1000);
      return;
    }
    for (const name of plan.start) {
      const slot = this.slots.find(({ spec }) => spec.name === name);
      if (slot !== undefined && this.#ending === undefined) await this.#start(slot);
    }
    void this.#status.request();
  }

  /** What the pod needs before any container. @returns whether all of it is there */
  async #prepare(): Promise<boolean> {
    try {
      if (this.#sandbox.netns === undefined) await this.#attach();
    } catch (error) {
      this.#event("Warning", "FailedCreatePodSandBox", `Failed to create pod sandbox: ${messageOf(error)}`);
      this.#alarm.in(RETRY_MS);
      return false;
    }
    try {
      await this.#volumes.prepare();
      return true;
    } catch (error) {
      if (!(error instanceof MountFailure)) throw error;
      this.#event("Warning", "FailedMount", error.message);
      this.#alarm.in(RETRY_MS);
      return false;
    }
  }

  async #attach(): Promise<void> {
    if ((await this.#sandbox.attach(this.#pod)) === "same") return;
    for (const slot of this.slots) slot.renew();
  }

  async #start(slot: ContainerSlot): Promise<void> {
    if (this.#holdBack(slot)) return;
    const { spec } = slot;
    let launch: ReturnType<typeof buildLaunch>;
    try {
      const sources = {
        pod: this.#pod,
        place: this.#place(),
        cluster: this.#cluster,
        volumes: this.#volumes,
        layer: this.#paths.layer,
      };
      launch = buildLaunch(spec, slot.nextDirectory, sources);
    } catch (error) {
      if (!(error instanceof ContainerConfigError)) throw error;
      this.#cannotStart(slot, error);
      return;
    }
    const fault = await slot.start(this.#sandbox.netns ?? "", launch);
    if (fault !== undefined) {
      this.#event("Warning", "Failed", `Error: ${fault}`);
      this.wake();
      return;
    }
    this.#event("Normal", "Pulled", `Container image ${JSON.stringify(spec.image)} already present on machine`);
    this.#event("Normal", "Created", `Created container: ${spec.name}`);
    this.#event("Normal", "Started", `Started container ${spec.name}`);
    await this.#afterStart(slot);
  }

  /** A hook holds up the containers after this one, which people use to have a proxy ready first. */
  async #afterStart(slot: ContainerSlot): Promise<void> {
    const hook = slot.spec.lifecycle?.postStart;
    const { run } = slot;
    if (hook !== undefined && run !== undefined) {
      void this.#status.request();
      const done = runHook(hook, this.#target(slot));
      const problem = await Promise.race([done, run.ended.then(() => undefined), this.#endingBegun.promise]);
      if (problem !== undefined) {
        this.#event("Warning", "FailedPostStartHook", `PostStartHook failed: ${problem}`);
        await this.#restart(slot, "FailedPostStartHook", undefined);
      }
    }
    if (slot.run !== undefined) this.#beginProbes(slot);
  }

  /** @returns whether the container must wait before it runs again */
  #holdBack(slot: ContainerSlot): boolean {
    if (slot.imageRetryAtMs > Date.now()) {
      this.#alarm.in(slot.imageRetryAtMs - Date.now());
      return true;
    }
    if (slot.exit === undefined) return false;
    const waitMs = slot.backOff.readyAtMs(slot.exit.finishedAt.getTime()) - Date.now();
    if (waitMs <= 0) return false;
    this.#alarm.in(waitMs);
    if (slot.waiting?.reason === "CrashLoopBackOff") return true;
    const who = nameInMessages(this.#pod, slot.spec.name);
    const message = `back-off ${formatSeconds(slot.backOff.durationMs)} restarting failed container=${who.replace(" in pod ", " pod=")}`;
    slot.waiting = { reason: "CrashLoopBackOff", message };
    this.#event("Warning", "BackOff", `Back-off restarting failed container ${who}`);
    return true;
  }

  #cannotStart(slot: ContainerSlot, error: ContainerConfigError): void {
    const ofImage = error.reason === "ErrImagePull";
    const again = ofImage && slot.waiting !== undefined;
    const reason = again ? "ImagePullBackOff" : error.reason;
    slot.waiting = { reason, message: error.message };
    if (ofImage)
      this.#event("Warning", "Failed", `Failed to pull image ${JSON.stringify(slot.spec.image)}: ${error.message}`);
    this.#event("Warning", "Failed", `Error: ${ofImage ? reason : error.message}`);
    if (ofImage) slot.imageRetryAtMs = Date.now() + RETRY_IMAGE_MS;
    this.#alarm.in(ofImage ? RETRY_IMAGE_MS : RETRY_MS);
  }

  #beginProbes(slot: ContainerSlot): void {
    const probes = new SlotProbes({
      slot,
      target: this.#target(slot),
      onChange: () => {
        // A sidecar that has started may let the next container start.
        this.wake();
        void this.#status.request();
      },
      onUnhealthy: (kind, message) => this.#event("Warning", "Unhealthy", `${kind} probe failed: ${message}`),
      onDead: (kind, graceSeconds) => {
        void this.#restart(slot, `failed ${kind.toLowerCase()} probe`, graceSeconds);
      },
    });
    this.#probes.set(slot, probes);
    probes.begin();
  }

  /** Stops a container that is to run again. */
  async #restart(slot: ContainerSlot, why: string, graceSeconds: number | undefined): Promise<void> {
    if (this.#ending !== undefined) return;
    this.#event("Normal", "Killing", `Container ${slot.spec.name} ${why}, will be restarted`);
    const deadline = new Deadline((graceSeconds ?? this.#graceSeconds()) * 1000);
    await stopContainer(slot, { deadline, preStop: (stopping) => this.#preStop(stopping) }, Promise.resolve());
    deadline.cancel();
  }

  #onExit(slot: ContainerSlot): void {
    this.#probes.get(slot)?.stop();
    this.#probes.delete(slot);
    if (this.#released) return;
    void this.#status.request();
    this.wake();
  }

  /** The pod must end within `graceMs`. */
  #end(graceMs: number): void {
    if (this.#released) return;
    if (this.#ending === undefined) {
      this.#ending = new Deadline(graceMs);
      this.#endingBegun.resolve();
      for (const probes of this.#probes.values()) probes.stopRestarting();
    } else {
      this.#ending.shorten(graceMs);
    }
    this.wake();
  }

  /** Ends what runs, then, if the object is being deleted, everything there is of the pod. */
  async #finish(deadline: Deadline): Promise<void> {
    this.#alarm.clear();
    clearTimeout(this.#deadlineTimer);
    const running = this.slots.filter(({ run }) => run !== undefined);
    for (const slot of running) {
      if (!this.#removed) this.#event("Normal", "Killing", `Stopping container ${slot.spec.name}`);
    }
    await shutDown(running, { deadline, preStop: (slot) => this.#preStop(slot) });
    deadline.cancel();
    if (this.#released) return;
    this.#outcome ??= this.slots.every((slot) => slot.role !== "main" || slot.exit?.exitCode === 0)
      ? "Succeeded"
      : "Failed";
    if (!this.#removed) await this.#status.request();
    await this.#sandbox.detach(this.uid);
    this.#ending = undefined;
    if (this.#removed || this.#pod.metadata.deletionTimestamp !== undefined) await this.#disappear();
  }

  async #disappear(): Promise<void> {
    await discardPod(this.#paths.root);
    this.release();
    const { name, namespace = "" } = this.#pod.metadata;
    if (!this.#removed)
      await this.#cluster.api.delete("pods", namespace, name, { gracePeriodSeconds: 0, uid: this.uid });
    this.#onGone(this);
  }

  async #preStop(slot: ContainerSlot): Promise<void> {
    const hook = slot.spec.lifecycle?.preStop;
    const problem = hook === undefined ? undefined : await runHook(hook, this.#target(slot));
    if (problem !== undefined && slot.run !== undefined) {
      this.#event("Warning", "FailedPreStopHook", `PreStopHook failed: ${problem}`);
    }
  }

  #watchDeadline(): void {
    const seconds = this.#pod.spec?.activeDeadlineSeconds;
    if (seconds === undefined || this.#deadlineTimer !== undefined) return;
    const expire = () => {
      this.#why = {
        reason: "DeadlineExceeded",
        message: "Pod was active on the node longer than the specified deadline",
      };
      this.#outcome = "Failed";
      this.#event("Normal", "DeadlineExceeded", this.#why.message);
      this.#end(this.#graceSeconds() * 1000);
    };
    const leftMs = this.#startTime.getTime() + seconds * 1000 - Date.now();
    this.#deadlineTimer = setTimeout(expire, Math.min(Math.max(0, leftMs), 2 ** 31 - 1));
  }

  #makePlan(): PodPlan {
    const restartPolicy = (this.#pod.spec?.restartPolicy as RestartPolicy | undefined) ?? "Always";
    return planPod({ restartPolicy, containers: this.slots.map((slot) => slot.facts()) });
  }

  async #writeStatus(): Promise<void> {
    if (this.#removed) return;
    const { name, namespace = "" } = this.#pod.metadata;
    const change = (draft: Pod): false | undefined => {
      if (draft.metadata.uid !== this.uid) return false;
      draft.status = { ...draft.status, ...podStatus(draft, this.#view(), new Date()) };
      return undefined;
    };
    await this.#cluster.api.change<Pod>("pods", namespace, name, change, "status");
  }

  #view(): PodView {
    const firstReason = this.slots.some(({ role }) => role !== "main") ? "PodInitializing" : "ContainerCreating";
    const { ips } = this.#sandbox;
    return {
      startTime: this.#startTime,
      hostIps: this.#cluster.network.nodeIps,
      podIps: ips.length > 0 ? ips : (this.#pod.status?.podIPs ?? []).map(({ ip = "" }) => ip),
      initialized: this.#makePlan().initialized,
      containers: this.slots.map((slot) => slot.view(firstReason)),
      ...(this.#outcome === undefined || this.slots.some(({ run }) => run !== undefined)
        ? {}
        : { outcome: this.#outcome }),
      ...this.#why,
    };
  }

  #place(): PodPlace {
    const { options, capacity } = this.#cluster.context;
    const sandbox = this.#sandbox;
    return {
      nodeName: options.nodeName,
      hostIps: options.network.nodeIps,
      capacity,
      get podIps() {
        return sandbox.ips;
      },
    };
  }

  #target(slot: ContainerSlot): ReturnType<typeof probeTarget> {
    return probeTarget(slot, this.#sandbox.ips[0] ?? "127.0.0.1", this.#cluster.network);
  }

  #graceSeconds(): number {
    return this.#pod.spec?.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS;
  }

  #event(kind: "Normal" | "Warning", reason: string, message: string): void {
    this.#cluster.event(this.#pod, kind, reason, message);
  }

  #warn(error: unknown): void {
    const { name, namespace } = this.#pod.metadata;
    if (!this.#released) this.#cluster.context.warn(`pod ${namespace}/${name}: ${messageOf(error)}`);
  }
}

function rolesOf({ spec }: Pod): (readonly [container: ContainerSlot["spec"], role: ContainerRole])[] {
  const first = (spec?.initContainers ?? []).map((container) => {
    const role = container.restartPolicy === "Always" ? "sidecar" : "init";
    return [container, role] as const;
  });
  return [...first, ...(spec?.containers ?? []).map((container) => [container, "main"] as const)];
}

/** As Go prints durations: 10s, 1m20s. */
function formatSeconds(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
