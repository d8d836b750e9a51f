import { GrpcStatus } from "@bowline/contracts";
import { Errno } from "@bowline/loop";

/** Everything that can go wrong with a request or connection, as numbers for the hot path. */
export const Cause = {
  ConnectRefused: 0,
  ConnectTimeout: 1,
  ConnectUnreachable: 2,
  ConnectFailed: 3,
  NoSockets: 4,
  UpstreamClosed: 5,
  UpstreamReset: 6,
  BadResponse: 7,
  LoadShed: 8,
  InboundLoop: 9,
  OutboundLoop: 10,
  BadRequest: 11,
  HeadTooLarge: 12,
  HeadTimeout: 13,
  DestinationNotAllowed: 14,
  ResponseTruncated: 15,
  TlsDetectTimeout: 16,
  Failfast: 17,
  RouteNotFound: 18,
  RouteTimeout: 19,
  InvalidPolicy: 20,
  NoDispatcher: 21,
  Forbidden: 22,
} as const;
export type Cause = (typeof Cause)[keyof typeof Cause];

/** The `error` label of Linkerd's *_errors_total families. */
type ErrorLabel = "i/o" | "failfast" | "loadshed" | "response timeout" | "tls detection timeout" | "unexpected";

export interface Failure {
  /** The stable, machine-readable name: in the response, the metric and the log. */
  readonly name: string;
  /** HTTP status of the synthesised response; 0 where none is possible any more. */
  readonly status: number;
  /** The same for gRPC (https://grpc.io/docs/guides/status-codes). */
  readonly grpcStatus: number;
  readonly errorLabel: ErrorLabel;
  /** For people, in `l5d-proxy-error` and the log. */
  readonly message: string;
  /** The request itself is at fault: its sender may be told why, whoever it is. */
  readonly clientFault: boolean;
  /** The client's connection is closed with it, so that its next request may go better on another. */
  readonly closes: boolean;
}

/** What says nothing about the connection: the next request may be another matter. */
const KEPT_OPEN: ReadonlySet<string> = new Set(["route-not-found", "route-timeout", "forbidden"]);

function failure(
  name: string,
  status: number,
  grpcStatus: number,
  errorLabel: ErrorLabel,
  message: string,
  clientFault = false,
): Failure {
  return { name, status, grpcStatus, errorLabel, message, clientFault, closes: !KEPT_OPEN.has(name) };
}

/** The one table of failures (proxy-facts §4.11): statuses, metric label, name and text of each cause. */
export const FAILURES: Readonly<Record<Cause, Failure>> = {
  [Cause.ConnectRefused]: failure("connect-refused", 502, GrpcStatus.Unavailable, "i/o", "connection refused"),
  [Cause.ConnectTimeout]: failure("connect-timeout", 504, GrpcStatus.DeadlineExceeded, "i/o", "connect timed out"),
  [Cause.ConnectUnreachable]: failure(
    "connect-unreachable",
    502,
    GrpcStatus.Unavailable,
    "i/o",
    "destination unreachable",
  ),
  [Cause.ConnectFailed]: failure("connect-failed", 502, GrpcStatus.Unavailable, "i/o", "connect failed"),
  [Cause.NoSockets]: failure(
    "no-sockets",
    503,
    GrpcStatus.Unavailable,
    "loadshed",
    "no file descriptor left for a connection",
  ),
  [Cause.UpstreamClosed]: failure(
    "upstream-closed",
    502,
    GrpcStatus.Unavailable,
    "i/o",
    "connection closed before a response",
  ),
  [Cause.UpstreamReset]: failure(
    "upstream-reset",
    502,
    GrpcStatus.Unavailable,
    "i/o",
    "connection reset before a response",
  ),
  [Cause.BadResponse]: failure(
    "bad-response",
    502,
    GrpcStatus.Unavailable,
    "unexpected",
    "the response is not valid HTTP",
  ),
  [Cause.LoadShed]: failure("load-shed", 503, GrpcStatus.Unavailable, "loadshed", "too many requests in flight"),
  [Cause.InboundLoop]: failure(
    "inbound-loop",
    403,
    GrpcStatus.PermissionDenied,
    "unexpected",
    "the request is addressed to the proxy itself",
  ),
  [Cause.OutboundLoop]: failure(
    "outbound-loop",
    502,
    GrpcStatus.Unavailable,
    "i/o",
    "the request is addressed to the proxy itself",
  ),
  [Cause.BadRequest]: failure(
    "bad-request",
    400,
    GrpcStatus.InvalidArgument,
    "unexpected",
    "the request is not valid HTTP",
    true,
  ),
  [Cause.HeadTooLarge]: failure(
    "head-too-large",
    431,
    GrpcStatus.ResourceExhausted,
    "unexpected",
    "the request head is too large",
    true,
  ),
  [Cause.HeadTimeout]: failure(
    "head-timeout",
    408,
    GrpcStatus.DeadlineExceeded,
    "unexpected",
    "the request head did not arrive in time",
    true,
  ),
  [Cause.DestinationNotAllowed]: failure(
    "destination-not-allowed",
    0,
    GrpcStatus.PermissionDenied,
    "unexpected",
    "not an address of this pod",
  ),
  [Cause.ResponseTruncated]: failure(
    "response-truncated",
    0,
    GrpcStatus.Unavailable,
    "i/o",
    "connection lost within a response",
  ),
  [Cause.TlsDetectTimeout]: failure(
    "tls-detect-timeout",
    0,
    GrpcStatus.DeadlineExceeded,
    "tls detection timeout",
    "no complete ClientHello in time",
  ),
  [Cause.Failfast]: failure(
    "failfast",
    504,
    GrpcStatus.DeadlineExceeded,
    "failfast",
    "no endpoint could be reached in time",
  ),
  [Cause.RouteNotFound]: failure(
    "route-not-found",
    404,
    GrpcStatus.NotFound,
    "unexpected",
    "no route matches the request",
  ),
  [Cause.RouteTimeout]: failure(
    "route-timeout",
    504,
    GrpcStatus.DeadlineExceeded,
    "response timeout",
    "the route's time for a response is over",
  ),
  [Cause.InvalidPolicy]: failure(
    "invalid-policy",
    500,
    GrpcStatus.Internal,
    "unexpected",
    "the control plane sent a policy that cannot be followed",
  ),
  [Cause.NoDispatcher]: failure(
    "no-dispatcher",
    502,
    GrpcStatus.Unavailable,
    "unexpected",
    "the backend has no dispatcher",
  ),
  [Cause.Forbidden]: failure(
    "forbidden",
    403,
    GrpcStatus.PermissionDenied,
    "unexpected",
    "the route forbids the connection",
  ),
};

/** The server took no connection: of the request it has got nothing, so that it may be sent to another (RFC 9113 §8.7). */
export function tookNoConnection(cause: Cause): boolean {
  return cause === Cause.ConnectRefused || cause === Cause.ConnectTimeout;
}

/** The cause for an errno that connecting ended with. */
export function connectCause(errno: number): Cause {
  switch (errno) {
    case Errno.ECONNREFUSED:
      return Cause.ConnectRefused;
    case Errno.ETIMEDOUT:
      return Cause.ConnectTimeout;
    case Errno.EHOSTUNREACH:
    case Errno.ENETUNREACH:
    case Errno.ENETDOWN:
      return Cause.ConnectUnreachable;
    case Errno.EMFILE:
    case Errno.ENFILE:
    case Errno.ENOBUFS:
    case Errno.ENOMEM:
    case Errno.EADDRNOTAVAIL:
      return Cause.NoSockets;
    default:
      return Cause.ConnectFailed;
  }
}
