import type { Duplex } from "node:stream";

/** A process in a container, or a container's own process, as exec and attach see it. */
export interface ContainerSession {
  /** Null: nothing reads. */
  readonly stdin: { write(bytes: Uint8Array): unknown; end(): unknown } | null;
  readonly stdout: ReadableStream<Uint8Array> | null;
  /** Null with a terminal: it has one output. */
  readonly stderr: ReadableStream<Uint8Array> | null;
  /** The exit code; 128 + signal where a signal ended it. Never settles for an attached container that goes on. */
  readonly exited: Promise<number>;
  /** The client is gone: ends what exec started; leaves an attached container alone. */
  kill(): void;
  /** Of the terminal, where there is one. */
  resize?(columns: number, rows: number): void;
}

/** Which process in which container. */
export interface ContainerRef {
  readonly namespace: string;
  readonly pod: string;
  /** Undefined: the pod's only or default container. */
  readonly container: string | undefined;
}

/** What pod streams need of node and network. */
export interface StreamTargets {
  exec(
    container: ContainerRef,
    command: readonly string[],
    options: { readonly tty: boolean; readonly stdin: boolean },
  ): ContainerSession | Promise<ContainerSession>;
  attach(
    container: ContainerRef,
    options: { readonly tty: boolean; readonly stdin: boolean },
  ): ContainerSession | Promise<ContainerSession>;
  /** A connection to a port of the pod's own loopback. */
  dialPod(namespace: string, pod: string, port: number): Promise<Duplex>;
}

export type PodStreamKind = "portforward" | "exec" | "attach";
