/** gRPC status codes that a watch tells apart. Source: gRPC's statuscodes.md. */
export const StatusCode = {
  Unknown: 2,
  InvalidArgument: 3,
  DeadlineExceeded: 4,
  NotFound: 5,
  FailedPrecondition: 9,
  Unimplemented: 12,
  Unavailable: 14,
} as const;

/** Why a stream of the control plane ended. */
export class WatchFailure extends Error {
  /** A gRPC status code. */
  readonly code: number;

  constructor(code: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "WatchFailure";
    this.code = code;
  }
}

/** A call of the control plane that answers with a stream. */
export interface WatchSource<Request, Item> {
  /**
   * Starts the call. The stream ends when the server ended it in good order, and throws a WatchFailure otherwise.
   * Aborting the signal cancels the call; what the stream does from then on is of no interest to anyone.
   */
  open(request: Request, signal: AbortSignal): AsyncIterable<Item>;
}
