import type { Outbound, Profile } from "@bowline/model";
import { logTarget } from "../../log/target.ts";
import { Backends } from "../route/backends.ts";
import { compileOutbound } from "../route/compile.ts";
import type { Routing } from "../route/routing.ts";
import type { Side } from "../side.ts";
import type { Target } from "../target.ts";
import type { Resolutions } from "./resolutions.ts";

/** Waits until it is known where a destination leads. */
export interface RoutingWaiter {
  onRouting(routing: Routing): void;
}

/** One original destination that the control plane is asked about. */
export class Logical {
  readonly target: Target;
  /** null until the control plane has answered. */
  routing: Routing | null = null;
  /** Open connections that go there, and since when there is none. */
  users = 0;
  idleSinceMs = 0;
  /** Counts the pods that have had the address: who came under an earlier one meant that, and nothing of theirs goes to another. */
  tenancy = 0;
  /** The pod that has the address, or had it last; "" as long as it was nobody's. */
  #pod = "";
  readonly #side: Side;
  readonly #resolutions: Resolutions;
  readonly #waiters: RoutingWaiter[] = [];

  constructor(side: Side, resolutions: Resolutions, target: Target) {
    this.#side = side;
    this.#resolutions = resolutions;
    this.target = target;
  }

  /** Calls back at once, or when the control plane has answered. */
  whenKnown(waiter: RoutingWaiter): void {
    if (this.routing === null) this.#waiters.push(waiter);
    else waiter.onRouting(this.routing);
  }

  /** The waiter is gone. */
  forget(waiter: RoutingWaiter): void {
    const index = this.#waiters.indexOf(waiter);
    if (index >= 0) this.#waiters.splice(index, 1);
  }

  /** Takes what the control plane says; from here on requests go by it. */
  update(outbound: Outbound): void {
    const { plane } = this.#side;
    const backends = new Backends(this.#side, this.#resolutions, this.target, plane.registry.group());
    const old = this.routing;
    const routing = compileOutbound(outbound, backends, (fault) => {
      plane.log.warn(logTarget("outbound"), `invalid policy for ${this.target.name}: ${fault}`, {});
    });
    routing.hold();
    this.routing = routing;
    // After the new ones are held: what both lead to stays as it is.
    old?.release();
    const moved = this.#takeTenant(outbound.profile);
    for (const waiter of this.#waiters.splice(0)) waiter.onRouting(routing);
    if (moved) this.#side.abandon(this);
  }

  /** Whether the address has passed from one pod to another. A pod that ends may still serve, though it is not named any more. */
  #takeTenant(profile: Profile | null): boolean {
    const { pod = "", namespace = "" } = profile?.endpoint?.labels ?? {};
    const tenant = pod === "" ? this.#pod : `${namespace}/${pod}`;
    const moved = this.#pod !== "" && tenant !== this.#pod;
    this.#pod = tenant;
    if (moved) this.tenancy += 1;
    return moved;
  }

  retire(): void {
    this.routing?.release();
    this.routing = null;
  }
}
