import admissionregistration from "kubernetes-types/admissionregistration/v1.d.ts" with { type: "text" };
import resource from "kubernetes-types/api/resource.d.ts" with { type: "text" };
import apiextensions from "kubernetes-types/apiextensions/v1.d.ts" with { type: "text" };
import apps from "kubernetes-types/apps/v1.d.ts" with { type: "text" };
import autoscaling from "kubernetes-types/autoscaling/v1.d.ts" with { type: "text" };
import batch from "kubernetes-types/batch/v1.d.ts" with { type: "text" };
import coordination from "kubernetes-types/coordination/v1.d.ts" with { type: "text" };
import core from "kubernetes-types/core/v1.d.ts" with { type: "text" };
import discovery from "kubernetes-types/discovery/v1.d.ts" with { type: "text" };
import events from "kubernetes-types/events/v1.d.ts" with { type: "text" };
import meta from "kubernetes-types/meta/v1.d.ts" with { type: "text" };
import networking from "kubernetes-types/networking/v1.d.ts" with { type: "text" };
import policy from "kubernetes-types/policy/v1.d.ts" with { type: "text" };
import rbac from "kubernetes-types/rbac/v1.d.ts" with { type: "text" };
import scheduling from "kubernetes-types/scheduling/v1.d.ts" with { type: "text" };

/** The published types of each module, as they are written. */
export const SOURCES: Readonly<Record<string, string>> = {
  "admissionregistration/v1": admissionregistration,
  "api/resource": resource,
  "apiextensions/v1": apiextensions,
  "apps/v1": apps,
  "autoscaling/v1": autoscaling,
  "batch/v1": batch,
  "coordination/v1": coordination,
  "core/v1": core,
  "discovery/v1": discovery,
  "events/v1": events,
  "meta/v1": meta,
  "networking/v1": networking,
  "policy/v1": policy,
  "rbac/v1": rbac,
  "scheduling/v1": scheduling,
};

/** The name's beginning in OpenAPI documents: "core/v1" is io.k8s.api.core.v1. */
export function openApiPrefix(module: string): string {
  return OPEN_API_PREFIXES[module] ?? `io.k8s.api.${module.replace("/", ".")}`;
}

const OPEN_API_PREFIXES: Readonly<Record<string, string>> = {
  "api/resource": "io.k8s.apimachinery.pkg.api.resource",
  "apiextensions/v1": "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1",
  "apiregistration/v1": "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1",
  "meta/v1": "io.k8s.apimachinery.pkg.apis.meta.v1",
};
