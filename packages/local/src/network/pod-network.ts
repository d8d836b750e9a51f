import type { Duplex } from "node:stream";

/** What the network has to know of a pod. */
export interface PodIdentity {
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
  /** Runs in the node's own network namespace and has no address of its own. */
  readonly hostNetwork: boolean;
}

export interface PodAttachment {
  /** For `nsenter --net=` and `NetNamespaceHandle.open`. */
  readonly netns: string;
  /** The first is the primary one; a second is of the other family. */
  readonly ips: readonly string[];
}

/** "dual": every pod and every node has an IPv6 address, too. */
export type IpFamilies = "v4" | "dual";

export interface NetworkOptions {
  /** The cluster's name: everything made on the machine begins with `bowline-NAME`: at most 40 of a-z, 0-9 and '-'. */
  readonly name: string;
  readonly families: IpFamilies;
  /** "late" (the default): a freed address is used again when all others have been. "first": at once, for tests of it. */
  readonly addressReuse?: "late" | "first";
}

/** The cluster's network: a namespace that is the node, one per pod, and ways into them. */
export interface PodNetwork {
  readonly families: IpFamilies;
  /** The node's addresses, the IPv4 one first. */
  readonly nodeIps: readonly string[];
  /** Path of the node's network namespace. */
  readonly nodeNetns: string;
  /**
   * Namespace, veth, addresses, default route and `lo`. Does nothing to a pod that has all of it, so it also adopts the
   * pods of a daemon that was killed: they keep their addresses. Pods with hostNetwork get the node's.
   */
  attach(pod: PodIdentity): Promise<PodAttachment>;
  /** Takes all that away; does nothing where there is nothing. Processes in the namespace must have been ended. */
  detach(uid: string): Promise<void>;
  /** Detaches every pod of this cluster whose uid is not in `uids`. */
  sweep(uids: ReadonlySet<string>): Promise<void>;
  /**
   * A TCP connection from within the namespace at path `netns` to a numeric address. Half-open connections are kept:
   * ending the stream sends FIN, and the peer's FIN ends its readable side. Rejects with an Error whose `code` is the
   * errno's name (ECONNREFUSED), ETIMEDOUT after 5 s.
   */
  dial(netns: string, host: string, port: number): Promise<Duplex>;
  /**
   * Path of a unix socket each of whose connections is relayed to `dial(nodeNetns, host, port)`, for
   * `fetch(url, { unix: path })`. The same path for the same target, until close().
   */
  relay(host: string, port: number): Promise<string>;
}

/** The network as its owner holds it. */
export interface RunningNetwork extends PodNetwork {
  /** Ends relays and dialled connections. Pods, the node and their namespaces stay, for the next daemon to adopt. */
  close(): Promise<void>;
}
