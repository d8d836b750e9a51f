import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { type Any, anyUnpack } from "@bufbuild/protobuf/wkt";
import { Metadata } from "./metadata.ts";
import { GrpcStatus, grpcStatusName } from "./status.ts";

export interface GrpcErrorOptions {
  /** Messages for `grpc-status-details-bin`, each packed with `anyPack`. */
  readonly details?: readonly Any[];
  /** Trailers: those received with the status, or those to send with it. */
  readonly metadata?: Metadata;
  readonly cause?: unknown;
}

/** How a call ended that didn't end with OK. A handler throws one to choose its status. */
export class GrpcError extends Error {
  override readonly name: string = "GrpcError";
  readonly code: GrpcStatus;
  /** The status message alone; `message` has the code's name before it. */
  readonly statusMessage: string;
  readonly details: readonly Any[];
  readonly metadata: Metadata;

  constructor(code: GrpcStatus, statusMessage: string, options: GrpcErrorOptions = {}) {
    super(statusMessage === "" ? grpcStatusName(code) : `${grpcStatusName(code)}: ${statusMessage}`, {
      cause: options.cause,
    });
    this.code = code;
    this.statusMessage = statusMessage;
    this.details = options.details ?? [];
    this.metadata = options.metadata ?? new Metadata();
  }

  /** The first detail of the schema's type, or undefined when there is none that decodes. */
  detail<D extends DescMessage>(schema: D): MessageShape<D> | undefined {
    for (const any of this.details) {
      const message = anyUnpack(any, schema);
      if (message !== undefined) return message;
    }
    return undefined;
  }
}

/** What a call ends with when `thrown` came out of a handler or an iterable: itself if a GrpcError, else UNKNOWN. */
export function toGrpcError(thrown: unknown): GrpcError {
  if (thrown instanceof GrpcError) return thrown;
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  return new GrpcError(GrpcStatus.Unknown, text, { cause: thrown });
}
