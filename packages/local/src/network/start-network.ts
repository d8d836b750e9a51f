import { existsSync } from "node:fs";
import type { Duplex } from "node:stream";
import { AddressPool } from "./address-pool.ts";
import { nodeAddresses, podAddresses } from "./addresses.ts";
import { forgetAddress } from "./conntrack.ts";
import { dialFrom } from "./dial.ts";
import { netnsPath, nodeNamespaceName, podNamespaceName, runDirectory } from "./names.ts";
import { openNodeNamespace } from "./node-namespace.ts";
import {
  configurePodNamespace,
  createPodNamespace,
  type PodPlace,
  placesOf,
  removeNamespaces,
  removePodNamespace,
} from "./pod-namespace.ts";
import type { IpFamilies, NetworkOptions, PodAttachment, PodIdentity, RunningNetwork } from "./pod-network.ts";
import { Relays } from "./relays.ts";
import { podNamespaces } from "./remove-network.ts";

/**
 * Opens the cluster's network: makes the node's namespace, or takes over what an earlier daemon left, its pods and their
 * addresses included. Needs root. Rejects with what `ip` says when namespaces cannot be made.
 */
export async function startNetwork(options: NetworkOptions): Promise<RunningNetwork> {
  const links = await openNodeNamespace(options.name, options.families);
  return new ClusterNetwork(options, placesOf(links));
}

interface JoinedPod {
  readonly place: PodPlace;
  /** False for a pod that was found: its daemon may have been killed before it had finished. */
  finished: boolean;
}

class ClusterNetwork implements RunningNetwork {
  readonly families: IpFamilies;
  readonly nodeIps: readonly string[];
  readonly nodeNetns: string;
  readonly #cluster: string;
  readonly #addresses: AddressPool;
  readonly #pods = new Map<string, JoinedPod>();
  /** The end of the last change asked for of a pod: changes to one pod happen one after the other. */
  readonly #changes = new Map<string, Promise<unknown>>();
  readonly #relays: Relays;
  readonly #dialled = new Set<Duplex>();

  constructor(options: NetworkOptions, found: readonly PodPlace[]) {
    this.families = options.families;
    this.nodeIps = nodeAddresses(options.families);
    this.nodeNetns = netnsPath(nodeNamespaceName(options.name));
    this.#cluster = options.name;
    this.#addresses = new AddressPool({ reuse: options.addressReuse ?? "late" });
    for (const place of found) {
      this.#addresses.adopt(place.host);
      this.#pods.set(place.uid, { place, finished: false });
    }
    this.#relays = new Relays(runDirectory(options.name), (host, port) => this.dial(this.nodeNetns, host, port));
  }

  async attach({ uid, hostNetwork }: PodIdentity): Promise<PodAttachment> {
    if (hostNetwork) return { netns: this.nodeNetns, ips: [...this.nodeIps] };
    const place = await this.#inTurn(uid, () => this.#join(uid));
    return {
      netns: netnsPath(podNamespaceName(this.#cluster, uid)),
      ips: podAddresses(place.host, this.families),
    };
  }

  detach(uid: string): Promise<void> {
    return this.#inTurn(uid, () => this.#leave(uid));
  }

  async sweep(uids: ReadonlySet<string>): Promise<void> {
    const gone = [...this.#pods.keys()].filter((uid) => !uids.has(uid));
    await Promise.all(gone.map((uid) => this.detach(uid)));
    // What was left before it had a link that names its pod.
    const wanted = new Set([...uids, ...this.#pods.keys()].map((uid) => podNamespaceName(this.#cluster, uid)));
    await removeNamespaces(podNamespaces(this.#cluster).filter((name) => !wanted.has(name)));
  }

  async dial(netns: string, host: string, port: number): Promise<Duplex> {
    const stream = await dialFrom(netns, host, port);
    this.#dialled.add(stream);
    stream.once("close", () => this.#dialled.delete(stream));
    return stream;
  }

  relay(host: string, port: number): Promise<string> {
    return Promise.resolve(this.#relays.open(host, port));
  }

  async close(): Promise<void> {
    this.#relays.close();
    for (const stream of this.#dialled) stream.destroy();
    await Promise.allSettled(this.#changes.values());
  }

  async #join(uid: string): Promise<PodPlace> {
    const known = this.#pods.get(uid);
    if (known?.finished) return known.place;
    if (known !== undefined && existsSync(netnsPath(podNamespaceName(this.#cluster, uid)))) {
      await configurePodNamespace(this.#cluster, known.place, this.families);
      known.finished = true;
      return known.place;
    }
    await removePodNamespace(this.#cluster, uid);
    const place = known?.place ?? { uid, host: this.#addresses.take() };
    this.#pods.set(uid, { place, finished: false });
    try {
      if (this.#addresses.wasUsedBefore(place.host)) await this.#forgetFlows(place);
      await createPodNamespace(this.#cluster, place, this.families);
    } catch (error) {
      await this.#leave(uid);
      throw error;
    }
    this.#pods.set(uid, { place, finished: true });
    return place;
  }

  async #forgetFlows({ host }: PodPlace): Promise<void> {
    const ips = podAddresses(host, this.families);
    await Promise.all(ips.map((ip) => forgetAddress(this.nodeNetns, ip)));
  }

  async #leave(uid: string): Promise<void> {
    await removePodNamespace(this.#cluster, uid);
    const pod = this.#pods.get(uid);
    if (pod === undefined) return;
    this.#pods.delete(uid);
    this.#addresses.release(pod.place.host);
  }

  #inTurn<T>(uid: string, change: () => Promise<T>): Promise<T> {
    const before = this.#changes.get(uid) ?? Promise.resolve();
    const done = before.then(change, change);
    this.#changes.set(uid, done);
    const forget = (): void => {
      if (this.#changes.get(uid) === done) this.#changes.delete(uid);
    };
    done.then(forget, forget);
    return done;
  }
}
