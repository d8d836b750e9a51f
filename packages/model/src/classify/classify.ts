/**
 * Whether a response is a success or a failure, for metrics, retries and breakers. A service profile's classes decide
 * first, the first that matches; else the gRPC status, from the head or the trailers; else the HTTP status.
 */
import { Verdict } from "../breaker/breaker.ts";
import type { ResponseClass, ResponseMatch } from "../types/profile.ts";

/** gRPC status codes that are the server's failure: unknown, deadline exceeded, permission denied, internal, unavailable, data loss. */
const GRPC_FAILURES: ReadonlySet<number> = new Set([2, 4, 7, 13, 14, 15]);
const GRPC_UNKNOWN = 2;
const GRPC_RESOURCE_EXHAUSTED = 8;
const GRPC_CODE_MAX = 16;
const TOO_MANY_REQUESTS = 429;

export const NO_GRPC_STATUS = -1;

/** What is known about one response; kept by who serves the request, and cleared for the next. */
export class Classification {
  /** False until trailers are needed and have not come. */
  decided: boolean;
  failure: boolean;
  /** The code metrics name, NO_GRPC_STATUS when the response was judged by its HTTP status. */
  grpcStatus: number;
  status: number;
  #grpc: boolean;

  constructor() {
    this.decided = false;
    this.failure = false;
    this.grpcStatus = NO_GRPC_STATUS;
    this.status = 0;
    this.#grpc = false;
  }

  /**
   * @param classes of the profile's route; empty where there are none
   * @param grpc whether the request's content-type starts with application/grpc
   * @param grpcStatus of the response's head, NO_GRPC_STATUS when it has none
   */
  head(classes: readonly ResponseClass[], grpc: boolean, status: number, grpcStatus: number): void {
    this.status = status;
    this.#grpc = grpc && classes.length === 0;
    this.grpcStatus = NO_GRPC_STATUS;
    for (const each of classes) {
      if (!matches(each.condition, status)) continue;
      this.#decide(each.failure);
      return;
    }
    if (grpcStatus !== NO_GRPC_STATUS && (classes.length > 0 || grpc)) {
      this.#decideGrpc(grpcStatus);
      return;
    }
    // Trailers may bring a status yet, and overrule this.
    this.#decide(isFailure(status, NO_GRPC_STATUS));
    this.decided = classes.length === 0 && !grpc;
  }

  /** The response is complete. @param grpcStatus of its trailers, NO_GRPC_STATUS when they have none */
  end(grpcStatus: number): void {
    if (this.decided) return;
    if (grpcStatus !== NO_GRPC_STATUS) {
      this.#decideGrpc(grpcStatus);
    } else if (this.#grpc) {
      // A call without a status counts as unknown in metrics, but not against the server: Linkerd's rule.
      this.grpcStatus = GRPC_UNKNOWN;
      this.#decide(false);
    }
    this.decided = true;
  }

  /** There was no response, or it broke off. */
  error(): void {
    this.#decide(true);
  }

  /** What a breaker makes of it. */
  verdict(): Verdict {
    return verdictOf(this.failure, this.status, this.grpcStatus);
  }

  #decideGrpc(grpcStatus: number): void {
    this.grpcStatus = grpcStatus;
    this.#decide(isFailure(this.status, grpcStatus));
  }

  #decide(failure: boolean): void {
    this.failure = failure;
    this.decided = true;
  }
}

/** Whether a complete response is its server's failure where no profile says otherwise. */
export function isFailure(status: number, grpcStatus: number): boolean {
  return grpcStatus === NO_GRPC_STATUS ? status >= 500 && status <= 599 : GRPC_FAILURES.has(grpcStatus);
}

/** What a breaker makes of a response whose class is known: being rate limited is no failure, but no success either. */
export function verdictOf(failure: boolean, status: number, grpcStatus: number): Verdict {
  if (failure) return Verdict.Failure;
  const limited = grpcStatus === NO_GRPC_STATUS ? status === TOO_MANY_REQUESTS : grpcStatus === GRPC_RESOURCE_EXHAUSTED;
  return limited ? Verdict.RateLimited : Verdict.Success;
}

/** The code a grpc-status field's value stands for; a number that is no code of gRPC counts as unknown. */
export function parseGrpcStatus(value: string): number {
  if (!/^[0-9]{1,5}$/.test(value)) return NO_GRPC_STATUS;
  const code = Number(value);
  return code <= GRPC_CODE_MAX ? code : GRPC_UNKNOWN;
}

/**
 * Whether a response's head makes a balancer penalise its endpoint: 429, 5xx, or a gRPC response that consists of its
 * status alone with resource exhausted, unavailable, unknown, deadline exceeded, internal or data loss.
 */
export function isPenalized(status: number, grpcStatus: number): boolean {
  if (status === TOO_MANY_REQUESTS || (status >= 500 && status <= 599)) return true;
  return status === 200 && GRPC_PENALIZED.has(grpcStatus);
}

const GRPC_PENALIZED: ReadonlySet<number> = new Set([2, 4, 8, 13, 14, 15]);

function matches(match: ResponseMatch, status: number): boolean {
  switch (match.kind) {
    case "all":
      for (const each of match.matches) if (!matches(each, status)) return false;
      return true;
    case "any":
      for (const each of match.matches) if (matches(each, status)) return true;
      return false;
    case "not":
      return !matches(match.match, status);
    case "status":
      return status >= match.min && status <= match.max;
    default:
      return unreachable(match);
  }
}

function unreachable(match: never): never {
  throw new Error(`not a response match: ${JSON.stringify(match)}`);
}
