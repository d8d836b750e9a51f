import type { ClusterApi } from "../../api/cluster-api.ts";
import { DNS_IP_V4, dnsAddresses, isClusterAddress } from "../addresses.ts";
import type { PodNetwork } from "../pod-network.ts";
import { inNamespace } from "../run-in-namespace.ts";
import { ServiceIndex } from "../services/service-index.ts";
import { acceptStreams, type SocketStream } from "../socket-stream.ts";
import { ClusterZone } from "./cluster-zone.ts";
import { type ResponderOptions, respond } from "./respond.ts";
import { MachineResolver, type Upstream } from "./upstream.ts";

export interface DnsOptions {
  /** For names outside of the cluster. Default: the machine's own resolver. */
  readonly upstream?: Upstream;
  /** Default: cluster.local. */
  readonly domain?: string;
}

export interface RunningDns {
  stop(): void;
}

const PORT = 53;
/** Queries that wait for somebody else; beyond these, datagrams are dropped, as networks do. */
const WAITING_MAX = 512;
const CONNECTIONS_MAX = 128;
const IDLE_MS = 10_000;

/** Serves DNS on the cluster's DNS addresses, UDP and TCP. Rejects when they can't be listened on. */
export async function startDns(
  api: Pick<ClusterApi, "watch" | "get">,
  network: Pick<PodNetwork, "nodeNetns" | "families">,
  options: DnsOptions = {},
): Promise<RunningDns> {
  const index = new ServiceIndex(api);
  const dnsIps = dnsAddresses(network.families);
  const zone = new ClusterZone({
    index,
    hasNamespace: (name) => api.get("namespaces", "", name) !== undefined,
    domain: options.domain ?? "cluster.local",
    dnsIps,
    isOurs: isClusterAddress,
  });
  const server = new DnsServer({ zone, upstream: options.upstream ?? new MachineResolver() });
  try {
    for (const ip of dnsIps) await server.listen(network.nodeNetns, ip);
  } catch (error) {
    index.stop();
    server.stop();
    throw new Error(`cannot serve DNS on ${DNS_IP_V4}`, { cause: error });
  }
  return {
    stop: () => {
      index.stop();
      server.stop();
    },
  };
}

class DnsServer {
  readonly #options: ResponderOptions;
  readonly #closers: (() => void)[] = [];
  readonly #connections = new Set<SocketStream>();
  #waiting = 0;

  constructor(options: ResponderOptions) {
    this.#options = options;
  }

  async listen(netns: string, hostname: string): Promise<void> {
    const udp = await inNamespace(netns, () =>
      Bun.udpSocket({
        hostname,
        port: PORT,
        socket: {
          data: (socket, query, port, address) => {
            void this.#respondTo(query, "udp").then((response) => {
              if (response !== undefined && !socket.closed) socket.send(response, port, address);
            });
          },
          // A client that did not wait for its answer.
          error: () => {},
        },
      }),
    );
    this.#closers.push(() => udp.close());
    const tcp = inNamespace(netns, () =>
      Bun.listen<SocketStream>({
        hostname,
        port: PORT,
        allowHalfOpen: true,
        socket: acceptStreams((connection) => this.#accept(connection)),
      }),
    );
    this.#closers.push(() => tcp.stop(true));
  }

  stop(): void {
    for (const close of this.#closers.splice(0)) close();
    for (const connection of this.#connections) connection.destroy();
  }

  #accept(connection: SocketStream): void {
    if (this.#connections.size >= CONNECTIONS_MAX) {
      connection.destroy();
      return;
    }
    this.#connections.add(connection);
    connection.on("close", () => this.#connections.delete(connection));
    void this.#converse(connection).catch(() => connection.destroy());
  }

  /** RFC 7766: any number of messages, each after its length. */
  async #converse(connection: SocketStream): Promise<void> {
    const timer = setTimeout(() => connection.destroy(), IDLE_MS);
    let unread: Buffer = Buffer.alloc(0);
    try {
      for await (const chunk of connection.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
        timer.refresh();
        unread = Buffer.concat([unread, chunk]);
        while (unread.length >= 2 && unread.length >= 2 + unread.readUInt16BE(0)) {
          const end = 2 + unread.readUInt16BE(0);
          const response = await this.#respondTo(unread.subarray(2, end), "tcp");
          unread = unread.subarray(end);
          if (response === undefined) throw new Error("not a query");
          const length = Buffer.alloc(2);
          length.writeUInt16BE(response.length, 0);
          connection.write(Buffer.concat([length, response]));
        }
      }
      connection.end();
    } finally {
      clearTimeout(timer);
    }
  }

  async #respondTo(query: Uint8Array, transport: "udp" | "tcp"): Promise<Uint8Array | undefined> {
    if (this.#waiting >= WAITING_MAX) return undefined;
    this.#waiting++;
    try {
      return await respond(this.#options, query, transport);
    } finally {
      this.#waiting--;
    }
  }
}
