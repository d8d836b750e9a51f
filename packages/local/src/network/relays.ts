import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Duplex, pipeline } from "node:stream";
import { endpointText } from "./addresses.ts";
import { acceptStreams, type SocketStream } from "./socket-stream.ts";

/** Targets come and go with pods; of those not asked for lately the listener is closed, connections go on. */
const RELAYS_MAX = 128;

interface Relay {
  readonly path: string;
  readonly listener: { stop(closeActiveConnections?: boolean): void };
}

/** Unix sockets that lead to addresses within the cluster's network. */
export class Relays {
  readonly #directory: string;
  readonly #dial: (host: string, port: number) => Promise<Duplex>;
  /** In the order of their last use. */
  readonly #relays = new Map<string, Relay>();
  readonly #connections = new Set<SocketStream>();
  #made = 0;

  constructor(directory: string, dial: (host: string, port: number) => Promise<Duplex>) {
    this.#directory = directory;
    this.#dial = dial;
    rmSync(directory, { recursive: true, force: true });
    // What listens here gets past every rule of the cluster's network.
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  }

  /** The path of the unix socket whose connections are relayed to that address. */
  open(host: string, port: number): string {
    const target = endpointText(host, port);
    const relay = this.#relays.get(target) ?? this.#listen(host, port);
    this.#relays.delete(target);
    this.#relays.set(target, relay);
    for (const [oldest, { listener }] of this.#relays) {
      if (this.#relays.size <= RELAYS_MAX) break;
      this.#relays.delete(oldest);
      listener.stop();
    }
    return relay.path;
  }

  close(): void {
    for (const { listener } of this.#relays.values()) listener.stop(true);
    this.#relays.clear();
    for (const connection of this.#connections) connection.destroy();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #listen(host: string, port: number): Relay {
    const path = join(this.#directory, `${this.#made++}.sock`);
    const listener = Bun.listen<SocketStream>({
      unix: path,
      allowHalfOpen: true,
      socket: acceptStreams((client) => this.#serve(client, host, port)),
    });
    return { path, listener };
  }

  #serve(client: SocketStream, host: string, port: number): void {
    this.#connections.add(client);
    client.on("close", () => this.#connections.delete(client));
    this.#dial(host, port).then(
      (server) => {
        // Either direction's failure ends both; who sent the bytes sees it as a reset.
        const ended = (error: Error | null | undefined): void => {
          if (!error) return;
          client.destroy();
          server.destroy();
        };
        pipeline(client, server, ended);
        pipeline(server, client, ended);
      },
      () => client.destroy(),
    );
  }
}
