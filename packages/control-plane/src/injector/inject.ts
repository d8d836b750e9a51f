import { createHash } from "node:crypto";
import {
  CONFIG_ANNOTATION,
  CONTROL_PLANE_NS_LABEL,
  CREATED_BY_ANNOTATION,
  END_ENTITY_VOLUME,
  IDENTITY_AUDIENCE,
  IDENTITY_TOKEN_VOLUME,
  INJECT_ANNOTATION,
  OTEL_RESOURCE_PREFIX,
  PROXY_VERSION_ANNOTATION,
  PROXY_WORKLOAD_LABEL_PREFIX,
  TRUST_ROOT_ANNOTATION,
  WORKLOAD_NS_LABEL,
  XTABLES_LOCK_VOLUME,
} from "@bowline/contracts";
import type { Values } from "../values.ts";
import { debugContainer, proxyContainer } from "./containers.ts";
import { initContainer } from "./init-containers.ts";
import type { JsonObject } from "./json-object.ts";
import { isNetwork, listItems } from "./networks.ts";
import { podOpaquePorts, serviceOpaquePortsPatch } from "./opaque-ports.ts";
import { type PatchOperation, PodPatch } from "./patch.ts";
import { inboundPorts, namedPorts } from "./ports-of-pod.ts";
import { type InjectionOrigin, type InjectionReport, reportOf, skipReasons } from "./report.ts";
import { type Settings, settingsOf } from "./settings.ts";
import { controlPlaneComponent, type PodView, readWorkload, type Workload } from "./workload.ts";

/** Whose pod it is in the end: a Deployment's, not its ReplicaSet's. */
export interface WorkloadOwner {
  readonly kind: string;
  readonly name: string;
}

export interface InjectionInput {
  readonly object: JsonObject;
  readonly namespaceAnnotations: Readonly<Record<string, string>>;
  readonly values: Values;
  readonly origin: InjectionOrigin;
  /** Who is said to have done it, such as `linkerd/cli 2.18.0`. */
  readonly createdBy: string;
  /** null: the object itself, if it is a workload. */
  readonly owner: WorkloadOwner | null;
  /** null: the object's own. */
  readonly namespace: string | null;
}

export interface Injection {
  readonly report: InjectionReport;
  /** Annotations that have no effect, and why. */
  readonly warnings: readonly string[];
  /** Empty when there is nothing to change. */
  readonly patch: readonly PatchOperation[];
}

/**
 * Renders a proxy into a pod or a workload's pod template, as a JSON patch; the same input gives the same patch. An
 * object that gets no proxy may still be annotated with its opaque ports, if the webhook asks.
 *
 * @throws ShapeError when the object is malformed, RangeError when the values are
 */
export function inject(input: InjectionInput): Injection {
  const workload = readWorkload(input.object);
  const { values, namespaceAnnotations, origin } = input;
  const report = reportOf({ workload, namespaceAnnotations, origin, values });
  if (workload.pod === null) {
    const isService = workload.kind === "service" && origin === "webhook";
    const patch = isService ? serviceOpaquePortsPatch(workload, namespaceAnnotations, values) : [];
    return { report, warnings: [], patch };
  }
  if (skipReasons(report).length > 0) return { report, warnings: [], patch: opaquePortsOnly(workload.pod, input) };
  const warnings: string[] = [];
  const settings = settingsOf({
    values,
    namespaceAnnotations,
    podAnnotations: workload.pod.annotations,
    namedPorts: namedPorts(workload.pod),
    warn: ({ annotation, text, reason }) =>
      warnings.push(`annotation ${annotation}=${JSON.stringify(text)} is ignored: ${reason}`),
  });
  checkNetworks(settings.values);
  return { report, warnings, patch: render(workload, workload.pod, settings, input) };
}

/** Whether an annotation of a namespace holds for its pods. */
export function isInherited(annotation: string): boolean {
  return INHERITED.has(annotation) || annotation.startsWith(OTEL_RESOURCE_PREFIX);
}

const INHERITED: ReadonlySet<string> = new Set([INJECT_ANNOTATION, ...Object.values(CONFIG_ANNOTATION)]);

/** Label values are no longer than this (RFC 1123's label), names of workloads may be. */
const LABEL_BYTES_MAX = 63;

function render(
  workload: Workload,
  pod: PodView,
  settings: Settings,
  input: InjectionInput,
): readonly PatchOperation[] {
  const patch = new PodPatch(pod);
  annotate(patch, pod, settings.values, input);
  label(patch, workload, settings.values, input);
  addVolumes(patch, settings.values);
  addContainers(patch, pod, settings);
  return patch.operations;
}

function annotate(patch: PodPatch, pod: PodView, values: Values, input: InjectionInput): void {
  patch.annotate(CREATED_BY_ANNOTATION, input.createdBy);
  patch.annotate(PROXY_VERSION_ANNOTATION, values.proxy.image.version || values.linkerdVersion);
  if (values.identity.enabled) {
    patch.annotate(TRUST_ROOT_ANNOTATION, createHash("sha256").update(values.identityTrustAnchorsPEM).digest("hex"));
  }
  const inherited = Object.entries(input.namespaceAnnotations)
    .filter(([name]) => isInherited(name) && pod.annotations[name] === undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [name, value] of inherited) patch.annotate(name, value);
  if (input.origin !== "webhook" || CONFIG_ANNOTATION.opaquePorts in input.namespaceAnnotations) return;
  const opaquePorts = podOpaquePorts(pod, {}, input.values);
  if (opaquePorts !== null) patch.annotate(CONFIG_ANNOTATION.opaquePorts, opaquePorts);
}

function label(patch: PodPatch, workload: Workload, values: Values, input: InjectionInput): void {
  const namespace = input.namespace ?? workload.namespace;
  const owner = input.owner ?? (workload.kind === "pod" ? null : workload);
  patch.label(CONTROL_PLANE_NS_LABEL, values.namespace);
  if (namespace !== "") patch.label(WORKLOAD_NS_LABEL, namespace);
  if (owner === null || owner.name === "" || owner.name.length > LABEL_BYTES_MAX) return;
  patch.label(`${PROXY_WORKLOAD_LABEL_PREFIX}${owner.kind.toLowerCase()}`, owner.name);
}

function addVolumes(patch: PodPatch, values: Values): void {
  if (!values.cniEnabled) patch.addVolume({ name: XTABLES_LOCK_VOLUME, emptyDir: {} });
  if (!values.identity.enabled) return;
  patch.addVolume({ name: END_ENTITY_VOLUME, emptyDir: { medium: "Memory" } });
  if (!values.identity.serviceAccountTokenProjection) return;
  const serviceAccountToken = { path: IDENTITY_TOKEN_VOLUME, expirationSeconds: 86_400, audience: IDENTITY_AUDIENCE };
  patch.addVolume({ name: IDENTITY_TOKEN_VOLUME, projected: { sources: [{ serviceAccountToken }] } });
}

function addContainers(patch: PodPatch, pod: PodView, { values, debug }: Settings): void {
  const component = controlPlaneComponent(pod);
  const init = initContainer({ values, pod, component });
  const proxy = proxyContainer({ values, pod, component, inboundPorts: inboundPorts(pod) });
  if (values.proxy.nativeSidecar) {
    patch.addFirstInitContainer(init);
    if (debug !== null) patch.addLastContainer(debugContainer(debug));
    patch.addFirstInitContainer(proxy);
    return;
  }
  patch.addLastInitContainer(init);
  if (debug !== null) patch.addLastContainer(debugContainer(debug));
  // Containers start in order: what is to wait for the proxy must come behind it.
  if (values.proxy.await) patch.addFirstContainer(proxy);
  else patch.addLastContainer(proxy);
}

function opaquePortsOnly(pod: PodView, input: InjectionInput): readonly PatchOperation[] {
  if (input.origin !== "webhook") return [];
  const opaquePorts = podOpaquePorts(pod, input.namespaceAnnotations, input.values);
  if (opaquePorts === null) return [];
  const patch = new PodPatch(pod);
  patch.annotate(CONFIG_ANNOTATION.opaquePorts, opaquePorts);
  return patch.operations;
}

/** A proxy with a network that it can't read would not start, and take the pod with it. */
function checkNetworks(values: Values): void {
  const bad = listItems(values.clusterNetworks).filter((network) => !isNetwork(network));
  if (bad.length > 0) throw new RangeError(`clusterNetworks: not a network such as 10.0.0.0/8: ${bad.join(", ")}`);
}
