/** What the filters of a rule or a backend do to a request and its response, as decisions for the data path to carry out. */
import type { GrpcFilter, HeaderEdits, HttpFilter, Ratio } from "../types/route.ts";
import { type RedirectTarget, redirectLocation } from "./redirect.ts";

/** Ends the request here. */
export type FilterAnswer =
  | { readonly kind: "fail"; readonly status: number; readonly message: string }
  | { readonly kind: "grpc-fail"; readonly code: number; readonly message: string }
  | { readonly kind: "redirect"; readonly status: number; readonly location: string }
  /** The policy's fault: 500. */
  | { readonly kind: "error"; readonly message: string };

export class FilterChain {
  /** To be applied one after the other to a request that gets no answer here; empty most of the time. */
  readonly requestEdits: readonly HeaderEdits[];
  /** As for requests, to the responses of the backend. */
  readonly responseEdits: readonly HeaderEdits[];
  #deciding: (HttpFilter | GrpcFilter)[];

  constructor(filters: readonly (HttpFilter | GrpcFilter)[]) {
    this.requestEdits = filters.filter((filter) => filter.kind === "request-headers");
    this.responseEdits = filters.filter((filter) => filter.kind === "response-headers");
    this.#deciding = filters.filter(
      (filter) => filter.kind !== "request-headers" && filter.kind !== "response-headers",
    );
  }

  /** Whether `answer` can ever give one: where not, the request's target need not be put together. */
  get decides(): boolean {
    return this.#deciding.length > 0;
  }

  /**
   * null lets the request pass.
   *
   * @param prefixLength what a prefix match of the rule took of the path, null when it matched otherwise
   * @param random uniform in [0, 1)
   */
  answer(target: RedirectTarget, prefixLength: number | null, random: () => number): FilterAnswer | null {
    for (const filter of this.#deciding) {
      const answer = decide(filter, target, prefixLength, random);
      if (answer !== null) return answer;
    }
    return null;
  }
}

function decide(
  filter: HttpFilter | GrpcFilter,
  target: RedirectTarget,
  prefixLength: number | null,
  random: () => number,
): FilterAnswer | null {
  switch (filter.kind) {
    case "fail":
      if (!strikes(filter.ratio, random)) return null;
      return { kind: "fail", status: filter.status, message: filter.message };
    case "grpc-fail":
      if (!strikes(filter.ratio, random)) return null;
      return { kind: "grpc-fail", code: filter.code, message: filter.message };
    case "redirect":
      return redirectLocation(filter, target, prefixLength);
    case "error":
      return { kind: "error", message: filter.message };
    case "request-headers":
    case "response-headers":
      return null;
    default:
      return unreachable(filter);
  }
}

function strikes(ratio: Ratio, random: () => number): boolean {
  return random() * ratio.denominator < ratio.numerator;
}

/** What makes a ratio unusable, null when nothing does. */
export function ratioFault(ratio: Ratio): string | null {
  if (ratio.denominator > 0 && ratio.numerator >= 0 && ratio.numerator <= ratio.denominator) return null;
  return `a ratio of ${ratio.numerator} in ${ratio.denominator} is not between 0 and 1`;
}

function unreachable(filter: never): never {
  throw new Error(`not a filter: ${JSON.stringify(filter)}`);
}
