import { ADMIN_PORT, ADMIN_PORT_NAME, PROXY_CONTAINER } from "@bowline/contracts";
import {
  type KubeClient,
  type KubeObject,
  type LabelSelector,
  type Pod,
  RESOURCES,
  type ResourceName,
} from "@bowline/kube";
import { CommandFailure } from "../io.ts";

/** Kinds whose pods can be found, by every name they go by. */
const KINDS: Readonly<Record<string, ResourceName>> = {
  ...names("pods", ["po", "pod", "pods"]),
  ...names("deployments", ["deploy", "deployment", "deployments"]),
  ...names("replicasets", ["rs", "replicaset", "replicasets"]),
  ...names("statefulsets", ["sts", "statefulset", "statefulsets"]),
  ...names("daemonsets", ["ds", "daemonset", "daemonsets"]),
  ...names("jobs", ["job", "jobs"]),
  ...names("replicationcontrollers", ["rc", "replicationcontroller", "replicationcontrollers"]),
  ...names("services", ["svc", "service", "services"]),
  ...names("namespaces", ["ns", "namespace", "namespaces"]),
};

/**
 * The running pods behind a resource, in the order of their names.
 * @param resource KIND/NAME
 */
export async function podsOf(client: KubeClient, namespace: string, resource: string): Promise<Pod[]> {
  const [kindName = "", name, ...rest] = resource.split("/");
  const kind = KINDS[kindName.toLowerCase()];
  if (kind === undefined) {
    throw new CommandFailure(
      `${resource}: ${JSON.stringify(kindName)} is no kind that has pods, such as deploy or pod`,
    );
  }
  if (name === undefined || name === "" || rest.length > 0) throw new CommandFailure(`${resource}: not KIND/NAME`);
  if (kind === "pods") return [await client.get<Pod>(RESOURCES.pods, namespace, name)];
  if (kind === "namespaces") return await selectPods(client, name, undefined);
  const owner = await client.get<KubeObject>(RESOURCES[kind], namespace, name);
  return await selectPods(client, namespace, selectorOf(kind, owner));
}

/** Running pods of a namespace, in the order of their names. */
export async function selectPods(
  client: KubeClient,
  namespace: string,
  labelSelector: LabelSelector | string | undefined,
): Promise<Pod[]> {
  const options = { namespace, ...(labelSelector === undefined ? {} : { labelSelector }) };
  const { items } = await client.list<Pod>(RESOURCES.pods, options);
  return items
    .filter(({ status, metadata }) => status?.phase === "Running" && metadata.deletionTimestamp === undefined)
    .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
}

/** The admin port of a pod's proxy; null when it has none. */
export function proxyAdminPort(pod: Pod): number | null {
  const proxy = containersOf(pod).find(({ name }) => name === PROXY_CONTAINER);
  if (proxy === undefined) return null;
  return proxy.ports?.find(({ name }) => name === ADMIN_PORT_NAME)?.containerPort ?? ADMIN_PORT;
}

/** The pod's own containers with an admin port, and that port. */
export function adminPorts(pod: Pod): { container: string; port: number }[] {
  return containersOf(pod).flatMap(({ name: container, ports = [] }) =>
    container === PROXY_CONTAINER
      ? []
      : ports
          .filter(({ name = "" }) => name.endsWith("admin") || name === "admin-http")
          .map(({ containerPort: port }) => ({ container, port })),
  );
}

/** What a pod answers on a port. Anything but a success is a failure that names the pod. */
export async function fetchFromPod(client: KubeClient, pod: Pod, port: number, path: string): Promise<string> {
  const { namespace = "", name } = pod.metadata;
  const response = await client.proxyPod(namespace, name, port, path);
  const text = await response.text();
  if (!response.ok) throw new CommandFailure(`pod ${namespace}/${name} answered ${response.status}: ${faultOf(text)}`);
  return text;
}

function containersOf({ spec }: Pod): NonNullable<Pod["spec"]>["containers"] {
  return [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])];
}

function selectorOf(kind: ResourceName, owner: KubeObject): LabelSelector {
  const spec = owner["spec"] as { selector?: LabelSelector | Record<string, string> } | undefined;
  const selector = spec?.selector;
  if (selector === undefined) throw new CommandFailure(`${owner.kind} ${owner.metadata.name} selects no pods`);
  const isPlain = kind === "services" || kind === "replicationcontrollers";
  return isPlain ? { matchLabels: selector as Record<string, string> } : (selector as LabelSelector);
}

/** Ours is `{error}`, the API server's a Status; others' words are shown as they are. */
function faultOf(text: string): string {
  try {
    const { error, message } = JSON.parse(text) as { error?: string; message?: string };
    return error ?? message ?? text;
  } catch {
    return text.slice(0, 300).trim();
  }
}

function names(resource: ResourceName, all: readonly string[]): Record<string, ResourceName> {
  return Object.fromEntries(all.map((name) => [name, resource]));
}
