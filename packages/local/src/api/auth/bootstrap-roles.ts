import type { PolicyRule, Subject } from "@bowline/kube";

/** A ClusterRole of every cluster, and to whom it is given. */
export interface BootstrapRole {
  readonly name: string;
  readonly rules: readonly PolicyRule[];
  /** Names of groups; absent: roles for users of the cluster to bind. */
  readonly groups?: readonly string[];
}

const READ = ["get", "list", "watch"];
const WRITE = ["create", "delete", "deletecollection", "patch", "update"];
const AUTHENTICATED = "system:authenticated";
const EVERYBODY = [AUTHENTICATED, "system:unauthenticated"];

/** What `view` reads: nothing that gives away credentials. */
const VIEWED: readonly (readonly [group: string, resources: readonly string[]])[] = [
  [
    "",
    [
      "configmaps",
      "endpoints",
      "events",
      "limitranges",
      "namespaces",
      "namespaces/status",
      "persistentvolumeclaims",
      "persistentvolumeclaims/status",
      "pods",
      "pods/log",
      "pods/status",
      "replicationcontrollers",
      "replicationcontrollers/scale",
      "replicationcontrollers/status",
      "resourcequotas",
      "resourcequotas/status",
      "serviceaccounts",
      "services",
      "services/status",
    ],
  ],
  ["discovery.k8s.io", ["endpointslices"]],
  [
    "apps",
    [
      "controllerrevisions",
      "daemonsets",
      "daemonsets/status",
      "deployments",
      "deployments/scale",
      "deployments/status",
      "replicasets",
      "replicasets/scale",
      "replicasets/status",
      "statefulsets",
      "statefulsets/scale",
      "statefulsets/status",
    ],
  ],
  ["autoscaling", ["horizontalpodautoscalers", "horizontalpodautoscalers/status"]],
  ["batch", ["cronjobs", "cronjobs/status", "jobs", "jobs/status"]],
  ["policy", ["poddisruptionbudgets", "poddisruptionbudgets/status"]],
  ["networking.k8s.io", ["ingresses", "ingresses/status", "networkpolicies"]],
];

/** What `edit` writes. */
const EDITED: readonly (readonly [group: string, resources: readonly string[]])[] = [
  [
    "",
    [
      "configmaps",
      "endpoints",
      "events",
      "persistentvolumeclaims",
      "pods",
      "pods/attach",
      "pods/eviction",
      "pods/exec",
      "pods/portforward",
      "pods/proxy",
      "replicationcontrollers",
      "replicationcontrollers/scale",
      "secrets",
      "serviceaccounts",
      "serviceaccounts/token",
      "services",
      "services/proxy",
    ],
  ],
  ["discovery.k8s.io", ["endpointslices"]],
  [
    "apps",
    [
      "daemonsets",
      "deployments",
      "deployments/rollback",
      "deployments/scale",
      "replicasets",
      "replicasets/scale",
      "statefulsets",
      "statefulsets/scale",
    ],
  ],
  ["autoscaling", ["horizontalpodautoscalers"]],
  ["batch", ["cronjobs", "jobs"]],
  ["policy", ["poddisruptionbudgets"]],
  ["networking.k8s.io", ["ingresses", "networkpolicies"]],
  ["coordination.k8s.io", ["leases"]],
];

const VIEW: readonly PolicyRule[] = VIEWED.map(([group, resources]) => rule([group], resources, READ));

const EDIT: readonly PolicyRule[] = [
  ...VIEW,
  rule(["coordination.k8s.io"], ["leases"], READ),
  rule([""], ["secrets", "pods/attach", "pods/exec", "pods/portforward", "pods/proxy", "services/proxy"], READ),
  rule([""], ["serviceaccounts"], ["impersonate"]),
  ...EDITED.map(([group, resources]) => rule([group], resources, WRITE)),
];

const ADMIN: readonly PolicyRule[] = [
  ...EDIT,
  rule(["rbac.authorization.k8s.io"], ["roles", "rolebindings"], [...READ, ...WRITE]),
  rule(["authorization.k8s.io"], ["localsubjectaccessreviews"], ["create"]),
];

export const BOOTSTRAP_ROLES: readonly BootstrapRole[] = [
  {
    name: "cluster-admin",
    rules: [rule(["*"], ["*"], ["*"]), { nonResourceURLs: ["*"], verbs: ["*"] }],
    groups: ["system:masters"],
  },
  { name: "admin", rules: ADMIN },
  { name: "edit", rules: EDIT },
  { name: "view", rules: VIEW },
  {
    name: "system:discovery",
    rules: [
      {
        nonResourceURLs: [
          "/api",
          "/api/*",
          "/apis",
          "/apis/*",
          "/healthz",
          "/livez",
          "/openapi",
          "/openapi/*",
          "/readyz",
          "/version",
          "/version/",
        ],
        verbs: ["get"],
      },
    ],
    groups: [AUTHENTICATED],
  },
  {
    name: "system:basic-user",
    rules: [
      rule(["authorization.k8s.io"], ["selfsubjectaccessreviews", "selfsubjectrulesreviews"], ["create"]),
      rule(["authentication.k8s.io"], ["selfsubjectreviews"], ["create"]),
    ],
    groups: [AUTHENTICATED],
  },
  {
    name: "system:public-info-viewer",
    rules: [{ nonResourceURLs: ["/healthz", "/livez", "/readyz", "/version", "/version/"], verbs: ["get"] }],
    groups: EVERYBODY,
  },
  {
    name: "system:service-account-issuer-discovery",
    rules: [
      {
        nonResourceURLs: [
          "/.well-known/openid-configuration",
          "/.well-known/openid-configuration/",
          "/openid/v1/jwks",
          "/openid/v1/jwks/",
        ],
        verbs: ["get"],
      },
    ],
    groups: ["system:serviceaccounts"],
  },
  {
    name: "system:auth-delegator",
    rules: [
      rule(["authentication.k8s.io"], ["tokenreviews"], ["create"]),
      rule(["authorization.k8s.io"], ["subjectaccessreviews"], ["create"]),
    ],
  },
];

export function groupSubject(name: string): Subject {
  return { kind: "Group", apiGroup: "rbac.authorization.k8s.io", name };
}

function rule(apiGroups: string[], resources: readonly string[], verbs: readonly string[]): PolicyRule {
  return { apiGroups, resources: [...resources], verbs: [...verbs] };
}
