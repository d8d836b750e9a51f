import type { Values } from "@bowline/control-plane";
import type { KubeObject, PolicyRule } from "@bowline/kube";
import { clusterWide } from "./parts.ts";

const RBAC = "rbac.authorization.k8s.io";
const READ = ["get", "list", "watch"];

/** What each program may do: nothing that it does not need. */
const RULES: Readonly<Record<string, PolicyRule[]>> = {
  destination: [
    { apiGroups: [""], resources: ["pods", "services", "nodes"], verbs: READ },
    { apiGroups: ["apps"], resources: ["replicasets"], verbs: READ },
    { apiGroups: ["batch"], resources: ["jobs"], verbs: READ },
    { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: READ },
    { apiGroups: ["linkerd.io"], resources: ["serviceprofiles"], verbs: READ },
    { apiGroups: ["policy.linkerd.io"], resources: ["servers"], verbs: READ },
    { apiGroups: ["workload.linkerd.io"], resources: ["externalworkloads"], verbs: READ },
  ],
  "proxy-injector": [
    { apiGroups: [""], resources: ["namespaces"], verbs: READ },
    // Whose pod it is in the end.
    { apiGroups: ["apps"], resources: ["replicasets"], verbs: ["get"] },
    { apiGroups: ["batch"], resources: ["jobs"], verbs: ["get"] },
    { apiGroups: [""], resources: ["events"], verbs: ["create", "patch"] },
  ],
  "metrics-api": [
    { apiGroups: [""], resources: ["pods", "services"], verbs: READ },
    { apiGroups: ["apps"], resources: ["replicasets"], verbs: READ },
    { apiGroups: ["batch"], resources: ["jobs"], verbs: READ },
  ],
};

/** The ClusterRole of a program and its binding to the program's ServiceAccount. */
export function clusterAccess(values: Values, component: string, serviceAccount: string): KubeObject[] {
  // The namespace in the name keeps several control planes of one cluster apart.
  const name = `linkerd-${values.namespace}-${component}`;
  const identity = { apiVersion: `${RBAC}/v1`, name, component };
  return [
    clusterWide(values, { ...identity, kind: "ClusterRole" }, { rules: RULES[component] ?? [] }),
    clusterWide(
      values,
      { ...identity, kind: "ClusterRoleBinding" },
      {
        roleRef: { apiGroup: RBAC, kind: "ClusterRole", name },
        subjects: [{ kind: "ServiceAccount", name: serviceAccount, namespace: values.namespace }],
      },
    ),
  ];
}
