import type { Connection } from "../connection.ts";
import { Cause } from "../failures.ts";
import type { Backend, Seeker } from "../pool/backend.ts";
import type { Target } from "../target.ts";

/** Who has a request that waits for an endpoint. */
export interface EndpointSearchOwner {
  /** The endpoint is known: the request can be begun with again. */
  onEndpoint(): void;
  onNoEndpoint(cause: Cause): void;
}

/** Finds the endpoint of a discovered destination for a request that takes its connection over, as upgrades do. */
export class EndpointSearch implements Seeker {
  readonly #owner: EndpointSearchOwner;
  #connection: Connection | null = null;
  /** Where an endpoint is awaited from; null when none is. */
  #backend: Backend | null = null;
  #within = false;
  #found = false;
  #cause: Cause | null = null;

  constructor(owner: EndpointSearchOwner) {
    this.#owner = owner;
  }

  get waiting(): boolean {
    return this.#backend !== null;
  }

  /**
   * Whether the connection's endpoint is known now. If it is not, the owner has been told that there is none, or the
   * search goes on (`waiting`).
   */
  found(connection: Connection): boolean {
    if (this.#found) {
      this.#found = false;
      return true;
    }
    const choice = connection.logical?.routing?.tcp.choice ?? Cause.Failfast;
    const backend = typeof choice === "number" ? null : (choice.pick()?.backend ?? null);
    if (backend === null) {
      this.#owner.onNoEndpoint(typeof choice === "number" ? choice : Cause.LoadShed);
      return false;
    }
    this.#connection = connection;
    this.#backend = backend;
    this.#cause = null;
    this.#within = true;
    backend.seek(this);
    this.#within = false;
    if (this.#cause !== null) this.#owner.onNoEndpoint(this.#cause);
    return this.#backend === null && this.#cause === null;
  }

  onTarget(target: Target): void {
    this.#backend = null;
    this.#connection!.endpoint = target;
    if (this.#within) return;
    this.#found = true;
    this.#owner.onEndpoint();
  }

  onNoTarget(cause: Cause): void {
    this.#backend = null;
    if (this.#within) this.#cause = cause;
    else this.#owner.onNoEndpoint(cause);
  }

  /** Nobody wants an endpoint any more. */
  cancel(): void {
    this.#backend?.forget(this);
    this.#backend = null;
    this.#connection = null;
    this.#found = false;
  }
}
