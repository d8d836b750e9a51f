import { ApiError, type KubeObject } from "@bowline/kube";
import { BOOTSTRAP_ROLES, groupSubject } from "./auth/bootstrap-roles.ts";
import type { ClusterApi } from "./cluster-api.ts";

const NAMESPACES = ["default", "kube-system", "kube-public", "kube-node-lease"];
const RBAC = "rbac.authorization.k8s.io";

/** Makes what every cluster has from the beginning, where it is missing. What is there stays as it is. */
export async function bootstrap(api: ClusterApi): Promise<void> {
  for (const name of NAMESPACES) {
    await ensure(api, "namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name } });
  }
  for (const { name, rules, groups } of BOOTSTRAP_ROLES) {
    const metadata = { name, labels: { "kubernetes.io/bootstrapping": "rbac-defaults" } };
    const apiVersion = `${RBAC}/v1`;
    await ensure(api, `clusterroles.${RBAC}`, { apiVersion, kind: "ClusterRole", metadata, rules });
    if (groups === undefined) continue;
    await ensure(api, `clusterrolebindings.${RBAC}`, {
      apiVersion,
      kind: "ClusterRoleBinding",
      metadata,
      roleRef: { apiGroup: RBAC, kind: "ClusterRole", name },
      subjects: groups.map(groupSubject),
    });
  }
}

async function ensure(api: ClusterApi, type: string, object: KubeObject): Promise<void> {
  if (api.get(type, "", object.metadata.name) !== undefined) return;
  try {
    await api.create(type, object);
  } catch (error) {
    if (!(error instanceof ApiError) || error.reason !== "AlreadyExists") throw error;
  }
}
