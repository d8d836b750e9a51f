import { destination, outbound } from "@bowline/contracts/proto";
import { GrpcError, parseGrpcStatus } from "@bowline/grpc";
import { fromJson, type JsonObject } from "@bufbuild/protobuf";
import { Logger } from "../../../log/logger.ts";
import type { DestinationService, PolicyService } from "../sources.ts";
import type { WatchSettings } from "../watch.ts";
import { ScriptedSource } from "./scripted-source.ts";
import type { SimulatedClock } from "./simulated-clock.ts";

/** A control plane whose answers a test writes, without a network. */
export class ScriptedServices {
  readonly profiles: ScriptedSource<string, destination.DestinationProfile> = new ScriptedSource();
  readonly endpoints: ScriptedSource<string, destination.Update> = new ScriptedSource();
  readonly policies: ScriptedSource<string, outbound.OutboundPolicy> = new ScriptedSource();
  /** Lines of the log, with their levels. */
  readonly log: string[] = [];
  readonly logger: Logger;
  readonly destination: DestinationService;
  readonly policy: PolicyService;

  constructor(clock: SimulatedClock) {
    const settings: WatchSettings = {
      limits: { initialTimeoutMs: 3_000, idleTimeoutMs: 300_000, lifetimeMs: 3_600_000 },
      backoff: { minMs: 100, maxMs: 60_000, jitter: 0, respectRetryAfter: false },
      clock,
      random: () => 0,
    };
    this.destination = { profiles: this.profiles, endpoints: this.endpoints, settings, profileInitialTimeoutMs: 500 };
    this.policy = { policies: this.policies, settings };
    this.logger = new Logger({
      filter: "debug",
      thread: 1,
      emit: ({ level, message }) => this.log.push(`${level} ${message}`),
      now: () => 0,
    });
  }

  /** Streams that are open. */
  get held(): number {
    return this.profiles.held + this.endpoints.held + this.policies.held;
  }
}

export function failure(code: number): GrpcError {
  return new GrpcError(parseGrpcStatus(String(code)), "");
}

export function profileMessage(json: JsonObject): destination.DestinationProfile {
  return fromJson(destination.DestinationProfileSchema, json);
}

export function policyMessage(json: JsonObject): outbound.OutboundPolicy {
  return fromJson(outbound.OutboundPolicySchema, json);
}

/** 10.0.0.N:80 for each number. */
export function addMessage(...hosts: number[]): destination.Update {
  return fromJson(destination.UpdateSchema, { add: { addrs: hosts.map((host) => ({ addr: address(host) })) } });
}

export function removeMessage(...hosts: number[]): destination.Update {
  return fromJson(destination.UpdateSchema, { remove: { addrs: hosts.map(address) } });
}

export function noEndpointsMessage(exists: boolean): destination.Update {
  return fromJson(destination.UpdateSchema, { noEndpoints: { exists } });
}

function address(host: number): JsonObject {
  return { ip: { ipv4: 0x0a00_0000 + host }, port: 80 };
}
