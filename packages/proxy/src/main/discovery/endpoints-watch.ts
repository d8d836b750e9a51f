import type { destination } from "@bowline/contracts/proto";
import { type GrpcError, GrpcStatus } from "@bowline/grpc";
import { EndpointSet, type EndpointsUpdate } from "@bowline/model";
import type { Logger } from "../../log/logger.ts";
import { convertUpdate, type ResolutionStep } from "./convert/update.ts";
import type { DestinationService } from "./sources.ts";
import { Watch } from "./watch.ts";
import { WatchLog } from "./watch-log.ts";

/**
 * The endpoints of one path. While the control plane is away they stay as they were; the first addition after that
 * replaces them, so that what was removed meanwhile is gone.
 *
 *   status                 means                          then
 *   ─────────────────────  ─────────────────────────────  ─────────────────────────
 *   NOT_FOUND              there is no such destination   asked again, with back-off: it may come to be
 *   INVALID_ARGUMENT,      there cannot be one            final
 *   FAILED_PRECONDITION
 *   any other, or an end   what was known stays           asked again, with back-off
 */
export class EndpointsWatch {
  readonly #say: (update: EndpointsUpdate) => void;
  readonly #log: WatchLog;
  readonly #nowMs: () => number;
  readonly #watch: Watch<string, destination.Update>;
  readonly #known = new EndpointSet();
  /** A new subscription has not yet said what there is. */
  #resyncing = true;

  constructor(path: string, service: DestinationService, log: Logger, say: (update: EndpointsUpdate) => void) {
    this.#say = say;
    this.#log = new WatchLog(log, `endpoints of ${path}`);
    this.#nowMs = () => service.settings.clock.nowMs();
    this.#watch = new Watch(
      service.endpoints,
      path,
      (code) => code === GrpcStatus.InvalidArgument || code === GrpcStatus.FailedPrecondition,
      {
        onItem: (message, first) => this.#onItem(message, first),
        onAway: (failure) => this.#onAway(failure),
        onFinal: (failure) => this.#onFinal(failure),
      },
      service.settings,
    );
  }

  /** For a data thread that asks later; null before anything is known. */
  whole(): EndpointsUpdate | null {
    switch (this.#known.exists) {
      case null:
        return null;
      case false:
        return { kind: "gone", exists: false };
      case true:
        return { kind: "reset", endpoints: this.#known.endpoints() };
    }
  }

  start(): void {
    this.#watch.start();
  }

  stop(): void {
    this.#watch.stop();
  }

  #onItem(message: destination.Update, first: boolean): void {
    this.#log.answered();
    if (first) this.#resyncing = true;
    const step = convertUpdate(message, (text) => this.#log.debug(text));
    const update = step === null ? null : this.#updateFor(step);
    if (update !== null) this.#publish(update);
  }

  #updateFor(step: ResolutionStep): EndpointsUpdate | null {
    switch (step.kind) {
      case "add": {
        const whole = this.#resyncing;
        this.#resyncing = false;
        const endpoints = [...step.endpoints];
        return whole ? { kind: "reset", endpoints } : { kind: "delta", add: endpoints, remove: [] };
      }
      case "remove":
        // There is nothing yet that could be removed.
        return this.#known.exists === null ? null : { kind: "delta", add: [], remove: [...step.keys] };
      case "none":
        this.#resyncing = false;
        return { kind: "gone", exists: step.exists };
    }
  }

  #onAway(failure: GrpcError | null): void {
    this.#log.away(failure);
    if (failure?.code === GrpcStatus.NotFound) this.#onNone();
  }

  #onFinal(failure: GrpcError): void {
    this.#log.warn(failure.message);
    this.#onNone();
  }

  #onNone(): void {
    if (this.#known.exists !== false) this.#publish({ kind: "gone", exists: false });
  }

  #publish(update: EndpointsUpdate): void {
    this.#known.apply(update, this.#nowMs());
    this.#say(update);
  }
}
