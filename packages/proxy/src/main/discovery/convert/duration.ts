import { InvalidMessage, required, within } from "./invalid-message.ts";

/** google.protobuf.Duration. */
interface ProtoDuration {
  readonly seconds: bigint;
  readonly nanos: number;
}

/** The duration in milliseconds; none is below zero. */
export function durationMs(duration: ProtoDuration): number {
  const ms = Number(duration.seconds) * 1000 + duration.nanos / 1e6;
  if (duration.seconds < 0n || duration.nanos < 0) throw new InvalidMessage("negative duration");
  if (duration.nanos > 999_999_999) throw new InvalidMessage("a duration's nanos make more than a second");
  return ms;
}

export function optionalDurationMs(duration: ProtoDuration | undefined): number | null {
  return duration === undefined ? null : durationMs(duration);
}

/** `name` is what is missing when it is. */
export function requiredDurationMs(duration: ProtoDuration | undefined, name: string): number {
  const present = required(duration, name);
  return within(name, () => durationMs(present));
}
