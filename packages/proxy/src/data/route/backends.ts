import { joinLabels, type SeriesGroup } from "@bowline/metrics";
import type { FailureAccrual, Meta, Backend as ModelBackend, QueueParams } from "@bowline/model";
import { type Backend, Forward, Undispatchable } from "../pool/backend.ts";
import type { Balanced } from "../pool/balanced.ts";
import type { Resolutions } from "../pool/resolutions.ts";
import type { Side } from "../side.ts";
import type { Target } from "../target.ts";
import { backendLabels, parentLabels } from "../telemetry/route-series.ts";

const DEFAULT_LOAD = { kind: "peak-ewma", defaultRttMs: 30, decayMs: 10_000 } as const;

/** Makes what the routes of one routing lead to, and remembers what of it has to be released with the routing. */
export class Backends {
  readonly side: Side;
  readonly group: SeriesGroup;
  /** Where the client's connection was going. */
  readonly target: Target;
  readonly held: Balanced[] = [];
  readonly #resolutions: Resolutions;

  constructor(side: Side, resolutions: Resolutions, target: Target, group: SeriesGroup) {
    this.side = side;
    this.#resolutions = resolutions;
    this.target = target;
    this.group = group;
  }

  /** A backend of a policy. */
  of(backend: ModelBackend, parent: Meta, accrual: FailureAccrual | null): Backend {
    const { dispatcher } = backend;
    switch (dispatcher.kind) {
      case "balance": {
        const labelText = joinLabels(parentLabels(parent), backendLabels(backend.meta));
        const { path, load } = dispatcher;
        return this.#balanced({ path, load, queue: backend.queue, accrual }, labelText);
      }
      case "forward":
        return new Forward(this.side, this.side.endpointTarget(dispatcher.endpoint, ""));
      case "fail":
        return new Undispatchable(dispatcher.message);
      default:
        return unreachable(dispatcher);
    }
  }

  /** Where the client's connection was going. */
  forward(): Backend {
    return new Forward(this.side, this.target);
  }

  /** A service that a profile names, `name:port`. */
  service(path: string, parent: Meta | null): Backend {
    const labelText = parent === null ? "" : joinLabels(parentLabels(parent), backendLabels(parent));
    return this.#balanced({ path, load: DEFAULT_LOAD, queue: this.#queue(), accrual: null }, labelText);
  }

  #balanced(options: ConstructorParameters<typeof Balanced>[1], labelText: string): Backend {
    const balanced = this.#resolutions.acquire(options, labelText);
    this.held.push(balanced);
    return balanced;
  }

  #queue(): QueueParams {
    const { httpQueueCapacity, config } = this.side;
    return { capacity: httpQueueCapacity, failfastTimeoutMs: config.failfastTimeoutMs };
  }
}

function unreachable(dispatcher: never): never {
  throw new Error(`not a dispatcher: ${JSON.stringify(dispatcher)}`);
}
