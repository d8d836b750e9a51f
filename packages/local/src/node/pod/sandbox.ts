import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import type { Pod } from "@bowline/kube";
import { writeEtcFiles } from "./etc-files.ts";
import type { PodCluster, PodPaths } from "./node-context.ts";

/** What the containers of a pod share: its network, and the files of /etc that tell of it. */
export class Sandbox {
  readonly #cluster: PodCluster;
  readonly #paths: PodPaths;
  #netns: string | undefined;
  #ips: readonly string[] = [];

  constructor(cluster: PodCluster, paths: PodPaths) {
    this.#cluster = cluster;
    this.#paths = paths;
  }

  /** Path of the network namespace, while there is one. */
  get netns(): string | undefined {
    return this.#netns;
  }

  /** The pod's addresses; empty before it had any. */
  get ips(): readonly string[] {
    return this.#ips;
  }

  /** @returns whether there was a sandbox that is gone, and with it all that init containers did there */
  async attach(pod: Pod): Promise<"same" | "lost"> {
    const { uid = "", name, namespace = "" } = pod.metadata;
    const known = existsSync(this.#paths.sandbox) ? readFileSync(this.#paths.sandbox, "utf8") : undefined;
    const lost = known !== undefined && !existsSync(known);
    const hostNetwork = pod.spec?.hostNetwork === true;
    const { netns, ips } = await this.#network.attach({ uid, name, namespace, hostNetwork });
    mkdirSync(this.#paths.root, { recursive: true, mode: 0o700 });
    writeEtcFiles(pod, this.#paths.layer, ips, this.#cluster.dnsAddresses());
    writeFileSync(this.#paths.sandbox, netns);
    this.#ips = ips;
    this.#netns = netns;
    return lost ? "lost" : "same";
  }

  async detach(uid: string): Promise<void> {
    await this.#network.detach(uid);
    this.#netns = undefined;
  }

  get #network(): PodCluster["network"] {
    return this.#cluster.network;
  }
}
