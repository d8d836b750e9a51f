import {
  chooseBackend,
  chooseOverride,
  type Distribution,
  type FilterChain,
  NO_BACKEND,
  type ProfileOverride,
  type ResponseClass,
  type RetryBudget,
  type RetryPolicy,
  type Timeouts,
} from "@bowline/model";
import type { Cause } from "../failures.ts";
import type { Backend } from "../pool/backend.ts";
import type { ProfileRouteSeries } from "../telemetry/profile-series.ts";
import type { RouteBackendSeries, RouteSeries, RouteSeriesByHost } from "../telemetry/route-series.ts";
import type { TransportRouteSeries } from "../telemetry/transport-route-series.ts";

/** A backend of a rule, with what the rule does to the requests it sends there. */
export interface WayBackend {
  readonly backend: Backend;
  /** null where there is nothing to do. */
  readonly filters: FilterChain | null;
  readonly series: RouteBackendSeries | null;
}

/** What a rule of a policy, or a route of a service profile, does with a request. Made once, for all requests. */
export interface Way {
  /** null where there is nothing to do. */
  readonly filters: FilterChain | null;
  /** What a prefix match of the rule took of the path, for redirects; null when the match was not by prefix. */
  readonly prefixLength: number | null;
  readonly retry: RetryPolicy | null;
  /** For the retryable routes of a profile. */
  readonly budget: RetryBudget | null;
  readonly classes: readonly ResponseClass[];
  readonly timeouts: Timeouts;
  /** Up to the response's head, as profiles have it; null for none. */
  readonly headTimeoutMs: number | null;
  /** The request's own l5d-… headers about timeouts and retries are honoured, and removed. */
  readonly allowL5dHeaders: boolean;
  readonly choice: Choice;
  readonly series: RouteSeries | null;
  /** Its series by the host that requests name, where that is a label; null where it is not. */
  readonly hosts: RouteSeriesByHost | null;
  readonly profileSeries: ProfileRouteSeries | null;
}

/** What becomes of a connection that is passed on as bytes. */
export interface TcpWay {
  /** A cause when every connection fails. */
  readonly choice: Choice | Cause;
  /** null where no policy names a route. */
  readonly series: TransportRouteSeries | null;
}

/** Chooses among the backends that are available. */
export abstract class Choice {
  readonly backends: readonly WayBackend[];
  protected readonly available: (at: number) => boolean;

  constructor(backends: readonly WayBackend[]) {
    this.backends = backends;
    this.available = (at) => this.backends[at]!.backend.available;
  }

  /** null when none is available. A single one is taken as it is: it says itself why it is not. */
  pick(): WayBackend | null {
    const { backends } = this;
    if (backends.length === 1) return backends[0]!;
    const at = this.index();
    return at === NO_BACKEND ? null : backends[at]!;
  }

  protected abstract index(): number;
}

/** By the distribution of a policy's rule; `backends` are the distribution's, in its order. */
export class PolicyChoice<F> extends Choice {
  readonly #distribution: Distribution<F>;

  constructor(distribution: Distribution<F>, backends: readonly WayBackend[]) {
    super(backends);
    this.#distribution = distribution;
  }

  protected override index(): number {
    return chooseBackend(this.#distribution, this.available, Math.random);
  }
}

/** By the weights of a profile's overrides; `backends` are theirs, in their order. */
export class OverrideChoice extends Choice {
  readonly #overrides: readonly ProfileOverride[];

  constructor(overrides: readonly ProfileOverride[], backends: readonly WayBackend[]) {
    super(backends);
    this.#overrides = overrides;
  }

  protected override index(): number {
    return chooseOverride(this.#overrides, this.available, Math.random);
  }
}

/** The one there is. */
export class OnlyChoice extends Choice {
  constructor(backend: Backend) {
    super([{ backend, filters: null, series: null }]);
  }

  protected override index(): number {
    return 0;
  }
}

/** Passes requests on as they are. */
export function plainWay(choice: Choice): Way {
  return {
    filters: null,
    prefixLength: null,
    retry: null,
    budget: null,
    classes: [],
    timeouts: { requestMs: null, responseMs: null, idleMs: null },
    headTimeoutMs: null,
    allowL5dHeaders: false,
    choice,
    series: null,
    hosts: null,
    profileSeries: null,
  };
}
