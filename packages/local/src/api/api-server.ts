import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { SchemaRegistry } from "../schema/registry.ts";
import type { ResourceType } from "../schema/resource-type.ts";
import { AdmissionChain } from "./admission/admission-chain.ts";
import { WebhookCaller } from "./admission/webhook-call.ts";
import { Webhooks } from "./admission/webhooks.ts";
import { loadAdminToken } from "./auth/admin-token.ts";
import { Authenticator } from "./auth/authenticator.ts";
import { loadCertificates } from "./auth/certificates.ts";
import { Rbac } from "./auth/rbac.ts";
import { type IssuedToken, ServiceAccountTokens, type TokenSubject } from "./auth/service-account-tokens.ts";
import { bootstrap } from "./bootstrap.ts";
import type { ClusterApi } from "./cluster-api.ts";
import { followDefinitions } from "./custom-resources.ts";
import { expireEvents } from "./events/event-expiry.ts";
import { EventRecorder } from "./events/event-recorder.ts";
import { Front } from "./http/front.ts";
import { InProcessApi } from "./in-process.ts";
import type { RelayNetwork } from "./network.ts";
import type { PodStreams } from "./pod-streams.ts";
import { type IpFamily, ServiceAddresses } from "./services/service-addresses.ts";
import { Store } from "./storage/store.ts";
import { Deleter } from "./write/deletion.ts";
import { Writer } from "./write/writer.ts";

export interface ApiServerOptions {
  /** The cluster's directory: `cluster.sqlite`, and in `pki/` keys, certificates and the administrator's token. */
  readonly stateDir: string;
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Asked for when first needed: the network comes after the API. */
  readonly network: () => RelayNetwork;
  readonly streams: PodStreams;
  /** Families of service addresses, the preferred one first; IPv4 unless given. */
  readonly families?: readonly IpFamily[];
  /** Faults that no client is told of; one line each. Default: nowhere. */
  readonly warn?: (line: string) => void;
  /** One line for each request that has been answered. */
  readonly debug?: (line: string) => void;
}

/** The Kubernetes API of the embedded cluster, over HTTPS and in process. */
export class ApiServer {
  readonly api: ClusterApi;
  /** The types that are served; custom ones come and go with their definitions. */
  readonly registry: SchemaRegistry;
  readonly caPem: string;
  readonly adminToken: string;
  /** Where `open` listens. */
  readonly port: number;
  readonly #store: Store;
  readonly #front: Front;
  readonly #tokens: ServiceAccountTokens;
  readonly #closing: AbortController;
  readonly #stopExpiry: () => void;

  private constructor(parts: {
    api: ClusterApi;
    registry: SchemaRegistry;
    caPem: string;
    adminToken: string;
    port: number;
    store: Store;
    front: Front;
    tokens: ServiceAccountTokens;
    closing: AbortController;
  }) {
    this.api = parts.api;
    this.registry = parts.registry;
    this.caPem = parts.caPem;
    this.adminToken = parts.adminToken;
    this.port = parts.port;
    this.#store = parts.store;
    this.#front = parts.front;
    this.#tokens = parts.tokens;
    this.#closing = parts.closing;
    this.#stopExpiry = expireEvents(parts.store);
  }

  /** Opens or makes the cluster's state, and serves it. Rejects when another process does already. */
  static async open(options: ApiServerOptions): Promise<ApiServer> {
    const { stateDir, streams, warn = () => undefined, debug } = options;
    const pki = join(stateDir, "pki");
    mkdirSync(stateDir, { recursive: true, mode: 0o700 });
    const store = new Store(join(stateDir, "cluster.sqlite"));
    try {
      const { caPem, certificatePem, keyPem } = await loadCertificates(pki);
      const tokens = await ServiceAccountTokens.open(store, pki);
      const adminToken = loadAdminToken(pki);
      const registry = new SchemaRegistry();
      followDefinitions(store, registry, warn);
      const rbac = new Rbac(store);
      const network = { relay: (host: string, port: number) => options.network().relay(host, port) };
      const admission = new AdmissionChain(store, rbac, new Webhooks(store, new WebhookCaller(store, network), warn));
      const writer = new Writer(store, admission, new ServiceAddresses(store, options.families ?? ["IPv4"]));
      const deleter = new Deleter(store, admission);
      const typeOf = (key: string): ResourceType => typeByKey(registry, key);
      const recorder = new EventRecorder(writer, typeOf("events"), warn);
      const api = new InProcessApi({ store, writer, deleter, recorder, typeOf, warn });
      await bootstrap(api);
      const authenticator = new Authenticator(adminToken, tokens, rbac);
      const closing = new AbortController();
      const parts = { store, registry, writer, deleter, authenticator, rbac, tokens, streams, network, warn };
      const front = new Front({
        parts: { ...parts, closing: closing.signal },
        certificatePem,
        keyPem,
        warn,
        ...(debug === undefined ? {} : { debug }),
      });
      const { port, ready } = front.listen(options.host, options.port);
      await ready;
      return new ApiServer({ api, registry, caPem, adminToken, port, store, front, tokens, closing });
    } catch (error) {
      store.close();
      throw error;
    }
  }

  /**
   * Listens at another address too; within `NetNamespaceHandle.within`, in that network namespace: the socket is made
   * before this returns. Resolves when it takes connections.
   */
  listen(host: string, port: number): Promise<void> {
    return this.#front.listen(host, port).ready;
  }

  /** For the pods' token volumes; rejects as the TokenRequest API does. */
  serviceAccountToken(subject: TokenSubject): Promise<IssuedToken> {
    return this.#tokens.issue(subject);
  }

  /** Ends watches and connections, and lets go of the state. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#stopExpiry();
    await this.#front.close();
    this.#store.close();
  }
}

function typeByKey(registry: SchemaRegistry, key: string): ResourceType {
  const dot = key.indexOf(".");
  const type = dot < 0 ? registry.find("", key) : registry.find(key.slice(dot + 1), key.slice(0, dot));
  if (type === undefined) throw new Error(`there is no type ${key}`);
  return type;
}
