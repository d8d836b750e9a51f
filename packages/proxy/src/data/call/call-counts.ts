import type { Histogram } from "@bowline/metrics";
import { NO_GRPC_STATUS } from "@bowline/model";
import type { FieldList } from "@bowline/wire";
import type { Side } from "../side.ts";
import type { Target } from "../target.ts";
import { type HttpSeries, MISSING_GRPC_STATUS, type ResponseError } from "../telemetry/http-series.ts";
import type { InboundRouteSeries } from "../telemetry/inbound-route-series.ts";
import { authorityOf } from "./authority.ts";

/** What is counted of one call, beside what its route counts. Reused with the call. */
export class CallCounts {
  /** Where the sizes of body pieces are counted; null where they are not. */
  requestFrames: Histogram | null = null;
  responseFrames: Histogram | null = null;
  readonly #side: Side;
  /** The series of its endpoint; null until there has been one. */
  #http: HttpSeries | null = null;
  /** The route that let it in, until what became of it has been counted; null outbound. */
  #route: InboundRouteSeries | null = null;
  #startMs = 0;
  /** When all of the request was on its way; infinite before. */
  #sentMs = Number.POSITIVE_INFINITY;
  /** The endpoint's series have the request. */
  #requested = false;

  constructor(side: Side) {
    this.#side = side;
  }

  begin(origin: Target, startMs: number): void {
    this.#startMs = startMs;
    this.#sentMs = Number.POSITIVE_INFINITY;
    const route = origin.series.inboundRoute();
    this.#route = route;
    if (route === null) {
      this.requestFrames = null;
      this.responseFrames = null;
    } else {
      route.requests.value += 1;
      this.requestFrames = route.requestFrames;
      this.responseFrames = route.responseFrames;
    }
  }

  /** An endpoint has been picked. */
  assigned({ series }: Target, head: FieldList): void {
    this.#http = this.#side.authorityLabels ? series.httpOf(authorityOf(head)) : series.http;
    this.#requested = false;
    this.#sentMs = Number.POSITIVE_INFINITY;
  }

  /** The request counts for its endpoint, once for each that was picked. */
  requested(): void {
    if (this.#requested) return;
    this.#requested = true;
    this.#http!.requests.value += 1;
  }

  /** All of the request is on its way. */
  sent(): void {
    this.#sentMs = this.#side.plane.reactor.nowMs;
  }

  responded(status: number): void {
    this.#http!.latencyMs(status).observe(this.#side.plane.reactor.nowMs - this.#startMs);
  }

  /** A response counts as it is. Returns the gRPC status that it counts with. */
  complete(status: number, grpcStatus: number, grpc: boolean): number {
    const counted = grpc && grpcStatus === NO_GRPC_STATUS ? MISSING_GRPC_STATUS : grpcStatus;
    this.#http!.total(status, counted).value += 1;
    return counted;
  }

  /** A response counts as failed; 0 before there was a status. */
  broken(status: number, error: ResponseError): void {
    this.#http!.broken(status, error).value += 1;
  }

  /** The call is over for the route that let it in. */
  ended(status: number): void {
    const route = this.#route;
    if (route === null) return;
    this.#route = null;
    route.ended(status, this.#startMs, this.#sentMs, this.#side.plane.reactor.nowMs);
  }
}
