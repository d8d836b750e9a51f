import type { EndpointMeta, EndpointsUpdate, Outbound } from "@bowline/model";
import type { FromData, ToData } from "../../boundary.ts";
import type { Logger } from "../../log/logger.ts";
import { EndpointsWatch } from "./endpoints-watch.ts";
import { OutboundWatch, type Patience } from "./outbound-watch.ts";
import type { DestinationService, PolicyService } from "./sources.ts";

/** What data threads ask of discovery. */
export type DiscoveryRequest = Extract<FromData, { kind: "discover" | "undiscover" | "resolve" | "unresolve" }>;
type DiscoveryAnswer = Extract<ToData, { kind: "outbound" | "endpoints" }>;

/** One life of a data thread, as discovery sees it. */
export interface Holder {
  answer(message: DiscoveryAnswer): void;
}

export interface DiscoveryOptions {
  readonly destination: DestinationService | null;
  readonly policy: PolicyService | null;
  /** Whether the profile of this target is asked for. */
  readonly searchesProfile: (target: string) => boolean;
  readonly log: Logger;
}

/** What data threads were last told; plain JSON, for people. */
export interface Told {
  /** Original destinations, with what is known about each; null before anything is. */
  readonly targets: readonly { readonly target: string; readonly outbound: Outbound | null }[];
  /** Names with their endpoints. Whether there is such a service is null before anything is known. */
  readonly services: readonly {
    readonly authority: string;
    readonly exists: boolean | null;
    readonly endpoints: readonly EndpointMeta[];
  }[];
}

/**
 * What the control plane knows, shared among the data threads: there is one watch for each target and path, from the
 * first thread that asks for it until the last lets go.
 *
 * With a policy service alone, policies are followed but no service can be resolved: every path is said not to exist, and
 * requests to it fail. With a destination service alone, profiles decide, as in Linkerd before there were policies.
 */
export class Discovery {
  readonly #patience: Patience = { silent: false };
  readonly #options: DiscoveryOptions;
  readonly #targets = new Map<string, Shared<OutboundWatch>>();
  readonly #paths = new Map<string, Shared<EndpointsWatch | null>>();

  constructor(options: DiscoveryOptions) {
    this.#options = options;
  }

  handle(holder: Holder, request: DiscoveryRequest): void {
    switch (request.kind) {
      case "discover":
        this.#discover(holder, request.target);
        break;
      case "undiscover":
        release(this.#targets, request.target, holder);
        break;
      case "resolve":
        this.#resolve(holder, request.path);
        break;
      case "unresolve":
        release(this.#paths, request.path, holder);
        break;
    }
  }

  /** The data thread is gone, and with it everything it held. */
  releaseAll(holder: Holder): void {
    for (const target of this.#targets.keys()) release(this.#targets, target, holder);
    for (const path of this.#paths.keys()) release(this.#paths, path, holder);
  }

  told(): Told {
    return {
      targets: [...this.#targets].map(([target, { watch }]) => ({ target, outbound: watch.outbound })),
      services: [...this.#paths].map(([authority, { watch }]) => {
        const whole = watch === null ? NOT_RESOLVABLE : watch.whole();
        return {
          authority,
          exists: whole === null ? null : whole.kind !== "gone" || whole.exists,
          endpoints: whole?.kind === "reset" ? whole.endpoints : [],
        };
      }),
    };
  }

  /** Cancels every stream. */
  stop(): void {
    for (const { watch } of this.#targets.values()) watch.stop();
    for (const { watch } of this.#paths.values()) watch?.stop();
    this.#targets.clear();
    this.#paths.clear();
  }

  #discover(holder: Holder, target: string): void {
    const known = this.#targets.get(target);
    if (known !== undefined) {
      known.holders.add(holder);
      const { outbound } = known.watch;
      if (outbound !== null) holder.answer({ kind: "outbound", target, outbound });
      return;
    }
    const { destination, policy, searchesProfile, log } = this.#options;
    const holders = new Set([holder]);
    const watch = new OutboundWatch(
      target,
      searchesProfile(target) ? destination : null,
      policy,
      log,
      this.#patience,
      (outbound) => {
        for (const each of holders) each.answer({ kind: "outbound", target, outbound });
      },
    );
    this.#targets.set(target, { watch, holders });
    watch.start();
  }

  #resolve(holder: Holder, path: string): void {
    const known = this.#paths.get(path);
    if (known !== undefined) {
      known.holders.add(holder);
      const whole = known.watch === null ? NOT_RESOLVABLE : known.watch.whole();
      if (whole !== null) holder.answer({ kind: "endpoints", path, update: whole });
      return;
    }
    const { destination, log } = this.#options;
    const holders = new Set([holder]);
    const say = (update: EndpointsUpdate): void => {
      for (const each of holders) each.answer({ kind: "endpoints", path, update });
    };
    const watch = destination === null ? null : new EndpointsWatch(path, destination, log, say);
    this.#paths.set(path, { watch, holders });
    if (watch === null) say(NOT_RESOLVABLE);
    else watch.start();
  }
}

/** A watch and the data threads that hold it; never none. */
interface Shared<W> {
  readonly watch: W;
  readonly holders: Set<Holder>;
}

const NOT_RESOLVABLE: EndpointsUpdate = { kind: "gone", exists: false };

function release(all: Map<string, Shared<{ stop(): void } | null>>, key: string, holder: Holder): void {
  const shared = all.get(key);
  if (shared === undefined || !shared.holders.delete(holder) || shared.holders.size > 0) return;
  all.delete(key);
  shared.watch?.stop();
}
