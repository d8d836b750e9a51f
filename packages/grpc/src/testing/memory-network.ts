import type { Address, ByteStream, Connect } from "../byte-stream.ts";
import { type MemoryPairOptions, type MemoryStream, memoryPair } from "./memory-stream.ts";

/** Servers by `host:port`, and the connections made to them. */
export class MemoryNetwork {
  /** The client's ends, in the order of connecting. */
  readonly connections: MemoryStream[] = [];
  readonly attempts: string[] = [];
  readonly #servers = new Map<string, (stream: ByteStream) => void>();
  readonly #options: MemoryPairOptions;

  constructor(options: MemoryPairOptions = {}) {
    this.#options = options;
  }

  serve(address: string, accept: (stream: ByteStream) => void): void {
    this.#servers.set(address, accept);
  }

  stop(address: string): void {
    this.#servers.delete(address);
  }

  readonly connect: Connect = (address: Address, signal: AbortSignal) => {
    const key = `${address.host}:${address.port}`;
    this.attempts.push(key);
    const accept = this.#servers.get(key);
    if (signal.aborted) return Promise.reject(signal.reason);
    if (accept === undefined) return Promise.reject(new Error(`connection refused by ${key}`));
    const [client, server] = memoryPair(this.#options);
    this.connections.push(client);
    accept(server);
    return Promise.resolve(client);
  };
}
