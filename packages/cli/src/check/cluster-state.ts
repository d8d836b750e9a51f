import { CONTROL_PLANE_NS_LABEL, LINKERD_CONFIG, LINKERD_CONFIG_KEY } from "@bowline/contracts";
import type { Values } from "@bowline/control-plane";
import {
  type ConfigMap,
  type KubeClient,
  type KubeObject,
  type Namespace,
  type Pod,
  RESOURCES,
  type ResourceName,
} from "@bowline/kube";
import { parse } from "yaml";
import { CheckFailure, CheckSkipped } from "./check.ts";

/** What several checks look at, asked for once. */
export class ClusterState {
  readonly #client: () => KubeClient;
  readonly #namespace: string;
  readonly #answers = new Map<string, Promise<unknown>>();

  constructor(client: () => KubeClient, controlPlaneNamespace: string) {
    this.#client = client;
    this.#namespace = controlPlaneNamespace;
  }

  /** Before a check is tried again. */
  forget(): void {
    this.#answers.clear();
  }

  /** Objects that `install` made, and their like. */
  labelled<T extends KubeObject>(resource: ResourceName, namespace?: string): Promise<T[]> {
    return this.list<T>(resource, namespace, `${CONTROL_PLANE_NS_LABEL}=${this.#namespace}`);
  }

  list<T extends KubeObject>(resource: ResourceName, namespace?: string, labelSelector?: string): Promise<T[]> {
    return this.#once(`${resource}/${namespace ?? ""}?${labelSelector ?? ""}`, async () => {
      const options = {
        ...(namespace === undefined ? {} : { namespace }),
        ...(labelSelector === undefined ? {} : { labelSelector }),
      };
      return (await this.#client().list<T>(RESOURCES[resource], options)).items;
    });
  }

  controlPlanePods(): Promise<Pod[]> {
    return this.list<Pod>("pods", this.#namespace);
  }

  /** Pods with a proxy of this control plane that are not its own. */
  async meshedPods(namespace: string | undefined): Promise<Pod[]> {
    const pods = await this.labelled<Pod>("pods", namespace);
    return pods.filter(({ metadata }) => metadata.namespace !== this.#namespace);
  }

  namespaces(): Promise<Namespace[]> {
    return this.list<Namespace>("namespaces");
  }

  /** What the control plane was installed with. Rejects when there is no readable configuration. */
  values(): Promise<Values> {
    return this.#once("values", async () => {
      const config = await this.#client().get<ConfigMap>(RESOURCES.configmaps, this.#namespace, LINKERD_CONFIG);
      const text = config.data?.[LINKERD_CONFIG_KEY];
      if (text === undefined) throw new CheckFailure(`ConfigMap ${LINKERD_CONFIG} has no key "${LINKERD_CONFIG_KEY}"`);
      return parse(text) as Values;
    });
  }

  /** The same for checks that have nothing to look at without it: that it is missing is another check's to say. */
  async valuesOrSkip(): Promise<Values> {
    try {
      return await this.values();
    } catch {
      throw new CheckSkipped();
    }
  }

  #once<T>(key: string, ask: () => Promise<T>): Promise<T> {
    const answer = this.#answers.get(key) ?? ask();
    this.#answers.set(key, answer);
    return answer as Promise<T>;
  }
}
