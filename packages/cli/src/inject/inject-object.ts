import { CONFIG_ANNOTATION, INJECT_ANNOTATION, VERSION } from "@bowline/contracts";
import {
  annotateMetadata,
  controlPlaneComponent,
  type InjectionReport,
  inject,
  type JsonObject,
  type PatchOperation,
  type PodView,
  readWorkload,
  removeSidecar,
  ShapeError,
  SKIP_REASONS,
  type SkipReason,
  skipReasons,
  uninject,
  type Values,
  valuesWith,
  type Workload,
} from "@bowline/control-plane";
import { applyPatch } from "./json-patch.ts";
import { isMapObject } from "./map-object.ts";
import { ObjectError, type Transformed, type Transformer } from "./transform.ts";

export interface InjectOptions {
  /** null: only annotate, and leave the rendering to the webhook. */
  readonly manual: Values | null;
  /** Annotations that the flags stand for. */
  readonly overrides: Readonly<Record<string, string>>;
  readonly values: Values;
}

export interface ObjectReport {
  readonly injection: InjectionReport;
  readonly outcome: "injected" | "annotated" | "skipped";
  readonly warnings: readonly string[];
}

/** What `inject` does to each object. */
export function injector(options: InjectOptions): Transformer<ObjectReport> {
  return (object) => {
    try {
      return injectObject(object, options);
    } catch (error) {
      if (error instanceof ShapeError) throw new ObjectError(`${nameOf(object)}: ${error.message}`);
      if (error instanceof RangeError) throw new ObjectError(error.message);
      throw error;
    }
  };
}

function injectObject(original: JsonObject, options: InjectOptions): Transformed<ObjectReport> {
  const object = withoutSidecar(original);
  const workload = readWorkload(object);
  const judged = inject({ ...engineInput(object, options), namespaceAnnotations: {} });
  if (workload.kind === "namespace" || workload.kind === "service")
    return annotateObject(workload, judged.report, options);
  refuse(workload, judged.report, options);
  if (skipReasons(judged.report).length > 0 || workload.pod === null) return skipped(original, judged.report);
  if (options.manual !== null) {
    const { report, patch, warnings } = inject(engineInput(object, options));
    return { object: applyPatch(object, patch), report: { injection: report, outcome: "injected", warnings } };
  }
  const patch = annotatePod(workload.pod, options.overrides);
  return { object: applyPatch(object, patch), report: { injection: judged.report, outcome: "injected", warnings: [] } };
}

/** What names of ports or a container stand for is settled pod by pod, as the annotation does it. */
const ANNOTATED_EVEN_IF_MANUAL: readonly string[] = [
  CONFIG_ANNOTATION.opaquePorts,
  CONFIG_ANNOTATION.enableDebugSidecar,
];

function engineInput(object: JsonObject, { manual, overrides, values }: InjectOptions): Parameters<typeof inject>[0] {
  const kept = Object.entries(overrides).filter(([name]) => ANNOTATED_EVEN_IF_MANUAL.includes(name));
  return {
    object,
    namespaceAnnotations: manual === null ? {} : Object.fromEntries(kept),
    values: manual === null ? values : valuesWith(manual, overrides).values,
    origin: "cli",
    createdBy: `linkerd/cli ${VERSION}`,
    owner: null,
    namespace: null,
  };
}

/** A proxy of before goes, so that injecting again brings it up to date. */
function withoutSidecar(object: JsonObject): JsonObject {
  const { pod } = readWorkload(object);
  if (pod === null || removeSidecar(pod).length === 0) return object;
  const bare = applyPatch(object, uninject(object).patch);
  return isMapObject(bare) ? bare : object;
}

/** Silence would let people believe that these are in the mesh. */
function refuse(workload: Workload, report: InjectionReport, { manual }: InjectOptions): void {
  if (workload.pod !== null && controlPlaneComponent(workload.pod) !== "" && manual === null) {
    throw new ObjectError("--manual must be set when injecting control plane components");
  }
  if (skipReasons(report).length === 0) return;
  const loud: readonly SkipReason[] = [
    "disabled_automount_service_account_token_account",
    "host_network_enabled",
    "sidecar_already_exists",
  ];
  const reasons = loud.filter((reason) => skipReasons(report).includes(reason)).map((reason) => SKIP_REASONS[reason]);
  if (report.udp) reasons.push("UDP port(s) configured on pod spec");
  if (reasons.length > 0)
    throw new ObjectError(`failed to inject ${report.kind}/${report.name}: ${reasons.join(", ")}`);
}

function annotatePod(pod: PodView, overrides: Readonly<Record<string, string>>): readonly PatchOperation[] {
  // A pod that asks for ingress mode is asking to be injected.
  const present = pod.annotations[INJECT_ANNOTATION] === "ingress" ? "ingress" : "enabled";
  return annotateMetadata(pod.metadata, { [INJECT_ANNOTATION]: present, ...overrides }, pod.pointer);
}

/** Namespaces are annotated for their pods; services have opaque ports only. */
function annotateObject(
  { object, kind }: Workload,
  injection: InjectionReport,
  { overrides }: InjectOptions,
): Transformed<ObjectReport> {
  const opaquePorts = overrides[CONFIG_ANNOTATION.opaquePorts];
  if (kind === "service" && opaquePorts === undefined) return skipped(object, injection);
  const annotations =
    kind === "service"
      ? { [CONFIG_ANNOTATION.opaquePorts]: opaquePorts ?? "" }
      : { [INJECT_ANNOTATION]: "enabled", ...overrides };
  const metadata = isMapObject(object["metadata"]) ? object["metadata"] : undefined;
  const patch = annotateMetadata(metadata, annotations, "");
  return { object: applyPatch(object, patch), report: { injection, outcome: "annotated", warnings: [] } };
}

function skipped(object: JsonObject, injection: InjectionReport): Transformed<ObjectReport> {
  return { object, report: { injection, outcome: "skipped", warnings: [] } };
}

function nameOf(object: JsonObject): string {
  const metadata = isMapObject(object["metadata"]) ? object["metadata"] : {};
  const [kind, name] = [object["kind"], metadata["name"]].map((part) => (typeof part === "string" ? part : ""));
  return `${(kind ?? "").toLowerCase()}/${name ?? ""}`;
}
