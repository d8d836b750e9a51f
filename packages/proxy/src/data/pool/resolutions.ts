import { EndpointSet, type EndpointsUpdate } from "@bowline/model";
import type { FromData } from "../../boundary.ts";
import type { Side } from "../side.ts";
import { type BalancerFamilies, BalancerSeries } from "../telemetry/balancer-series.ts";
import { Balanced, type BalancedOptions } from "./balanced.ts";
import { Forwards } from "./forwards.ts";

/** What the control plane says of one path, for all who balance over it. */
interface Resolution {
  /** Kept for those that join later; without a word so far, it does not say that there are no endpoints. */
  readonly known: EndpointSet;
  readonly users: Set<Balanced>;
}

/** Says what this thread wants from the main thread. */
export type Post = (message: FromData) => void;

/** The balanced services of this data thread: each made once for all routes that lead to it, gone with the last one. */
export class Resolutions {
  readonly forwards: Forwards;
  readonly #side: Side;
  readonly #post: Post;
  readonly #resolutions = new Map<string, Resolution>();
  readonly #balanced = new Map<string, Balanced>();

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
    let balanced = this.#balanced.get(key);
    if (balanced === undefined) {
      const group = this.#side.plane.registry.group();
      group.pin();
      const series = new BalancerSeries(group, families, labelText, options.queue.failfastTimeoutMs);
      balanced = new Balanced(this.#side, options, series, () => {
        group.retire();
        this.#balanced.delete(key);
      });
      this.#balanced.set(key, balanced);
      this.#join(balanced);
    }
    balanced.users += 1;
    return balanced;
  }

  release(balanced: Balanced): void {
    balanced.users -= 1;
    if (balanced.users > 0) return;
    const { path } = balanced;
    const resolution = this.#resolutions.get(path)!;
    resolution.users.delete(balanced);
    balanced.retire();
    if (resolution.users.size > 0) return;
    this.#resolutions.delete(path);
    this.#post({ kind: "unresolve", path });
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
