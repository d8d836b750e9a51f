import { isDeepStrictEqual } from "node:util";
import type { destination, outbound } from "@bowline/contracts/proto";
import { type GrpcError, GrpcStatus } from "@bowline/grpc";
import type { Outbound, Profile } from "@bowline/model";
import type { Logger } from "../../log/logger.ts";
import { InvalidMessage } from "./convert/invalid-message.ts";
import { convertPolicy } from "./convert/policy.ts";
import { convertProfile } from "./convert/profile.ts";
import type { DestinationService, PolicyService } from "./sources.ts";
import { Watch } from "./watch.ts";
import { WatchLog } from "./watch-log.ts";

/** What the policy service has answered; undefined as long as it has not. */
type PolicyAnswer = Pick<Outbound, "policy" | "invalid"> | undefined;

/** Shared by all targets: whether the last one that waited for a profile waited in vain. */
export interface Patience {
  silent: boolean;
}

/**
 * What is known about one outbound target: its profile and its policy, watched side by side.
 *
 * Nothing is said before the policy service has answered, however long that takes: traffic must not slip past a policy
 * because the control plane is away. The profile is waited for as well, except that a profile that cannot be had is done
 * without where there is a policy to follow; it is asked for all the same, and said when it comes. Where no policy service
 * is configured there is no policy to slip past: a profile is then waited for only for a moment, and not at all after that
 * has been in vain until somebody answers again.
 *
 *   policy status          means                                     then
 *   ─────────────────────  ────────────────────────────────────────  ─────────────────────────
 *   NOT_FOUND,             no policy: fall back to the profile or     final
 *   UNIMPLEMENTED            to the original destination
 *   INVALID_ARGUMENT,      nothing may be sent there; what was known  final
 *   FAILED_PRECONDITION      before stays in force
 *   any other, or an end   what was known stays in force              asked again, with back-off
 *
 *   profile status
 *   ─────────────────────
 *   INVALID_ARGUMENT,      no profile; what was known stays           final
 *   FAILED_PRECONDITION
 *   UNAVAILABLE,           nobody answered                            asked again, with back-off
 *   DEADLINE_EXCEEDED
 *   any other              no profile; what was known stays           asked again, with back-off
 */
export class OutboundWatch {
  readonly #say: (outbound: Outbound) => void;
  readonly #profileLog: WatchLog;
  readonly #policyLog: WatchLog;
  readonly #profileWatch: Watch<string, destination.DestinationProfile> | null;
  readonly #policyWatch: Watch<string, outbound.OutboundPolicy> | null;
  /** undefined as long as nobody has answered. */
  #profile: Profile | null | undefined;
  #profileAway = false;
  readonly #patience: Patience;
  #stopWaiting: () => void = () => undefined;
  #policy: PolicyAnswer;
  /** What was said last; null before anything was. */
  #outbound: Outbound | null = null;

  /** A service that is null is not asked: there is no profile then, or no policy. */
  constructor(
    target: string,
    destination: DestinationService | null,
    policy: PolicyService | null,
    log: Logger,
    patience: Patience,
    say: (outbound: Outbound) => void,
  ) {
    this.#patience = patience;
    this.#say = say;
    this.#profileLog = new WatchLog(log, `profile of ${target}`);
    this.#policyLog = new WatchLog(log, `policy of ${target}`);
    this.#profileWatch = destination === null ? null : this.#watchProfile(target, destination);
    this.#policyWatch = policy === null ? null : this.#watchPolicy(target, policy);
    if (destination === null) this.#profile = null;
    if (policy === null) {
      this.#policy = { policy: null, invalid: null };
      if (destination !== null) this.#waitShortly(destination);
    }
  }

  get outbound(): Outbound | null {
    return this.#outbound;
  }

  start(): void {
    this.#profileWatch?.start();
    this.#policyWatch?.start();
    this.#publish();
  }

  stop(): void {
    this.#stopWaiting();
    this.#profileWatch?.stop();
    this.#policyWatch?.stop();
  }

  #waitShortly({ settings, profileInitialTimeoutMs }: DestinationService): void {
    if (this.#patience.silent) {
      this.#profile = null;
      return;
    }
    this.#stopWaiting = settings.clock.after(profileInitialTimeoutMs, () => {
      if (this.#profile !== undefined) return;
      this.#patience.silent = true;
      this.#profile = null;
      this.#publish();
    });
  }

  #watchProfile(target: string, service: DestinationService): Watch<string, destination.DestinationProfile> {
    return new Watch(
      service.profiles,
      target,
      isRejection,
      {
        onItem: (message) => this.#onProfile(message),
        onAway: (failure) => this.#onProfileAway(failure),
        onFinal: (failure) => this.#onProfileFinal(failure),
      },
      service.settings,
    );
  }

  #watchPolicy(target: string, service: PolicyService): Watch<string, outbound.OutboundPolicy> {
    return new Watch(
      service.policies,
      target,
      (code) => isRejection(code) || meansNoPolicy(code),
      {
        onItem: (message) => this.#onPolicy(message),
        onAway: (failure) => this.#policyLog.away(failure),
        onFinal: (failure) => this.#onPolicyFinal(failure),
      },
      service.settings,
    );
  }

  #onProfile(message: destination.DestinationProfile): void {
    this.#profileLog.answered();
    this.#patience.silent = false;
    this.#profileAway = false;
    this.#profile = convertProfile(message, (text) => this.#profileLog.debug(text));
    this.#publish();
  }

  #onProfileAway(failure: GrpcError | null): void {
    this.#profileLog.away(failure);
    this.#profileAway = true;
    if (failure !== null && !meansNoAnswer(failure.code)) this.#profile ??= null;
    this.#publish();
  }

  #onProfileFinal(failure: GrpcError): void {
    this.#profileLog.debug(`no profile: ${failure.message}`);
    this.#profile ??= null;
    this.#publish();
  }

  #onPolicy(message: outbound.OutboundPolicy): void {
    this.#policyLog.answered();
    this.#policy = this.#convertPolicy(message);
    this.#publish();
  }

  #convertPolicy(message: outbound.OutboundPolicy): PolicyAnswer {
    try {
      return { policy: convertPolicy(message, (text) => this.#policyLog.debug(text)), invalid: null };
    } catch (error) {
      if (!(error instanceof InvalidMessage)) throw error;
      this.#policyLog.warn(`every request will fail: ${error.message}`);
      return { policy: null, invalid: error.message };
    }
  }

  #onPolicyFinal(failure: GrpcError): void {
    if (meansNoPolicy(failure.code)) {
      if (failure.code === GrpcStatus.Unimplemented) this.#policyLog.warn("the control plane may be out of date");
      else this.#policyLog.debug("no policy");
      this.#policy = { policy: null, invalid: null };
    } else {
      this.#policyLog.warn(failure.message);
      this.#policy ??= { policy: null, invalid: `policy discovery was rejected: ${failure.message}` };
    }
    this.#publish();
  }

  #publish(): void {
    if (this.#policy === undefined) return;
    const fallsBack = this.#policy.policy === null && this.#policy.invalid === null;
    if (this.#profile === undefined && (fallsBack || !this.#profileAway)) return;
    const outbound: Outbound = { profile: this.#profile ?? null, ...this.#policy };
    // After a new subscription the server says again what is known.
    if (isDeepStrictEqual(outbound, this.#outbound)) return;
    this.#outbound = outbound;
    this.#say(outbound);
  }
}

/** The server cannot make sense of the target, nor will it later. */
function isRejection(code: number): boolean {
  return code === GrpcStatus.InvalidArgument || code === GrpcStatus.FailedPrecondition;
}

function meansNoPolicy(code: number): boolean {
  return code === GrpcStatus.NotFound || code === GrpcStatus.Unimplemented;
}

function meansNoAnswer(code: number): boolean {
  return code === GrpcStatus.Unavailable || code === GrpcStatus.DeadlineExceeded;
}
