import type { SeriesGroup } from "@bowline/metrics";
import { EndpointSet, type EndpointsUpdate } from "@bowline/model";
import type { FromData } from "../../boundary.ts";
import type { Side } from "../side.ts";
import { type BalancerFamilies, BalancerSeries } from "../telemetry/balancer-series.ts";
import { Balanced, type BalancedOptions, type BalancedOwner } from "./balanced.ts";
import { Forwards } from "./forwards.ts";

/** What the control plane says of one path, for all who balance over it. */
interface Resolution {
  /** Kept for those that join later; without a word so far, it does not say that there are no endpoints. */
  readonly known: EndpointSet;
  readonly users: Set<Balanced>;
}

/** How a balanced service is found, and its series. */
interface Kept {
  readonly key: string;
  readonly group: SeriesGroup;
}

/** Says what this thread wants from the main thread. */
export type Post = (message: FromData) => void;

/** The balanced services of this data thread: each made once for all routes that lead to it, gone with the last one. */
export class Resolutions implements BalancedOwner {
  readonly forwards: Forwards;
  readonly #side: Side;
  readonly #post: Post;
  readonly #resolutions = new Map<string, Resolution>();
  readonly #balanced = new Map<string, Balanced>();
  readonly #kept = new Map<Balanced, Kept>();

  constructor(side: Side, post: Post) {
    this.#side = side;
    this.#post = post;
    this.forwards = new Forwards(side);
  }

  /**
   * The service with these options, to be given back by `release`.
   * @param families what is counted of it, and with which labels
   */
  acquire(options: BalancedOptions, families: BalancerFamilies, labelText: string): Balanced {
    const key = JSON.stringify([options, families.endpoints.name, labelText]);
    const known = this.#balanced.get(key);
    if (known !== undefined) {
      known.users += 1;
      return known;
    }
    const group = this.#side.plane.registry.group();
    group.pin();
    const series = new BalancerSeries(group, families, labelText, options.queue.failfastTimeoutMs);
    const balanced = new Balanced(this.#side, options, series, this);
    balanced.users = 1;
    this.#balanced.set(key, balanced);
    this.#kept.set(balanced, { key, group });
    this.#join(balanced);
    return balanced;
  }

  release(balanced: Balanced): void {
    balanced.users -= 1;
    // Connections that wait there for an endpoint wait on.
    if (!balanced.sought) this.onUnsought(balanced);
  }

  onUnsought(balanced: Balanced): void {
    if (balanced.users > 0 || !this.#kept.has(balanced)) return;
    const { path } = balanced;
    const resolution = this.#resolutions.get(path)!;
    resolution.users.delete(balanced);
    balanced.retire();
    if (resolution.users.size > 0) return;
    this.#resolutions.delete(path);
    this.#post({ kind: "unresolve", path });
  }

  onRetired(balanced: Balanced): void {
    const { key, group } = this.#kept.get(balanced)!;
    group.retire();
    this.#balanced.delete(key);
    this.#kept.delete(balanced);
  }

  onEndpoints(path: string, update: EndpointsUpdate): void {
    const resolution = this.#resolutions.get(path);
    // What was under way when this thread let go of the path, or from before it held it, says nothing.
    if (resolution === undefined || (update.kind === "delta" && resolution.known.exists === null)) return;
    resolution.known.apply(update, this.#side.plane.reactor.nowMs);
    for (const balanced of resolution.users) balanced.apply(update);
  }

  #join(balanced: Balanced): void {
    const { path } = balanced;
    let resolution = this.#resolutions.get(path);
    if (resolution === undefined) {
      resolution = { known: new EndpointSet(), users: new Set() };
      this.#resolutions.set(path, resolution);
      this.#post({ kind: "resolve", path });
    }
    resolution.users.add(balanced);
    const { known } = resolution;
    if (known.exists === true) balanced.apply({ kind: "reset", endpoints: known.endpoints() });
    else if (known.exists === false) balanced.apply({ kind: "gone", exists: false });
  }
}
