import type { Pod, Probe } from "@bowline/kube";
import { checkProbe } from "../probe/check.ts";
import type { ProbeResult, ProbeTarget } from "../probe/probe-target.ts";
import { type ProbeKind, Prober } from "../probe/prober.ts";
import type { NodeNetwork } from "../types.ts";
import type { ContainerSlot } from "./container-slot.ts";

export interface SlotProbesOptions {
  readonly slot: ContainerSlot;
  readonly target: ProbeTarget;
  readonly onChange: () => void;
  readonly onUnhealthy: (kind: ProbeKind, message: string) => void;
  /** The container must be restarted. */
  readonly onDead: (kind: "Startup" | "Liveness", graceSeconds: number | undefined) => void;
}

/** The probes of one run of a container. */
export class SlotProbes {
  readonly #options: SlotProbesOptions;
  readonly #probers = new Map<ProbeKind, Prober>();

  constructor(options: SlotProbesOptions) {
    this.#options = options;
  }

  /** After the start: the startup probe, and the others when it has succeeded. An adopted container goes on where it was. */
  begin(): void {
    const { slot } = this.#options;
    const startup = slot.spec.startupProbe;
    if (slot.started || startup === undefined) {
      this.#afterStartup();
      return;
    }
    this.#probe("Startup", startup, (good) => {
      if (good) this.#afterStartup();
      else this.#options.onDead("Startup", startup.terminationGracePeriodSeconds);
    });
  }

  stop(): void {
    for (const prober of this.#probers.values()) prober.stop();
  }

  /** The container is being ended anyway; whether it is ready is still of interest. */
  stopRestarting(): void {
    this.#probers.get("Startup")?.stop();
    this.#probers.get("Liveness")?.stop();
  }

  #afterStartup(): void {
    const { slot, onChange, onDead } = this.#options;
    const { readinessProbe, livenessProbe } = slot.spec;
    slot.started = true;
    if (readinessProbe === undefined) {
      slot.ready = true;
    } else {
      this.#probe("Readiness", readinessProbe, (good) => {
        slot.ready = good;
        onChange();
      });
    }
    if (livenessProbe !== undefined) {
      this.#probe("Liveness", livenessProbe, (good) => {
        if (!good) onDead("Liveness", livenessProbe.terminationGracePeriodSeconds);
      });
    }
    onChange();
  }

  #probe(kind: ProbeKind, probe: Probe, onVerdict: (good: boolean) => void): void {
    const { slot, target, onUnhealthy } = this.#options;
    const prober = new Prober({
      kind,
      probe,
      startedMs: slot.run?.startedAt.getTime() ?? Date.now(),
      ...(kind === "Readiness" && slot.ready ? { verdict: true } : {}),
      check: (asked: Probe): Promise<ProbeResult> => checkProbe(asked, target),
      onVerdict,
      onFailure: (message) => onUnhealthy(kind, message),
    });
    this.#probers.set(kind, prober);
  }
}

/** Probes come from the node, as a kubelet's do: a NetworkPolicy or a proxy in the pod sees them arrive on its interface. */
export function probeTarget(slot: ContainerSlot, podIp: string, network: NodeNetwork): ProbeTarget {
  return {
    host: podIp,
    namedPort: (name) => slot.spec.ports?.find((port) => port.name === name)?.containerPort,
    dial: (host, port) => network.dial(network.nodeNetns, host, port),
    exec: (command, timeoutMs) => slot.exec(command, timeoutMs),
  };
}

/** What a container is called in events of its pod. */
export function nameInMessages(pod: Pod, container: string): string {
  const { name, namespace, uid } = pod.metadata;
  return `${container} in pod ${name}_${namespace}(${uid})`;
}
