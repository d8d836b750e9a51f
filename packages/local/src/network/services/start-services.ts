import type { Pod } from "@bowline/kube";
import type { ClusterApi } from "../../api/cluster-api.ts";
import type { PodNetwork } from "../pod-network.ts";
import { runIn } from "../run-in-namespace.ts";
import { type Ruleset, rulesetOf, transaction } from "./ruleset.ts";
import { ServiceIndex } from "./service-index.ts";
import { forgetStaleFlows, staleFlows } from "./stale-flows.ts";
import { hostPortTranslations, serviceTranslations, type Translation } from "./translations.ts";

/** Changes come in bursts (a rollout, a restart); this much later one transaction brings all of them. */
const DEBOUNCE_MS = 20;
const RETRY_MS = 1_000;

export interface ServicesOptions {
  /** Where failures of nft are told, one line each. */
  readonly warn?: (line: string) => void;
}

export interface RunningServices {
  /** Leaves the rules in force, for the next daemon to replace. */
  stop(): Promise<void>;
}

/**
 * Keeps the node's nftables such that connections to cluster IPs and host ports go to pods: for pods, for the node's own
 * processes and for what is dialled from there.
 */
export function startServices(
  api: Pick<ClusterApi, "watch">,
  network: Pick<PodNetwork, "nodeNetns" | "nodeIps">,
  options: ServicesOptions = {},
): RunningServices {
  return new ServiceRules(api, network, options.warn ?? (() => {}));
}

class ServiceRules implements RunningServices {
  readonly #network: Pick<PodNetwork, "nodeNetns" | "nodeIps">;
  readonly #warn: (line: string) => void;
  readonly #index: ServiceIndex;
  readonly #hostPorts = new Map<string, Translation[]>();
  readonly #stopPods: () => void;
  /** Null: nobody knows what is in force. */
  #inForce: Ruleset | null = null;
  #translations: readonly Translation[] = [];
  #timer: ReturnType<typeof setTimeout> | null = null;
  #applying: Promise<void> | null = null;
  #changedMeanwhile = false;
  #stopped = false;

  constructor(
    api: Pick<ClusterApi, "watch">,
    network: Pick<PodNetwork, "nodeNetns" | "nodeIps">,
    warn: (line: string) => void,
  ) {
    this.#network = network;
    this.#warn = warn;
    this.#index = new ServiceIndex(api);
    this.#index.onChange(() => this.#schedule(DEBOUNCE_MS));
    this.#stopPods = api.watch<Pod>("pods", ({ type, object }) => this.#onPod(type === "DELETED", object));
    this.#schedule(DEBOUNCE_MS);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#index.stop();
    this.#stopPods();
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#applying;
  }

  #onPod(deleted: boolean, pod: Pod): void {
    const { uid } = pod.metadata;
    if (uid === undefined) return;
    const translations = deleted ? [] : hostPortTranslations(pod, this.#network.nodeIps);
    if (translations.length === 0 && !this.#hostPorts.has(uid)) return;
    if (translations.length === 0) this.#hostPorts.delete(uid);
    else this.#hostPorts.set(uid, translations);
    this.#schedule(DEBOUNCE_MS);
  }

  #schedule(delayMs: number): void {
    if (this.#stopped || this.#timer !== null) return;
    if (this.#applying !== null) {
      this.#changedMeanwhile = true;
      return;
    }
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#applying = this.#apply().then((done) => {
        this.#applying = null;
        if (!done || this.#changedMeanwhile) this.#schedule(done ? DEBOUNCE_MS : RETRY_MS);
        this.#changedMeanwhile = false;
      });
    }, delayMs);
  }

  /** @returns false when it has to be tried again */
  async #apply(): Promise<boolean> {
    const translations = this.#wanted();
    const ruleset = rulesetOf(translations, this.#network.nodeIps);
    const script = transaction(this.#inForce, ruleset);
    try {
      if (script !== "") await runIn(this.#network.nodeNetns, ["nft", "-f", "-"], script);
      this.#inForce = ruleset;
      const before = this.#translations;
      this.#translations = translations;
      await forgetStaleFlows(this.#network.nodeNetns, staleFlows(before, translations));
      return true;
    } catch (error) {
      this.#inForce = null;
      this.#warn(`services: ${error instanceof Error ? error.message : String(error)}`);
      return false;
    }
  }

  #wanted(): Translation[] {
    const ofServices = [...this.#index.services()].flatMap((service) => {
      const { namespace = "", name } = service.metadata;
      return serviceTranslations(service, this.#index.slices(namespace, name));
    });
    return [...ofServices, ...[...this.#hostPorts.values()].flat()];
  }
}
