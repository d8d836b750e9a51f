import type { destination, outbound } from "@bowline/contracts/proto";
import type { WatchSettings, WatchSource } from "./watch.ts";

/** The destination service. */
export interface DestinationService {
  /** By target: `ip:port` or `name:port`. */
  readonly profiles: WatchSource<string, destination.DestinationProfile>;
  /** By path: `name:port`. */
  readonly endpoints: WatchSource<string, destination.Update>;
  readonly settings: WatchSettings;
  /** Without a policy service, traffic waits this long for a profile, and then goes where it was going. */
  readonly profileInitialTimeoutMs: number;
}

/** The policy service. */
export interface PolicyService {
  /** By target: `ip:port` or `name:port`. */
  readonly policies: WatchSource<string, outbound.OutboundPolicy>;
  readonly settings: WatchSettings;
}
