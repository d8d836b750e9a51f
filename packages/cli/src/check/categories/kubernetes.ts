import { ApiError, type ResourceAttributes } from "@bowline/kube";
import { type Category, type Check, CheckFailure, failIfAny } from "../check.ts";

/** Webhooks of admissionregistration.k8s.io/v1 and EndpointSlices of discovery.k8s.io/v1 are in all versions from it on. */
const MINIMUM_MINOR = 21;
const CLOCK_SKEW_MAX_MS = 30_000;

export const KUBERNETES_API: Category = {
  name: "kubernetes-api",
  checks: [
    {
      description: "can initialize the client",
      anchor: "k8s-api",
      severity: "fatal",
      run: async ({ client }) => {
        client();
      },
    },
    {
      description: "can query the Kubernetes API",
      anchor: "k8s-api",
      severity: "fatal",
      run: async ({ client }) => {
        await client().version();
      },
    },
  ],
};

export const KUBERNETES_VERSION: Category = {
  name: "kubernetes-version",
  checks: [
    {
      description: "is running the minimum Kubernetes API version",
      anchor: "k8s-version",
      severity: "error",
      run: async ({ client }) => {
        const { major, minor, gitVersion } = await client().version();
        const number = Number.parseInt(minor, 10);
        if (Number(major) === 1 && number < MINIMUM_MINOR) {
          throw new CheckFailure(
            `Kubernetes is on version ${gitVersion}, but version 1.${MINIMUM_MINOR} or more recent is required`,
          );
        }
      },
    },
  ],
};

/** Before an installation. */
export const PRE_KUBERNETES_SETUP: Category = {
  name: "pre-kubernetes-setup",
  checks: [
    {
      description: "control plane namespace does not already exist",
      anchor: "pre-ns",
      severity: "error",
      run: async ({ state, controlPlaneNamespace }) => {
        const namespaces = await state.namespaces();
        if (namespaces.some(({ metadata }) => metadata.name === controlPlaneNamespace)) {
          throw new CheckFailure(`the "${controlPlaneNamespace}" namespace already exists`);
        }
      },
    },
    {
      description: "can create non-namespaced resources",
      anchor: "pre-k8s-cluster-k8s",
      severity: "error",
      run: async ({ client }) => {
        const wanted = [
          { group: "", resource: "namespaces" },
          { group: "rbac.authorization.k8s.io", resource: "clusterroles" },
          { group: "rbac.authorization.k8s.io", resource: "clusterrolebindings" },
          { group: "apiextensions.k8s.io", resource: "customresourcedefinitions" },
          { group: "admissionregistration.k8s.io", resource: "mutatingwebhookconfigurations" },
          { group: "admissionregistration.k8s.io", resource: "validatingwebhookconfigurations" },
        ];
        const answers = await Promise.all(wanted.map((one) => client().reviewAccess({ ...one, verb: "create" })));
        failIfAny(
          wanted.filter((_, i) => !answers[i]?.allowed).map(({ resource }) => `not authorized to create ${resource}`),
        );
      },
    },
    mayDo("can create ServiceAccounts", { group: "", resource: "serviceaccounts", verb: "create" }),
    mayDo("can create Services", { group: "", resource: "services", verb: "create" }),
    mayDo("can create Deployments", { group: "apps", resource: "deployments", verb: "create" }),
    mayDo("can create CronJobs", { group: "batch", resource: "cronjobs", verb: "create" }),
    mayDo("can create ConfigMaps", { group: "", resource: "configmaps", verb: "create" }),
    mayDo("can create Secrets", { group: "", resource: "secrets", verb: "create" }),
    mayDo("can read Secrets", { group: "", resource: "secrets", verb: "get" }),
    {
      description: "no clock skew detected",
      anchor: "pre-k8s-clock-skew",
      severity: "warning",
      run: async ({ client, now }) => {
        const response = await client().raw("GET", "/version");
        await response.body?.cancel();
        const skewMs = Math.abs(Date.parse(response.headers.get("date") ?? "") - now());
        if (skewMs > CLOCK_SKEW_MAX_MS)
          throw new CheckFailure(`the API server's clock is ${Math.round(skewMs / 1000)} s away from this machine's`);
      },
    },
  ],
};

function mayDo(description: string, attributes: ResourceAttributes): Check {
  return {
    description,
    anchor: "pre-k8s",
    severity: "error",
    run: async ({ client, controlPlaneNamespace }) => {
      const { allowed, reason } = await client()
        .reviewAccess({ ...attributes, namespace: controlPlaneNamespace })
        .catch((error: unknown) => {
          if (error instanceof ApiError) return { allowed: false, reason: error.message };
          throw error;
        });
      if (!allowed) {
        const because = reason === "" ? "" : `: ${reason}`;
        throw new CheckFailure(`not authorized to ${attributes.verb} ${attributes.resource}${because}`);
      }
    },
  };
}
