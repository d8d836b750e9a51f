import { type Counter, type Histogram, joinLabels, type LabelPair, labels, type SeriesGroup } from "@bowline/metrics";
import { isFailure } from "@bowline/model";
import { type ErrorCode, ResetBy } from "@bowline/wire";
import { LATENCY, REQUESTS, RESPONSES } from "./families.ts";

/** In place of a status: a gRPC response that ended without one. Linkerd counts it as unknown, and yet as a success. */
export const MISSING_GRPC_STATUS = 17;
const UNKNOWN_GRPC_STATUS = 2;

/** Why there was no complete response, as the `error` label of response_total says it; one of a few texts. */
export type ResponseError = string;

export const UNCLASSIFIED: ResponseError = "unclassified";
/** The route's time for a response was over. */
export const TIMEOUT: ResponseError = "timeout";

/** By RFC 9113 §7's codes. */
const RESETS: readonly ResponseError[] = [
  "NO_ERROR",
  "PROTOCOL_ERROR",
  "INTERNAL_ERROR",
  "FLOW_CONTROL_ERROR",
  "SETTINGS_TIMEOUT",
  "STREAM_CLOSED",
  "FRAME_SIZE_ERROR",
  "REFUSED_STREAM",
  "CANCEL",
  "COMPRESSION_ERROR",
  "CONNECT_ERROR",
  "ENHANCE_YOUR_CALM",
  "INADEQUATE_SECURITY",
  "HTTP_1_1_REQUIRED",
].map((reason) => `h2(${reason})`);

/** The label for a response whose exchange has ended early. */
export function responseError(code: ErrorCode, by: ResetBy): ResponseError {
  return by === ResetBy.ConnectionLost ? UNCLASSIFIED : (RESETS[code] ?? UNCLASSIFIED);
}

/** The request and response series of one endpoint (proxy-facts §5.1). */
export class HttpSeries {
  readonly requests: Counter;
  readonly #group: SeriesGroup;
  readonly #labels: string;
  readonly #totals = new Map<number, Counter>();
  readonly #latencies = new Map<number, Histogram>();
  readonly #broken = new Map<string, Counter>();
  // Mostly the same as for the response before: no need to look it up.
  #lastTotalKey = 0;
  #lastTotal: Counter | null = null;
  #lastStatus = 0;
  #lastLatency: Histogram | null = null;

  constructor(group: SeriesGroup, labelText: string) {
    this.#group = group;
    this.#labels = labelText;
    this.requests = group.counter(REQUESTS, labelText);
  }

  /**
   * Complete responses.
   * @param grpcStatus 0 to 16, MISSING_GRPC_STATUS, or negative when the response is not gRPC's
   */
  total(status: number, grpcStatus: number): Counter {
    const key = status * 32 + grpcStatus + 1;
    if (key === this.#lastTotalKey) return this.#lastTotal!;
    let counter = this.#totals.get(key);
    if (counter === undefined) {
      counter = this.#makeTotal(status, grpcStatus);
      this.#totals.set(key, counter);
    }
    this.#lastTotalKey = key;
    this.#lastTotal = counter;
    return counter;
  }

  /** Time from a request's head to its response's, ms. */
  latencyMs(status: number): Histogram {
    if (status === this.#lastStatus) return this.#lastLatency!;
    let histogram = this.#latencies.get(status);
    if (histogram === undefined) {
      histogram = this.#group.histogram(LATENCY, joinLabels(this.#labels, labels([statusLabel(status)])));
      this.#latencies.set(status, histogram);
    }
    this.#lastStatus = status;
    this.#lastLatency = histogram;
    return histogram;
  }

  /** A request that got no response from its endpoint: no status code, a failure. */
  failed(error: ResponseError = UNCLASSIFIED): Counter {
    return this.broken(0, error);
  }

  /** A response that broke off after its head; 0 before there was one. */
  broken(status: number, error: ResponseError = UNCLASSIFIED): Counter {
    const key = `${status} ${error}`;
    let counter = this.#broken.get(key);
    if (counter === undefined) {
      const code = status === 0 ? [] : [statusLabel(status)];
      counter = this.#group.counter(RESPONSES, this.#responseLabels(code, "failure", "", error));
      this.#broken.set(key, counter);
    }
    return counter;
  }

  #makeTotal(status: number, grpcStatus: number): Counter {
    const grpc = grpcStatus === MISSING_GRPC_STATUS ? UNKNOWN_GRPC_STATUS : grpcStatus;
    const failure = isFailure(status, grpcStatus);
    return this.#group.counter(
      RESPONSES,
      this.#responseLabels([statusLabel(status)], failure ? "failure" : "success", grpc >= 0 ? String(grpc) : "", ""),
    );
  }

  #responseLabels(status: readonly LabelPair[], classification: string, grpcStatus: string, error: string): string {
    return joinLabels(
      this.#labels,
      labels([...status, ["classification", classification], ["grpc_status", grpcStatus], ["error", error]]),
    );
  }
}

function statusLabel(status: number): LabelPair {
  return ["status_code", String(status)];
}
