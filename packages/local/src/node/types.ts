import type { Duplex } from "node:stream";
import type { ClusterApi } from "../api/cluster-api.ts";

/** What an image name stands for: how to run it, and what of its own it lays over the machine's file system. */
export interface ImageDefinition {
  /** Used when the container has no `command`, as an image's ENTRYPOINT. */
  readonly command?: readonly string[];
  /** Used when the container has neither `command` nor `args`, as an image's CMD. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly workingDir?: string;
  /** Numeric user id, as an image's USER. */
  readonly user?: number;
  /** Directories laid over `/`, the first on top. They are copied for each run, so they should be small. */
  readonly layers?: readonly string[];
  /** Files and directories of the machine shown read-only elsewhere, whoever may enter where they are. Nothing is copied. */
  readonly mounts?: readonly { readonly source: string; readonly target: string }[];
}

export interface ImageTable {
  resolve(image: string): ImageDefinition | undefined;
}

/** What the node needs of the cluster's network; network/ has the real one. */
export interface NodeNetwork {
  attach(
    pod: PodIdentity & { readonly hostNetwork: boolean },
  ): Promise<{ readonly netns: string; readonly ips: readonly string[] }>;
  detach(uid: string): Promise<void>;
  sweep(uids: ReadonlySet<string>): Promise<void>;
  readonly nodeIps: readonly string[];
  readonly nodeNetns: string;
  dial(netns: string, host: string, port: number): Promise<Duplex>;
}

interface PodIdentity {
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
}

interface TokenRequestOptions {
  readonly audiences: readonly string[];
  readonly expirationSeconds: number;
  readonly pod: { readonly name: string; readonly uid: string };
}

export interface NodeOptions {
  readonly api: ClusterApi;
  readonly network: NodeNetwork;
  readonly images: ImageTable;
  /** The cluster's directory; the node keeps everything of its own in `pods/` below it. */
  readonly stateDir: string;
  /** What containers must not see. Default: the cluster's directory. */
  readonly secretDir?: string;
  readonly nodeName: string;
  serviceAccountToken(namespace: string, name: string, options: TokenRequestOptions): Promise<string>;
  /** The cluster's certificate authority, for service account volumes. */
  readonly caPem: string;
  /** Where what can't be told by status or event goes; one line each. Default: nowhere. */
  readonly warn?: (line: string) => void;
}

export interface LogOptions {
  readonly follow?: boolean;
  readonly previous?: boolean;
  readonly tailLines?: number;
  readonly sinceSeconds?: number;
  /** RFC 3339. */
  readonly sinceTime?: string;
  readonly timestamps?: boolean;
  readonly limitBytes?: number;
}

export interface ExecOptions {
  readonly tty: boolean;
  readonly stdin: boolean;
}

/** A command running in a container. With a tty everything comes by `stdout`. */
export interface ExecProcess {
  /** What is written when the command reads no more is lost; `write` waits for as long as it does not read on. */
  readonly stdin: { write(bytes: Uint8Array): Promise<void>; end(): void };
  readonly stdout: ReadableStream<Uint8Array>;
  readonly stderr: ReadableStream<Uint8Array>;
  /** The exit code; 128 + signal when a signal ended it. */
  readonly exited: Promise<number>;
  /** Of the terminal; without one nothing happens. */
  resize(columns: number, rows: number): void;
  kill(): void;
}

/** A container's own process, as those see it who attach to it. */
export interface AttachedContainer {
  /** Null when the container reads nothing. */
  readonly stdin: { write(bytes: Uint8Array): Promise<void>; end(): void } | null;
  /** Both of its outputs, up to its end. */
  readonly stdout: ReadableStream<Uint8Array>;
  /** The client is gone; the container goes on. */
  readonly detach: () => void;
}
