import type { SeriesGroup } from "@bowline/metrics";
import type { EndpointMeta, FailureAccrual, Meta, Backend as ModelBackend, QueueParams } from "@bowline/model";
import { type Backend, Forward, Undispatchable } from "../pool/backend.ts";
import type { BalancedOptions } from "../pool/balanced.ts";
import type { Resolutions } from "../pool/resolutions.ts";
import type { Side } from "../side.ts";
import type { Target } from "../target.ts";
import type { Held } from "./routing.ts";
import { type BalancerPlace, HTTP_TRANSPORT, serviceMeta, type Transport } from "./transport.ts";

const DEFAULT_LOAD = { kind: "peak-ewma", defaultRttMs: 30, decayMs: 10_000 } as const;

/** Makes what the routes of one routing lead to, and remembers what of it has to be released with the routing. */
export class Backends {
  readonly side: Side;
  readonly group: SeriesGroup;
  /** Where the client's connection was going. */
  readonly target: Target;
  readonly held: Held[] = [];
  readonly #resolutions: Resolutions;

  constructor(side: Side, resolutions: Resolutions, target: Target, group: SeriesGroup) {
    this.side = side;
    this.#resolutions = resolutions;
    this.target = target;
    this.group = group;
    group.pin();
    this.held.push({ release: () => group.retire() });
  }

  /** A backend of a policy. */
  of(backend: ModelBackend, parent: Meta, accrual: FailureAccrual | null, transport: Transport): Backend {
    const { dispatcher } = backend;
    switch (dispatcher.kind) {
      case "balance": {
        const { path, load } = dispatcher;
        const place = { parent, backend: backend.meta, logical: this.target.name, concrete: path };
        return this.#balanced({ path, load, queue: backend.queue, accrual }, transport, place);
      }
      case "forward":
        return this.endpoint(dispatcher.endpoint);
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

  /** One endpoint, by itself. */
  endpoint(endpoint: EndpointMeta): Backend {
    const target = this.#resolutions.forwards.acquire(endpoint);
    this.held.push({ release: () => this.#resolutions.forwards.release(target) });
    return new Forward(this.side, target);
  }

  /**
   * A service that a profile names.
   * @param path `name:port`
   * @param backend what the control plane says it is
   */
  service(path: string, parent: Meta, backend: Meta | null, transport: Transport): Backend {
    const options = { path, load: DEFAULT_LOAD, queue: this.#queue(transport), accrual: null };
    const place = { parent, backend: backend ?? serviceMeta(path), logical: this.target.name, concrete: path };
    return this.#balanced(options, transport, place);
  }

  #balanced(options: BalancedOptions, transport: Transport, place: BalancerPlace): Backend {
    const balanced = this.#resolutions.acquire(options, transport.balancer, transport.labels(place));
    this.held.push({ release: () => this.#resolutions.release(balanced) });
    return balanced;
  }

  #queue(transport: Transport): QueueParams {
    const { httpQueueCapacity, config, plane } = this.side;
    if (transport !== HTTP_TRANSPORT) {
      const { outboundTcpCapacity, outboundTcpFailfastTimeoutMs } = plane.config.queues;
      return { capacity: outboundTcpCapacity, failfastTimeoutMs: outboundTcpFailfastTimeoutMs };
    }
    return { capacity: httpQueueCapacity, failfastTimeoutMs: config.failfastTimeoutMs };
  }
}

function unreachable(dispatcher: never): never {
  throw new Error(`not a dispatcher: ${JSON.stringify(dispatcher)}`);
}
