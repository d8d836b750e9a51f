import {
  CONTROL_PLANE_COMPONENT_LABEL,
  CONTROL_PLANE_NS_LABEL,
  CREATED_BY_ANNOTATION,
  VERSION,
} from "@bowline/contracts";
import type { Resources, Values } from "@bowline/control-plane";
import type { Container, KubeObject, PodSpec, ServicePort } from "@bowline/kube";

/** Who is said to have rendered an object. */
export const CREATED_BY: string = `bowline/cli ${VERSION}`;

/** Labels of everything that belongs to one control plane, by which `uninstall` and `prune` find it. */
export function labelsOf(values: Values, component?: string): Record<string, string> {
  return {
    ...values.commonLabels,
    [CONTROL_PLANE_NS_LABEL]: values.namespace,
    ...(component === undefined ? {} : { [CONTROL_PLANE_COMPONENT_LABEL]: component }),
  };
}

/** An object in the control plane's namespace. */
export function namespaced(
  values: Values,
  identity: { readonly apiVersion: string; readonly kind: string; readonly name: string; readonly component?: string },
  fields: Readonly<Record<string, unknown>>,
): KubeObject {
  const { apiVersion, kind, name, component } = identity;
  const metadata = {
    name,
    namespace: values.namespace,
    labels: labelsOf(values, component),
    annotations: { [CREATED_BY_ANNOTATION]: CREATED_BY },
  };
  return { apiVersion, kind, metadata, ...fields };
}

/** An object of the whole cluster. */
export function clusterWide(
  values: Values,
  identity: { readonly apiVersion: string; readonly kind: string; readonly name: string; readonly component?: string },
  fields: Readonly<Record<string, unknown>>,
): KubeObject {
  const { apiVersion, kind, metadata } = namespaced(values, identity, {});
  const { namespace: _, ...clusterMetadata } = metadata;
  return { apiVersion, kind, metadata: clusterMetadata, ...fields };
}

export function serviceAccount(values: Values, name: string, component: string): KubeObject {
  const imagePullSecrets = values.imagePullSecrets.length === 0 ? {} : { imagePullSecrets: values.imagePullSecrets };
  return namespaced(values, { apiVersion: "v1", kind: "ServiceAccount", name, component }, imagePullSecrets);
}

export function service(
  values: Values,
  name: string,
  component: string,
  ports: readonly ServicePort[],
  headless = false,
): KubeObject {
  const selector = { [CONTROL_PLANE_COMPONENT_LABEL]: component };
  const type = headless ? { clusterIP: "None" } : { type: "ClusterIP" };
  return namespaced(
    values,
    { apiVersion: "v1", kind: "Service", name, component },
    { spec: { ...type, selector, ports } },
  );
}

export interface Program {
  /** Name of the Deployment and of its ServiceAccount. */
  readonly name: string;
  readonly component: string;
  readonly args: readonly string[];
  readonly ports: Readonly<Record<string, number>>;
  /** Where /ping and /ready are: one of `ports`. */
  readonly adminPort: string;
  readonly resources: Resources;
  readonly podAnnotations?: Readonly<Record<string, string>>;
  readonly volumes?: PodSpec["volumes"];
  readonly volumeMounts?: Container["volumeMounts"];
}

/** The Deployment of one of the control plane's programs, still without its proxy, and its disruption budget. */
export function deployment(values: Values, program: Program): KubeObject[] {
  const { name, component } = program;
  const selector = {
    matchLabels: { [CONTROL_PLANE_COMPONENT_LABEL]: component, [CONTROL_PLANE_NS_LABEL]: values.namespace },
  };
  const workload = namespaced(
    values,
    { apiVersion: "apps/v1", kind: "Deployment", name, component },
    {
      spec: {
        replicas: values.controllerReplicas,
        revisionHistoryLimit: 10,
        selector,
        // Named although it is the default: without it, kubectl would find a difference at each apply.
        strategy: { type: "RollingUpdate", ...values.deploymentStrategy },
        template: {
          metadata: {
            labels: { ...labelsOf(values, component), ...values.podLabels },
            annotations: { ...program.podAnnotations, ...values.podAnnotations },
          },
          spec: podSpec(values, program),
        },
      },
    },
  );
  if (!values.enablePodDisruptionBudget) return [workload];
  const budget = { apiVersion: "policy/v1", kind: "PodDisruptionBudget", name, component };
  return [workload, namespaced(values, budget, { spec: { maxUnavailable: 1, selector } })];
}

/** Arguments that all programs of the control plane have. */
export function logArgs(values: Values): string[] {
  return [`--log-level=${values.controllerLogLevel}`, `--log-format=${values.controllerLogFormat}`];
}

function podSpec(values: Values, program: Program): PodSpec {
  const { name, component, volumes = [] } = program;
  return {
    serviceAccountName: name,
    nodeSelector: { ...values.nodeSelector },
    ...(values.tolerations.length === 0 ? {} : { tolerations: [...values.tolerations] }),
    ...(values.priorityClassName === "" ? {} : { priorityClassName: values.priorityClassName }),
    ...(values.runtimeClassName === "" ? {} : { runtimeClassName: values.runtimeClassName }),
    ...(values.enablePodAntiAffinity ? { affinity: apart(component) } : {}),
    securityContext: { seccompProfile: { type: "RuntimeDefault" } },
    containers: [container(values, program)],
    ...(volumes.length === 0 ? {} : { volumes }),
  };
}

function container(values: Values, program: Program): Container {
  const { component, args, ports, adminPort, volumeMounts = [] } = program;
  const version = values.controllerImageVersion === "" ? values.linkerdVersion : values.controllerImageVersion;
  const probe = (path: string): Container["livenessProbe"] => ({ httpGet: { path, port: adminPort } });
  return {
    name: component,
    image: `${values.controllerImage}:${version}`,
    imagePullPolicy: values.imagePullPolicy,
    args: [...args],
    ports: Object.entries(ports).map(([portName, containerPort]) => ({ name: portName, containerPort })),
    livenessProbe: { ...probe("/ping"), initialDelaySeconds: 10 },
    readinessProbe: { ...probe("/ready"), failureThreshold: 7 },
    ...resourcesOf(program.resources),
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"] },
      readOnlyRootFilesystem: true,
      runAsNonRoot: true,
      runAsUser: values.controllerUID,
      ...(values.controllerGID >= 0 ? { runAsGroup: values.controllerGID } : {}),
      seccompProfile: { type: "RuntimeDefault" },
    },
    ...(volumeMounts.length === 0 ? {} : { volumeMounts }),
  };
}

function resourcesOf(resources: Resources): Pick<Container, "resources"> {
  const bound = (which: "request" | "limit"): Record<string, string> =>
    Object.fromEntries(
      Object.entries(resources)
        .map(([kind, bounds]) => [kind, bounds[which]] as const)
        .filter(([, quantity]) => quantity !== ""),
    );
  const [requests, limits] = [bound("request"), bound("limit")];
  const set = {
    ...(Object.keys(requests).length === 0 ? {} : { requests }),
    ...(Object.keys(limits).length === 0 ? {} : { limits }),
  };
  return Object.keys(set).length === 0 ? {} : { resources: set };
}

/** Never two on one machine, and in several zones where there are several. */
function apart(component: string): NonNullable<PodSpec["affinity"]> {
  const labelSelector = {
    matchExpressions: [{ key: CONTROL_PLANE_COMPONENT_LABEL, operator: "In", values: [component] }],
  };
  return {
    podAntiAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [{ labelSelector, topologyKey: "kubernetes.io/hostname" }],
      preferredDuringSchedulingIgnoredDuringExecution: [
        { weight: 100, podAffinityTerm: { labelSelector, topologyKey: "topology.kubernetes.io/zone" } },
      ],
    },
  };
}
