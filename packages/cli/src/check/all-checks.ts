import { LINKERD_IDENTITY, WEBHOOKS_TLS } from "./categories/identity.ts";
import { LINKERD_CONFIG_CATEGORY, LINKERD_CRD, LINKERD_EXISTENCE, LINKERD_HA } from "./categories/installation.ts";
import { KUBERNETES_API, KUBERNETES_VERSION, PRE_KUBERNETES_SETUP } from "./categories/kubernetes.ts";
import {
  CONTROL_PLANE_PROXY,
  CONTROL_PLANE_VERSION,
  DATA_PLANE,
  LINKERD_VERSION,
  METRICS_SERVICE_CATEGORY,
  OPAQUE_PORTS,
} from "./categories/proxies.ts";
import type { Category } from "./check.ts";

const BEFORE: readonly Category[] = [KUBERNETES_API, KUBERNETES_VERSION];
const INSTALLED: readonly Category[] = [
  LINKERD_CONFIG_CATEGORY,
  LINKERD_EXISTENCE,
  LINKERD_IDENTITY,
  WEBHOOKS_TLS,
  LINKERD_VERSION,
  CONTROL_PLANE_VERSION,
  CONTROL_PLANE_PROXY,
  METRICS_SERVICE_CATEGORY,
  LINKERD_HA,
];
const PROXIES: readonly Category[] = [DATA_PLANE, OPAQUE_PORTS];

/** Every check there is, for the documents. */
export const ALL_CATEGORIES: readonly Category[] = [
  ...BEFORE,
  PRE_KUBERNETES_SETUP,
  LINKERD_CRD,
  ...INSTALLED,
  ...PROXIES,
];

/** In the order in which they build on each other. */
export function categoriesFor(flags: {
  readonly pre?: boolean;
  readonly crds?: boolean;
  readonly proxy?: boolean;
}): readonly Category[] {
  if (flags.pre === true) return [...BEFORE, PRE_KUBERNETES_SETUP, LINKERD_VERSION];
  if (flags.crds === true) return [...BEFORE, LINKERD_CRD];
  return [...BEFORE, ...INSTALLED, ...(flags.proxy === true ? PROXIES : [])];
}
