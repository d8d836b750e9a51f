import type { EndpointsUpdate, Outbound } from "@bowline/model";
import type { Side } from "../side.ts";
import type { Target } from "../target.ts";
import { Logical } from "./logical.ts";
import { type Post, Resolutions } from "./resolutions.ts";

/** What this data thread has asked the control plane about, by original destination. */
export class Discovery {
  readonly #side: Side;
  readonly #post: Post;
  readonly #logicals = new Map<string, Logical>();
  readonly #resolutions: Resolutions;

  constructor(side: Side, post: Post) {
    this.#side = side;
    this.#post = post;
    this.#resolutions = new Resolutions(side, post);
  }

  /** What is known of where the target leads; to be given back by `leave` when the connection ends. */
  enter(target: Target): Logical {
    let logical = this.#logicals.get(target.name);
    if (logical === undefined) {
      logical = new Logical(this.#side, this.#resolutions, target);
      this.#logicals.set(target.name, logical);
      target.series.pin();
      this.#post({ kind: "discover", target: target.name });
    }
    logical.users += 1;
    return logical;
  }

  leave(logical: Logical): void {
    logical.users -= 1;
    logical.idleSinceMs = this.#side.plane.reactor.nowMs;
  }

  onOutbound(target: string, outbound: Outbound): void {
    this.#logicals.get(target)?.update(outbound);
  }

  onEndpoints(path: string, update: EndpointsUpdate): void {
    this.#resolutions.onEndpoints(path, update);
  }

  /** Lets go of what nobody has used for `idleMs`. */
  expire(nowMs: number, idleMs: number): void {
    for (const [name, logical] of this.#logicals) {
      if (logical.users > 0 || nowMs - logical.idleSinceMs < idleMs) continue;
      this.#logicals.delete(name);
      logical.target.series.unpin();
      this.#post({ kind: "undiscover", target: name });
      logical.retire();
    }
  }
}
