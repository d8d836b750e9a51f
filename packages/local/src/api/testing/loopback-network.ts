import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RelayNetwork } from "../network.ts";

/** A network in which every address is a port of this machine's loopback. */
export class LoopbackNetwork implements RelayNetwork {
  /** "10.1.2.3:80" → port. What is not here refuses connections. */
  readonly ports: Map<string, number> = new Map();
  readonly #directory: string = mkdtempSync(join(tmpdir(), "bowline-relay-"));
  readonly #servers: Server[] = [];
  readonly #sockets: Set<Socket> = new Set();

  async relay(host: string, port: number): Promise<string> {
    const path = join(this.#directory, `${this.#servers.length}.sock`);
    const server = createServer({ allowHalfOpen: true }, (inner) => {
      const target = this.ports.get(`${host}:${port}`);
      this.#keep(inner);
      if (target === undefined) {
        inner.destroy();
        return;
      }
      const outer = connect({ host: "127.0.0.1", port: target, allowHalfOpen: true });
      this.#keep(outer);
      inner.pipe(outer);
      outer.pipe(inner);
      inner.on("close", () => outer.destroy());
      outer.on("close", () => inner.destroy());
    });
    this.#servers.push(server);
    const { promise, resolve } = Promise.withResolvers<void>();
    server.listen(path, resolve);
    await promise;
    return path;
  }

  stop(): void {
    for (const socket of this.#sockets) socket.destroy();
    for (const server of this.#servers) server.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#sockets.delete(socket));
  }
}
