import type { MessageInitShape } from "@bufbuild/protobuf";
import type { DurationSchema } from "@bufbuild/protobuf/wkt";

/** What a `google.protobuf.Duration` is made from. */
export type DurationInit = MessageInitShape<typeof DurationSchema>;

/** @param ms not negative; may have a fraction */
export function durationMessage(ms: number): DurationInit {
  const seconds = Math.floor(ms / 1_000);
  return { seconds: BigInt(seconds), nanos: Math.round((ms - seconds * 1_000) * 1e6) };
}
