import { CONTROL_PLANE_NS_LABEL, EXTENSION_LABEL } from "@bowline/contracts";
import { ApiError, type KubeClient, type KubeObject, type Pod, RESOURCES, type ResourceRef } from "@bowline/kube";

const CLUSTER_WIDE: readonly ResourceRef[] = [
  RESOURCES.clusterroles,
  RESOURCES.clusterrolebindings,
  RESOURCES.customresourcedefinitions,
  RESOURCES.mutatingwebhookconfigurations,
  RESOURCES.validatingwebhookconfigurations,
  RESOURCES.namespaces,
];

const IN_NAMESPACES: readonly ResourceRef[] = [
  RESOURCES.configmaps,
  RESOURCES.cronjobs,
  RESOURCES.deployments,
  RESOURCES.poddisruptionbudgets,
  RESOURCES.rolebindings,
  RESOURCES.roles,
  RESOURCES.secrets,
  RESOURCES.serviceaccounts,
  RESOURCES.services,
];

/** All objects that belong to the control plane of a namespace, of the kinds that `install` makes. */
export async function labelledObjects(client: KubeClient, namespace: string): Promise<KubeObject[]> {
  const labelSelector = `${CONTROL_PLANE_NS_LABEL}=${namespace}`;
  const lists = await Promise.all([...CLUSTER_WIDE, ...IN_NAMESPACES].map((ref) => listOf(client, ref, labelSelector)));
  return lists.flat();
}

/** Pods with a proxy of this control plane that are not its own. */
export async function meshedPods(client: KubeClient, namespace: string): Promise<Pod[]> {
  const pods = await client.list<Pod>(RESOURCES.pods, { labelSelector: `${CONTROL_PLANE_NS_LABEL}=${namespace}` });
  return pods.items.filter(({ metadata }) => metadata.namespace !== namespace);
}

/** Namespaces of extensions. */
export async function extensions(client: KubeClient): Promise<string[]> {
  const namespaces = await client.list(RESOURCES.namespaces, { labelSelector: EXTENSION_LABEL });
  return namespaces.items.map(({ metadata }) => metadata.name);
}

/** What `kubectl delete` needs to know of an object. */
export function nameOnly({ apiVersion, kind, metadata }: KubeObject): KubeObject {
  const { name, namespace } = metadata;
  return { apiVersion, kind, metadata: namespace === undefined ? { name } : { name, namespace } };
}

/** The same text for the same object, whatever its version. */
export function identityOf({ apiVersion, kind, metadata }: KubeObject): string {
  const group = apiVersion.includes("/") ? apiVersion.slice(0, apiVersion.indexOf("/")) : "";
  return [group, kind, metadata.namespace ?? "", metadata.name].join(" ");
}

async function listOf(client: KubeClient, ref: ResourceRef, labelSelector: string): Promise<KubeObject[]> {
  try {
    return (await client.list(ref, { labelSelector })).items;
  } catch (error) {
    // A cluster without the kind has none of its objects.
    if (error instanceof ApiError && error.code === 404) return [];
    throw error;
  }
}
