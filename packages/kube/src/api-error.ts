import type { Status, StatusDetails } from "./types.ts";

/** A refusal in the terms of the Kubernetes API: what a server answered, or what our own API server is to answer. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  /** HTTP status. */
  readonly code: number;
  /** The API's word for the cause: NotFound, Conflict, Invalid, Expired … */
  readonly reason: string;
  readonly details: StatusDetails | undefined;

  constructor(code: number, reason: string, message: string, details?: StatusDetails, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.reason = reason;
    this.details = details;
  }

  static badRequest(message: string): ApiError {
    return new ApiError(400, "BadRequest", message);
  }

  static unauthorized(message = "Unauthorized"): ApiError {
    return new ApiError(401, "Unauthorized", message);
  }

  static forbidden(resource: string, name: string, why: string): ApiError {
    const subject = name === "" ? `${resource} is forbidden` : `${resource} "${name}" is forbidden`;
    return new ApiError(403, "Forbidden", `${subject}: ${why}`, detailsOf(resource, name));
  }

  /** `resource` as messages name it: plural, and group unless it is the core's ("deployments.apps"). */
  static notFound(resource: string, name: string): ApiError {
    return new ApiError(404, "NotFound", `${resource} "${name}" not found`, detailsOf(resource, name));
  }

  static methodNotAllowed(method: string): ApiError {
    return new ApiError(
      405,
      "MethodNotAllowed",
      `the server does not allow this method on the requested resource: ${method}`,
    );
  }

  static alreadyExists(resource: string, name: string): ApiError {
    return new ApiError(409, "AlreadyExists", `${resource} "${name}" already exists`, detailsOf(resource, name));
  }

  static conflict(resource: string, name: string, why: string): ApiError {
    const message = `Operation cannot be fulfilled on ${resource} "${name}": ${why}`;
    return new ApiError(409, "Conflict", message, detailsOf(resource, name));
  }

  /** 410: the version asked for is no longer remembered; list again. */
  static expired(message = "The resourceVersion for the provided watch is too old."): ApiError {
    return new ApiError(410, "Expired", message);
  }

  static unsupportedMediaType(message: string): ApiError {
    return new ApiError(415, "UnsupportedMediaType", message);
  }

  /** 422 with the path of every field that is at fault. */
  static invalid(kind: string, name: string, causes: readonly FieldCause[], group = ""): ApiError {
    const said = causes.map((cause) => `${cause.field}: ${cause.message}`);
    const list = said.length === 1 ? said[0] : `[${said.join(", ")}]`;
    const full = group === "" ? kind : `${kind}.${group}`;
    return new ApiError(422, "Invalid", `${full} "${name}" is invalid: ${list}`, {
      name,
      kind,
      ...(group === "" ? {} : { group }),
      causes: causes.map(({ field, message, reason = "FieldValueInvalid" }) => ({ reason, message, field })),
    });
  }

  static internal(message: string, options?: ErrorOptions): ApiError {
    return new ApiError(500, "InternalError", message, undefined, options);
  }

  /** The error that a Status describes; `code` is used where it gives none. */
  static fromStatus(status: Partial<Status>, code = 500): ApiError {
    const actual = status.code ?? code;
    return new ApiError(
      actual,
      status.reason ?? REASONS[actual] ?? "Unknown",
      status.message ?? `the server answered ${actual}`,
      status.details,
    );
  }

  toStatus(): Status {
    return {
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message: this.message,
      reason: this.reason,
      ...(this.details === undefined ? {} : { details: this.details }),
      code: this.code,
    };
  }
}

export interface FieldCause {
  /** As in "spec.containers[0].name". */
  readonly field: string;
  readonly message: string;
  /** FieldValueInvalid (the default), FieldValueRequired, FieldValueNotSupported, FieldValueDuplicate … */
  readonly reason?: string;
}

/** Reasons for answers that carry no Status, such as those of a load balancer in front of the API server. */
const REASONS: Readonly<Record<number, string>> = {
  400: "BadRequest",
  401: "Unauthorized",
  403: "Forbidden",
  404: "NotFound",
  405: "MethodNotAllowed",
  409: "Conflict",
  410: "Expired",
  415: "UnsupportedMediaType",
  422: "Invalid",
  429: "TooManyRequests",
  500: "InternalError",
  503: "ServiceUnavailable",
  504: "Timeout",
};

function detailsOf(resource: string, name: string): StatusDetails {
  const dot = resource.indexOf(".");
  return {
    ...(name === "" ? {} : { name }),
    ...(dot < 0 ? {} : { group: resource.slice(dot + 1) }),
    kind: dot < 0 ? resource : resource.slice(0, dot),
  };
}
