import type { GrpcError } from "@bowline/grpc";
import type { Logger } from "../../log/logger.ts";
import { logTarget } from "../../log/target.ts";

const TARGET = logTarget("discovery");

/** What one watch has to say in the log: an outage is a warning once, not with every attempt. */
export class WatchLog {
  readonly #log: Logger;
  /** What is asked for, such as `profile of 10.0.0.1:80`. */
  readonly #what: string;
  #away = false;

  constructor(log: Logger, what: string) {
    this.#log = log;
    this.#what = what;
  }

  away(failure: GrpcError | null): void {
    if (failure === null) {
      this.#log.debug(TARGET, `${this.#what}: the stream ended, asking again`);
      return;
    }
    const say = this.#away ? "debug" : "warn";
    this.#away = true;
    this.#log[say](TARGET, `${this.#what}: ${failure.message}; trying again`);
  }

  answered(): void {
    if (this.#away) this.#log.info(TARGET, `${this.#what}: answered again`);
    this.#away = false;
  }

  warn(text: string): void {
    this.#log.warn(TARGET, `${this.#what}: ${text}`);
  }

  debug(text: string): void {
    this.#log.debug(TARGET, `${this.#what}: ${text}`);
  }
}
