import type { SchemaRegistry } from "../schema/registry.ts";
import type { Authenticator } from "./auth/authenticator.ts";
import type { Rbac } from "./auth/rbac.ts";
import type { ServiceAccountTokens } from "./auth/service-account-tokens.ts";
import type { RelayNetwork } from "./network.ts";
import type { PodStreams } from "./pod-streams.ts";
import type { Store } from "./storage/store.ts";
import type { Deleter } from "./write/deletion.ts";
import type { Writer } from "./write/writer.ts";

/** What the request handlers share. */
export interface ServerParts {
  readonly store: Store;
  readonly registry: SchemaRegistry;
  readonly writer: Writer;
  readonly deleter: Deleter;
  readonly authenticator: Authenticator;
  readonly rbac: Rbac;
  readonly tokens: ServiceAccountTokens;
  readonly streams: PodStreams;
  readonly network: RelayNetwork;
  /** Faults of this program's own that no client can be told of. */
  readonly warn: (line: string) => void;
  /** Ends what has no end of its own, such as watches, when the server closes. */
  readonly closing: AbortSignal;
}
