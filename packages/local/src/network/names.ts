import { createHash } from "node:crypto";
import { join } from "node:path";

/** Where `ip netns` keeps namespaces that have names. */
export const NETNS_DIR = "/run/netns";

/** The node's own link, which leads nowhere: it has the node's addresses. */
export const NODE_LINK = "bowline0";

const ID_DIGITS = 8;

/** Of the namespace that is the node. */
export function nodeNamespaceName(cluster: string): string {
  return `bowline-${cluster}`;
}

/**
 * Of a pod's namespace. The dot, which a cluster's name can't have, keeps the pods of `a` apart from a cluster that is
 * called `a-1b2c3d4e`.
 */
export function podNamespaceName(cluster: string, uid: string): string {
  return `${podNamespacePrefix(cluster)}${podId(uid)}`;
}

export function podNamespacePrefix(cluster: string): string {
  return `bowline-${cluster}.`;
}

/** The node's end of the pair of links that joins a pod; interface names have at most 15 characters. */
export function vethName(uid: string): string {
  return `veth${podId(uid)}`;
}

export function netnsPath(namespaceName: string): string {
  return join(NETNS_DIR, namespaceName);
}

/** For unix sockets, whose paths are limited to 107 bytes: a state directory may be deeper than that. */
export function runDirectory(cluster: string): string {
  return `/run/bowline-${cluster}`;
}

function podId(uid: string): string {
  return createHash("sha256").update(uid).digest("hex").slice(0, ID_DIGITS);
}
