/** A connection as this package needs it: what carries the bytes is the transport's business. */
export interface ByteStream {
  /** The other end's address, `ip:port`. */
  readonly peer: string;
  /** Who is told of events; none come before the owner is set. */
  owner: ByteStreamOwner | null;
  /** Sends bytes, which are the stream's from now on. False: enough is on its way, wait for onDrain(). */
  write(bytes: Uint8Array): boolean;
  /** No onBytes() until resume(), but for what is on its way already. */
  pause(): void;
  resume(): void;
  /** Closes after sending what was written. */
  end(): void;
  /** Closes at once. No events follow. */
  destroy(): void;
}

export interface ByteStreamOwner {
  /** Bytes that are valid during the call. */
  onBytes(bytes: Uint8Array): void;
  /** After a write() that returned false there is room again. */
  onDrain(): void;
  /** The last event. The error is null when the other end closed in order. */
  onClose(error: Error | null): void;
}

export interface Address {
  /** An IP address; a name where the connector looks names up. */
  readonly host: string;
  readonly port: number;
}

/** Opens a connection; rejects when there is none to have, and when the signal aborts before there is one. */
export type Connect = (address: Address, signal: AbortSignal) => Promise<ByteStream>;

/** Something that takes connections. */
export interface Listening {
  readonly port: number;
  /** Takes no more; those taken stay. */
  close(): void;
}

export interface ListenOptions {
  readonly host: string;
  /** 0: the system chooses. */
  readonly port: number;
  /** Connections beyond this are closed as they come. */
  readonly connectionsMax: number;
}

export type Listen = (options: ListenOptions, onConnection: (stream: ByteStream) => void) => Promise<Listening>;
