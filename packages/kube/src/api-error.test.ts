import { expect, test } from "bun:test";
import { ApiError } from "./api-error.ts";

const ROWS: [error: ApiError, code: number, reason: string, message: string][] = [
  [ApiError.notFound("deployments.apps", "web"), 404, "NotFound", 'deployments.apps "web" not found'],
  [ApiError.alreadyExists("pods", "a"), 409, "AlreadyExists", 'pods "a" already exists'],
  [ApiError.conflict("pods", "a", "changed"), 409, "Conflict", 'cannot be fulfilled on pods "a": changed'],
  [ApiError.expired(), 410, "Expired", "too old"],
  [ApiError.forbidden("pods", "", "no"), 403, "Forbidden", "pods is forbidden: no"],
  [ApiError.badRequest("bad"), 400, "BadRequest", "bad"],
  [ApiError.unauthorized(), 401, "Unauthorized", "Unauthorized"],
  [ApiError.methodNotAllowed("PUT"), 405, "MethodNotAllowed", "PUT"],
  [ApiError.unsupportedMediaType("text"), 415, "UnsupportedMediaType", "text"],
  [ApiError.internal("ours"), 500, "InternalError", "ours"],
];

test("codes, reasons and messages", () => {
  for (const [error, code, reason, message] of ROWS) {
    expect(error).toMatchObject({ code, reason });
    expect(error.message).toContain(message);
  }
});

test("a Status tells an error whole", () => {
  const error = ApiError.invalid(
    "Deployment",
    "web",
    [
      { field: "spec.replicas", message: "Invalid value: -1: must be greater than or equal to 0" },
      { field: "spec.selector", message: "Required value", reason: "FieldValueRequired" },
    ],
    "apps",
  );
  expect(error.message).toBe(
    'Deployment.apps "web" is invalid: [spec.replicas: Invalid value: -1: must be greater than or equal to 0, ' +
      "spec.selector: Required value]",
  );
  const status = error.toStatus();
  expect(status).toMatchObject({ kind: "Status", status: "Failure", code: 422, reason: "Invalid" });
  expect(status.details?.causes?.map(({ field, reason }) => [field, reason])).toEqual([
    ["spec.replicas", "FieldValueInvalid"],
    ["spec.selector", "FieldValueRequired"],
  ]);
  const again = ApiError.fromStatus(status);
  expect(again.toStatus()).toEqual(status);
});

test("an answer without a Status still has a reason", () => {
  expect(ApiError.fromStatus({}, 503)).toMatchObject({ code: 503, reason: "ServiceUnavailable" });
});
