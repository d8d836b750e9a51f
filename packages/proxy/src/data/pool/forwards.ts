import type { EndpointMeta } from "@bowline/model";
import { Cause } from "../failures.ts";
import type { Side } from "../side.ts";
import type { Target } from "../target.ts";

interface Shared {
  readonly target: Target;
  readonly key: string;
  users: number;
}

/** Endpoints that policies and profiles name one by one: each made once for all routings that lead there. */
export class Forwards {
  readonly #side: Side;
  readonly #byKey = new Map<string, Shared>();
  readonly #byTarget = new Map<Target, Shared>();

  constructor(side: Side) {
    this.#side = side;
  }

  /** The target of the endpoint with exactly this metadata, to be given back by `release`. */
  acquire(endpoint: EndpointMeta): Target {
    const key = JSON.stringify(endpoint);
    let shared = this.#byKey.get(key);
    if (shared === undefined) {
      const target = this.#side.endpointTarget(endpoint, "");
      target.series.pin();
      shared = { target, key, users: 0 };
      this.#byKey.set(key, shared);
      this.#byTarget.set(target, shared);
    }
    shared.users += 1;
    return shared.target;
  }

  release(target: Target): void {
    const shared = this.#byTarget.get(target)!;
    shared.users -= 1;
    if (shared.users > 0) return;
    this.#byKey.delete(shared.key);
    this.#byTarget.delete(target);
    target.series.unpin();
    const waiting = this.#side.retireTarget(target);
    for (let call = waiting?.shift() ?? null; call !== null; call = waiting!.shift()) {
      call.refuse(Cause.Failfast, target.name);
    }
  }
}
