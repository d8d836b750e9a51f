import type { Call } from "../call/call.ts";
import { Cause } from "../failures.ts";
import type { Side } from "../side.ts";
import type { Target } from "../target.ts";

/** Wants an endpoint for something that is not a call: a TCP connection. */
export interface Seeker {
  onTarget(target: Target): void;
  onNoTarget(cause: Cause): void;
}

/** Where a route leads. */
export interface Backend {
  /** Whether a route that can choose may choose it. */
  readonly available: boolean;
  /** Sends the call to an endpoint, now or once there is one; or refuses it. */
  send(call: Call): void;
  /** Finds an endpoint for a connection; the seeker hears of it within this call or later. */
  seek(seeker: Seeker): void;
  /** The seeker does not want an endpoint any more. */
  forget(seeker: Seeker): void;
  /** An endpoint that may have a connection at once, or null. */
  tryPick(): Target | null;
}

/** The one endpoint there is. */
export class Forward implements Backend {
  readonly available = true;
  readonly #side: Side;
  readonly #target: Target;

  constructor(side: Side, target: Target) {
    this.#side = side;
    this.#target = target;
  }

  send(call: Call): void {
    call.assigned(this.#target, null);
    this.#side.ask(call, this.#target);
  }

  seek(seeker: Seeker): void {
    seeker.onTarget(this.#target);
  }

  forget(_seeker: Seeker): void {}

  tryPick(): Target | null {
    return this.#target;
  }
}

/** A backend that the control plane knows nothing to do with. */
export class Undispatchable implements Backend {
  readonly available = true;
  readonly #message: string;

  constructor(message: string) {
    this.#message = message;
  }

  send(call: Call): void {
    call.refuse(Cause.NoDispatcher, this.#message);
  }

  seek(seeker: Seeker): void {
    seeker.onNoTarget(Cause.NoDispatcher);
  }

  forget(_seeker: Seeker): void {}

  tryPick(): Target | null {
    return null;
  }
}
