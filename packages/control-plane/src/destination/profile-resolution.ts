import { destination } from "@bowline/contracts/proto";
import { encodeMessage, GrpcError, GrpcStatus } from "@bowline/grpc";
import type { Batch, Flushable } from "./batch.ts";
import type { TopicListener } from "./cluster-index.ts";
import { sameBytes } from "./endpoint-messages.ts";
import { type ProfileContext, type ProfileInit, type ProfileQuestion, profileOf } from "./profile.ts";

/** Takes framed profiles: a client's stream. */
export interface ProfileSink {
  send(framed: Uint8Array): void;
  /** There is nothing more to be said: what was asked about is gone. */
  fail(error: GrpcError): void;
}

/** What an answer is about, as metrics tell it apart. */
export type ProfileSubject = "service" | "workload";

export interface ProfileResolutionOptions extends Omit<ProfileContext, "onTopic"> {
  readonly batch: Batch;
  readonly question: ProfileQuestion;
  /** Told of each new answer. */
  readonly onUpdate: (subject: ProfileSubject) => void;
}

/**
 * The answer to one question about a profile, for all who ask it, kept up to date: it is found anew whenever something it
 * came of has changed, and told if it is another.
 */
export class ProfileResolution implements TopicListener, Flushable {
  readonly sinks: Set<ProfileSink> = new Set();
  /** As it was when this was asked first. */
  readonly subject: ProfileSubject;
  readonly #options: ProfileResolutionOptions;
  #topics: ReadonlySet<string> = new Set();
  #framed: Uint8Array;
  /** Why there is no answer at present. */
  #failure: GrpcError | null = null;

  /** @throws GrpcError when there is no answer */
  constructor(options: ProfileResolutionOptions) {
    this.#options = options;
    try {
      const profile = this.#resolve();
      // A service's port that is not declared has an empty profile; addresses have endpoints.
      this.subject = profile.endpoint === undefined ? "service" : "workload";
      this.#framed = frame(profile);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /**
   * The answer, framed.
   * @throws GrpcError when there is none at present
   */
  get framed(): Uint8Array {
    if (this.#failure !== null) throw this.#failure;
    return this.#framed;
  }

  close(): void {
    this.#follow(new Set());
  }

  onChange(): void {
    this.#options.batch.add(this);
  }

  flush(): void {
    try {
      const framed = frame(this.#resolve());
      this.#failure = null;
      if (sameBytes(framed, this.#framed)) return;
      this.#framed = framed;
      this.#options.onUpdate(this.subject);
      for (const sink of this.sinks) sink.send(framed);
    } catch (error) {
      if (!(error instanceof GrpcError)) throw error;
      this.#failure = error;
      // Clients take any other refusal to be final. They shall not do so for what may be over in a moment, such as two
      // pods of the same address: what they know stays.
      if (error.code === GrpcStatus.NotFound) for (const sink of this.sinks) sink.fail(error);
    }
  }

  #resolve(): ProfileInit {
    const topics = new Set<string>();
    const { question, index, settings, onFault } = this.#options;
    try {
      return profileOf({ index, settings, onFault, onTopic: (topic) => void topics.add(topic) }, question);
    } finally {
      this.#follow(topics);
    }
  }

  #follow(topics: ReadonlySet<string>): void {
    const { index } = this.#options;
    for (const topic of this.#topics) if (!topics.has(topic)) index.unsubscribe(topic, this);
    for (const topic of topics) if (!this.#topics.has(topic)) index.subscribe(topic, this);
    this.#topics = topics;
  }
}

function frame(profile: ProfileInit): Uint8Array {
  return encodeMessage(destination.DestinationProfileSchema, profile);
}
