import { destination } from "@bowline/contracts/proto";
import { fromJson, type JsonValue } from "@bufbuild/protobuf";

/**
 * Reads `Http2ClientParams` as Linkerd's chart writes them: protobuf's JSON, but for durations, which are objects:
 * `{"keep_alive":{"interval":{"seconds":10},"timeout":{"seconds":3},"while_idle":true}}`.
 * @throws Error
 */
export function parseHttp2Params(text: string): destination.Http2ClientParams {
  const value: JsonValue = JSON.parse(text, (_key, one: unknown) => (isDuration(one) ? durationText(one) : one));
  return fromJson(destination.Http2ClientParamsSchema, value);
}

interface DurationObject {
  readonly seconds?: number;
  readonly nanos?: number;
}

function isDuration(value: unknown): value is DurationObject {
  if (typeof value !== "object" || value === null) return false;
  const names = Object.keys(value);
  return names.length > 0 && names.every((name) => name === "seconds" || name === "nanos");
}

function durationText({ seconds = 0, nanos = 0 }: DurationObject): string {
  return `${seconds}.${String(nanos).padStart(9, "0")}s`;
}
