import { CONTROL_PLANE_COMPONENT_LABEL, LINKERD_CONFIG } from "@bowline/contracts";
import type { Values } from "@bowline/control-plane";
import type { Deployment, KubeObject, Pod, ReplicaSet, ResourceName, Service } from "@bowline/kube";
import { type Category, type Check, type CheckContext, CheckFailure, CheckSkipped, failIfAny } from "../check.ts";
import { inNetworks } from "../networks.ts";

const CRDS: readonly string[] = [
  "authorizationpolicies.policy.linkerd.io",
  "egressnetworks.policy.linkerd.io",
  "externalworkloads.workload.linkerd.io",
  "httplocalratelimitpolicies.policy.linkerd.io",
  "httproutes.policy.linkerd.io",
  "meshtlsauthentications.policy.linkerd.io",
  "networkauthentications.policy.linkerd.io",
  "serverauthorizations.policy.linkerd.io",
  "servers.policy.linkerd.io",
  "serviceprofiles.linkerd.io",
];

const CRDS_EXIST: Check = {
  description: "control plane CustomResourceDefinitions exist",
  anchor: "l5d-existence-crd",
  severity: "error",
  run: async ({ state }) => {
    const existing = new Set((await state.list("customresourcedefinitions")).map(({ metadata }) => metadata.name));
    failIfAny(CRDS.filter((name) => !existing.has(name)).map((name) => `missing ${name}`));
  },
};

export const LINKERD_CRD: Category = { name: "linkerd-crd", checks: [CRDS_EXIST] };

export const LINKERD_CONFIG_CATEGORY: Category = {
  name: "linkerd-config",
  checks: [
    {
      description: "control plane Namespace exists",
      anchor: "l5d-existence-ns",
      severity: "fatal",
      run: async ({ state, controlPlaneNamespace }) => {
        const namespaces = await state.namespaces();
        if (!namespaces.some(({ metadata }) => metadata.name === controlPlaneNamespace)) {
          throw new CheckFailure(`The "${controlPlaneNamespace}" namespace does not exist`);
        }
      },
    },
    exists("control plane ClusterRoles exist", "l5d-existence-cr", "clusterroles", ({ components, ns }) =>
      components.map((name) => `linkerd-${ns}-${name}`),
    ),
    exists(
      "control plane ClusterRoleBindings exist",
      "l5d-existence-crb",
      "clusterrolebindings",
      ({ components, ns }) => components.map((name) => `linkerd-${ns}-${name}`),
    ),
    exists(
      "control plane ServiceAccounts exist",
      "l5d-existence-sa",
      "serviceaccounts",
      ({ deployments }) => deployments,
    ),
    CRDS_EXIST,
    exists(
      "control plane MutatingWebhookConfigurations exist",
      "l5d-existence-mwc",
      "mutatingwebhookconfigurations",
      () => ["linkerd-proxy-injector-webhook-config"],
    ),
  ],
};

export const LINKERD_EXISTENCE: Category = {
  name: "linkerd-existence",
  checks: [
    {
      description: `'${LINKERD_CONFIG}' config map exists`,
      anchor: "l5d-existence-linkerd-config",
      severity: "fatal",
      run: async ({ state }) => {
        await state.values();
      },
    },
    {
      description: "control plane replica sets are ready",
      anchor: "l5d-existence-replicasets",
      severity: "fatal",
      retried: true,
      run: async ({ state, controlPlaneNamespace }) => {
        const sets = await state.list<ReplicaSet>("replicasets", controlPlaneNamespace);
        const waiting = sets.filter(({ spec, status }) => (spec?.replicas ?? 1) > (status?.readyReplicas ?? 0));
        failIfAny(
          waiting.map(({ metadata }) => metadata.name),
          "not ready:",
        );
      },
    },
    {
      description: "no unschedulable pods",
      anchor: "l5d-existence-unschedulable-pods",
      severity: "warning",
      run: async ({ state }) => {
        const pods = await state.controlPlanePods();
        const problems = pods.flatMap(({ metadata, status }) => {
          const scheduled = status?.conditions?.find(({ type }) => type === "PodScheduled");
          return scheduled?.reason === "Unschedulable" ? [`${metadata.name}: ${scheduled.message ?? ""}`] : [];
        });
        failIfAny(problems);
      },
    },
    {
      description: "control plane pods are ready",
      anchor: "l5d-api-control-ready",
      severity: "fatal",
      retried: true,
      run: async (context) => {
        const [pods, deployments] = await Promise.all([context.state.controlPlanePods(), expectedDeployments(context)]);
        const ready = pods.filter(isReady);
        const missing = deployments.filter(
          (name) => !ready.some(({ metadata }) => metadata.name.startsWith(`${name}-`)),
        );
        failIfAny(missing.map((name) => `no running and ready pods of ${name}`));
      },
    },
    {
      description: "cluster networks contain all pods",
      anchor: "l5d-cluster-networks-pods",
      severity: "error",
      run: async ({ state }) => {
        const { clusterNetworks } = await state.values();
        const pods = await state.list<Pod>("pods");
        const outside = pods.filter(
          ({ spec, status }) =>
            spec?.hostNetwork !== true && status?.podIP !== undefined && !inNetworks(status.podIP, clusterNetworks),
        );
        failIfAny(
          outside.map(
            ({ metadata, status }) =>
              `the Linkerd clusterNetworks [${clusterNetworks}] do not include pod ${metadata.namespace}/${metadata.name} (${status?.podIP})`,
          ),
        );
      },
    },
    {
      description: "cluster networks contain all services",
      anchor: "l5d-cluster-networks-pods",
      severity: "error",
      run: async ({ state }) => {
        const { clusterNetworks } = await state.values();
        const services = await state.list<Service>("services");
        const outside = services.filter(({ spec }) => {
          const ip = spec?.clusterIP;
          return ip !== undefined && ip !== "None" && ip !== "" && !inNetworks(ip, clusterNetworks);
        });
        failIfAny(
          outside.map(
            ({ metadata, spec }) =>
              `the Linkerd clusterNetworks [${clusterNetworks}] do not include svc ${metadata.namespace}/${metadata.name} (${spec?.clusterIP})`,
          ),
        );
      },
    },
  ],
};

export const LINKERD_HA: Category = {
  name: "linkerd-ha-checks",
  checks: [
    {
      description: "multiple replicas of control plane pods",
      anchor: "l5d-control-plane-replicas",
      severity: "warning",
      run: async ({ state, controlPlaneNamespace }) => {
        const { highAvailability } = await state.valuesOrSkip();
        if (!highAvailability) throw new CheckSkipped();
        const deployments = await state.list<Deployment>(
          "deployments",
          controlPlaneNamespace,
          CONTROL_PLANE_COMPONENT_LABEL,
        );
        const few = deployments.filter(({ status }) => (status?.availableReplicas ?? 0) < 2);
        failIfAny(
          few.map(
            ({ metadata, status }) =>
              `not enough replicas available for [${metadata.name}]: ${status?.availableReplicas ?? 0}`,
          ),
        );
      },
    },
  ],
};

/** Whether the Ready condition of a running pod is true. */
export function isReady({ metadata, status }: Pod): boolean {
  const ready = status?.conditions?.some(({ type, status: value }) => type === "Ready" && value === "True") ?? false;
  return ready && status?.phase === "Running" && metadata.deletionTimestamp === undefined;
}

async function expectedDeployments({ state }: Pick<CheckContext, "state">): Promise<string[]> {
  return deploymentsOf(await state.valuesOrSkip());
}

function deploymentsOf(values: Values): string[] {
  return ["linkerd-destination", ...(values.identity.enabled ? ["linkerd-identity"] : []), "linkerd-proxy-injector"];
}

interface Expected {
  readonly ns: string;
  /** As names of cluster roles have them. */
  readonly components: readonly string[];
  readonly deployments: readonly string[];
}

function exists(
  description: string,
  anchor: string,
  resource: ResourceName,
  namesOf: (expected: Expected) => readonly string[],
): Check {
  return {
    description,
    anchor,
    severity: "error",
    run: async ({ state, controlPlaneNamespace: ns }) => {
      const deployments = await expectedDeployments({ state });
      const components = deployments.map((name) => name.replace(/^linkerd-/, ""));
      const objects = await state.labelled<KubeObject>(resource);
      const names = new Set(objects.map(({ metadata }) => metadata.name));
      failIfAny(
        namesOf({ ns, components, deployments })
          .filter((name) => !names.has(name))
          .map((name) => `missing ${name}`),
      );
    },
  };
}
