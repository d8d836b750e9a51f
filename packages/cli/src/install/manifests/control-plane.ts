import type { Values } from "@bowline/control-plane";
import type { KubeObject } from "@bowline/kube";
import type { Credentials } from "../../certificates/issue.ts";
import { destination, metricsApi, proxyInjector } from "./components.ts";
import { controlPlaneNamespace, identityMaterial, storedValues } from "./configuration.ts";
import { withProxies } from "./inject-self.ts";
import { INJECTOR_TLS_SECRET, injectorWebhook, tlsSecrets, type WebhookTls } from "./webhooks.ts";

/** Certificates and keys, which are in no value that is stored. */
export interface ControlPlaneSecrets {
  /** null: somebody else keeps the Secret. */
  readonly issuer: Credentials | null;
  readonly proxyInjector: WebhookTls;
}

/** Everything that a control plane is made of, in an order in which it can be applied. */
export function renderControlPlane(values: Values, secrets: ControlPlaneSecrets): KubeObject[] {
  return withProxies(controlPlaneObjects(values, secrets), values);
}

/** The same before its own pods have proxies. */
export function controlPlaneObjects(values: Values, secrets: ControlPlaneSecrets): KubeObject[] {
  return [
    controlPlaneNamespace(values),
    ...identityMaterial(values, secrets.issuer),
    ...storedValues(values),
    ...tlsSecrets(values, INJECTOR_TLS_SECRET, "proxy-injector", secrets.proxyInjector),
    ...destination(values),
    ...metricsApi(values),
    ...proxyInjector(values),
    injectorWebhook(values, secrets.proxyInjector),
  ];
}
