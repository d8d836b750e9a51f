export { runDestination } from "./destination/main.ts";
export { type Injection, type InjectionInput, inject, isInherited, type WorkloadOwner } from "./injector/inject.ts";
export { type JsonObject, ShapeError } from "./injector/json-object.ts";
export { annotateMetadata } from "./injector/opaque-ports.ts";
export type { PatchOperation } from "./injector/patch.ts";
export { type InjectionReport, SKIP_REASONS, type SkipReason, skipReasons } from "./injector/report.ts";
export { runProxyInjector } from "./injector/server.ts";
export { valuesWith } from "./injector/settings.ts";
export { removeSidecar, type Uninjection, uninject } from "./injector/uninject.ts";
export { controlPlaneComponent, type PodView, readWorkload, type Workload } from "./injector/workload.ts";
export {
  DEFAULT_VALUES,
  type EnvVarValue,
  type IdentityValues,
  type ImagePullPolicy,
  type ImageValues,
  type PolicyControllerValues,
  type ProxyInitValues,
  type ProxyValues,
  type Resources,
  type Values,
  type WebhookValues,
} from "./values.ts";
export { mergeValues, parseValues, stringifyValues, ValuesError } from "./values-text.ts";
