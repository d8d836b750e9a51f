import { INIT_CONTAINER, INJECT_ANNOTATION, PROXY_CONTAINER, SERVICE_ACCOUNT_DIR } from "@bowline/contracts";
import type { Values } from "../values.ts";
import { type JsonObject, objectsIn, textIn } from "./json-object.ts";
import type { PodView, Workload } from "./workload.ts";

/** Who asks: `inject` of the command line, or the API server. */
export type InjectionOrigin = "cli" | "webhook";

export type SkipReason =
  | "host_network_enabled"
  | "sidecar_already_exists"
  | "unsupported_resource"
  | "injection_enable_annotation_absent"
  | "injection_disable_annotation_present"
  | "invalid_inject_annotation_at_workload"
  | "invalid_inject_annotation_at_ns"
  | "disabled_automount_service_account_token_account";

/** Why a pod is left alone: the codes of Linkerd's metric label skip_reason, and what events say. */
export const SKIP_REASONS: Readonly<Record<SkipReason, string>> = {
  host_network_enabled: "hostNetwork is enabled",
  sidecar_already_exists: "pod has a sidecar injected already",
  unsupported_resource: "this resource kind is unsupported",
  injection_enable_annotation_absent: `neither the namespace nor the pod have the annotation "${INJECT_ANNOTATION}:enabled"`,
  injection_disable_annotation_present: `pod has the annotation "${INJECT_ANNOTATION}:disabled"`,
  invalid_inject_annotation_at_workload: `invalid value for annotation "${INJECT_ANNOTATION}" at workload`,
  invalid_inject_annotation_at_ns: `invalid value for annotation "${INJECT_ANNOTATION}" at namespace`,
  disabled_automount_service_account_token_account: `automountServiceAccountToken set to "false", with Values.identity.serviceAccountTokenProjection set to "false"`,
};

export interface InjectionReport {
  /** In lower case; "" when the object has none. */
  readonly kind: string;
  readonly name: string;
  readonly hostNetwork: boolean;
  readonly sidecar: boolean;
  readonly unsupportedResource: boolean;
  /** Some container has a UDP port, which no proxy handles. */
  readonly udp: boolean;
  /** The annotation that stops injection, or the lack of the one that would ask for it. */
  readonly injectDisabled: SkipReason | null;
  readonly injectAnnotationAt: "" | "namespace" | "workload";
  readonly automountServiceAccountToken: boolean;
}

export interface ReportInput {
  readonly workload: Workload;
  readonly namespaceAnnotations: Readonly<Record<string, string>>;
  readonly origin: InjectionOrigin;
  readonly values: Values;
}

/** Judges an object without changing anything. */
export function reportOf(input: ReportInput): InjectionReport {
  const { kind, name, pod } = input.workload;
  const base = { kind, name, hostNetwork: false, sidecar: false, unsupportedResource: false, udp: false };
  if (pod === null) {
    const unsupportedResource = kind !== "service" && kind !== "namespace";
    const nothing = { injectDisabled: null, injectAnnotationAt: "", automountServiceAccountToken: true } as const;
    return { ...base, ...nothing, unsupportedResource };
  }
  return {
    ...base,
    hostNetwork: pod.spec["hostNetwork"] === true,
    sidecar: hasSidecar(pod),
    udp: pod.containers.some((container) =>
      objectsIn(container, "ports", "").some((port) => port["protocol"] === "UDP"),
    ),
    ...decide(pod, input),
    automountServiceAccountToken: hasServiceAccountToken(pod, input),
  };
}

/** Why the object gets no proxy, most telling first; empty when it gets one. */
export function skipReasons(report: InjectionReport): readonly SkipReason[] {
  const reasons: SkipReason[] = [];
  if (report.hostNetwork) reasons.push("host_network_enabled");
  if (report.sidecar) reasons.push("sidecar_already_exists");
  if (report.unsupportedResource) reasons.push("unsupported_resource");
  if (report.injectDisabled !== null) reasons.push(report.injectDisabled);
  if (!report.automountServiceAccountToken) reasons.push("disabled_automount_service_account_token_account");
  return reasons;
}

type Decision = Pick<InjectionReport, "injectDisabled" | "injectAnnotationAt">;

/**
 * Linkerd's truth table. The command line injects whatever does not say `disabled`; the webhook wants to be asked, by
 * the namespace or by the pod, and the pod has the last word.
 */
function decide(pod: PodView, { namespaceAnnotations, origin }: ReportInput): Decision {
  const atPod = pod.annotations[INJECT_ANNOTATION] ?? "";
  const atNamespace = namespaceAnnotations[INJECT_ANNOTATION] ?? "";
  const no = (injectDisabled: SkipReason, injectAnnotationAt: Decision["injectAnnotationAt"] = ""): Decision => ({
    injectDisabled,
    injectAnnotationAt,
  });
  if (origin === "cli") {
    const injectDisabled = atPod === "disabled" ? "injection_disable_annotation_present" : null;
    return { injectDisabled, injectAnnotationAt: "" };
  }
  if (!isKnown(atNamespace)) return no("invalid_inject_annotation_at_ns");
  if (!isKnown(atPod)) return no("invalid_inject_annotation_at_workload");
  if (asksForProxy(atNamespace)) {
    if (atPod === "disabled") return no("injection_disable_annotation_present", "workload");
    return { injectDisabled: null, injectAnnotationAt: "namespace" };
  }
  if (!asksForProxy(atPod)) return no("injection_enable_annotation_absent");
  return { injectDisabled: null, injectAnnotationAt: "workload" };
}

function isKnown(annotation: string): boolean {
  return annotation === "" || annotation === "disabled" || asksForProxy(annotation);
}

function asksForProxy(annotation: string): boolean {
  return annotation === "enabled" || annotation === "ingress";
}

const SIDECAR_NAMES = [PROXY_CONTAINER, INIT_CONTAINER, "istio-proxy", "istio-init"];
/** Linkerd's and Istio's images, from whatever registry. */
const SIDECAR_IMAGES =
  /(?:^|\/)(?:linkerd(?:-io)?\/proxy(?:-init)?|istio-release\/proxy(?:v2|_init)|istio\/proxy(?:v2|_init)):/;

function hasSidecar(pod: PodView): boolean {
  return [...pod.containers, ...pod.initContainers].some(
    (container) => SIDECAR_NAMES.includes(textIn(container, "name")) || SIDECAR_IMAGES.test(textIn(container, "image")),
  );
}

/** Without projected tokens a proxy proves who it is by the service account's default token, and must be given it. */
function hasServiceAccountToken(pod: PodView, { origin, values }: ReportInput): boolean {
  if (!values.identity.enabled || values.identity.serviceAccountTokenProjection) return true;
  if (pod.spec["automountServiceAccountToken"] === false) return false;
  return origin === "cli" || serviceAccountMount(pod) !== null;
}

/** How the first container mounts the service account's token, if it does. */
export function serviceAccountMount(pod: PodView): JsonObject | null {
  const [first] = pod.containers;
  const mounts = objectsIn(first, "volumeMounts", "");
  return mounts.find((mount) => mount["mountPath"] === SERVICE_ACCOUNT_DIR) ?? null;
}
