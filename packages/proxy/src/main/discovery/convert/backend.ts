import type { outbound } from "@bowline/contracts/proto";
import type { Backend, Dispatcher, Distribution, LoadParams, Meta, RouteBackend } from "@bowline/model";
import { optionalDurationMs, requiredDurationMs } from "./duration.ts";
import { convertEndpoint } from "./endpoint-meta.ts";
import { InvalidMessage, required, within } from "./invalid-message.ts";
import { convertMeta } from "./meta.ts";

/** What a penalty-aware balancer takes for the times it is not told. */
const PENALTY_DEFAULTS = {
  defaultRttMs: 30,
  decayMs: 10_000,
  penaltyMs: 5_000,
  penaltyDecayMs: 10_000,
  retryAfterMaxMs: 300_000,
};

/** The shape that the distributions of all four kinds of routes share; they differ in their filters `F`. */
export interface ProtoDistribution<F> {
  readonly kind:
    | { readonly case: "empty" }
    | { readonly case: "firstAvailable"; readonly value: { readonly backends: readonly ProtoRouteBackend<F>[] } }
    | { readonly case: "randomAvailable"; readonly value: { readonly backends: readonly ProtoWeighted<F>[] } }
    | { readonly case: undefined };
}

interface ProtoRouteBackend<F> {
  readonly backend?: outbound.Backend | undefined;
  readonly filters: readonly F[];
}

interface ProtoWeighted<F> {
  readonly backend?: ProtoRouteBackend<F> | undefined;
  readonly weight: number;
}

/** Where a rule sends to. What is wrong about an endpoint that can be used without it goes to `note`. */
export function convertDistribution<P, F>(
  distribution: ProtoDistribution<P> | undefined,
  convertFilter: (filter: P) => F,
  note: (text: string) => void,
): Distribution<F> {
  const { kind } = required(distribution, "distribution");
  return within("distribution", () => {
    switch (kind.case) {
      case "empty":
        return { kind: "empty" };
      case "firstAvailable": {
        const backends = kind.value.backends.map((one) => convertRouteBackend(one, convertFilter, note));
        if (backends.length === 0) throw new InvalidMessage("a FirstAvailable distribution may not be empty");
        return { kind: "first", backends };
      }
      case "randomAvailable": {
        const backends = kind.value.backends.map(({ backend, weight }) => ({
          ...convertRouteBackend(required(backend, "backend of a weighted backend"), convertFilter, note),
          weight,
        }));
        if (backends.length === 0) throw new InvalidMessage("a RandomAvailable distribution may not be empty");
        return { kind: "random", backends };
      }
      case undefined:
        throw new InvalidMessage("missing distribution kind");
    }
  });
}

function convertRouteBackend<P, F>(
  { backend, filters }: ProtoRouteBackend<P>,
  convertFilter: (filter: P) => F,
  note: (text: string) => void,
): RouteBackend<F> {
  return within("backend", () => ({
    backend: convertBackend(required(backend, "backend"), note),
    filters: filters.map(convertFilter),
  }));
}

function convertBackend(backend: outbound.Backend, note: (text: string) => void): Backend {
  const meta = convertMeta(backend.metadata);
  const queue = required(backend.queue, "queue");
  return {
    meta,
    dispatcher: convertDispatcher(backend, meta, note),
    queue: {
      capacity: queue.capacity,
      failfastTimeoutMs: requiredDurationMs(queue.failfastTimeout, "queue failfast timeout"),
    },
  };
}

function convertDispatcher({ kind }: outbound.Backend, meta: Meta, note: (text: string) => void): Dispatcher {
  switch (kind.case) {
    case "balancer": {
      const discovery = required(kind.value.discovery, "balancer discovery");
      const { path } = required(discovery.kind.value, "discovery kind");
      return { kind: "balance", path, load: convertLoad(kind.value.load) };
    }
    case "forward": {
      const endpoint = convertEndpoint(kind.value, {}, note);
      if (endpoint === null) throw new InvalidMessage("invalid forward endpoint");
      return { kind: "forward", endpoint };
    }
    case undefined:
      return { kind: "fail", message: `backend for ${metaText(meta)} has no dispatcher` };
  }
}

function metaText({ kind, namespace, name }: Meta): string {
  return `${kind} ${namespace === "" ? "" : `${namespace}/`}${name}`;
}

function convertLoad(load: outbound.Backend_BalanceP2c["load"]): LoadParams {
  switch (load.case) {
    case "peakEwma":
      return {
        kind: "peak-ewma",
        defaultRttMs: requiredDurationMs(load.value.defaultRtt, "peak EWMA default RTT"),
        decayMs: requiredDurationMs(load.value.decay, "peak EWMA decay"),
      };
    case "penaltyPeakEwma":
      return within("penalty peak EWMA", () => ({
        kind: "penalty-peak-ewma",
        defaultRttMs: optionalDurationMs(load.value.defaultRtt) ?? PENALTY_DEFAULTS.defaultRttMs,
        decayMs: optionalDurationMs(load.value.decay) ?? PENALTY_DEFAULTS.decayMs,
        penaltyMs: optionalDurationMs(load.value.penalty) ?? PENALTY_DEFAULTS.penaltyMs,
        penaltyDecayMs: optionalDurationMs(load.value.penaltyDecay) ?? PENALTY_DEFAULTS.penaltyDecayMs,
        retryAfterMaxMs: optionalDurationMs(load.value.maxRetryAfter) ?? PENALTY_DEFAULTS.retryAfterMaxMs,
      }));
    case undefined:
      throw new InvalidMessage("missing balancer load");
  }
}
