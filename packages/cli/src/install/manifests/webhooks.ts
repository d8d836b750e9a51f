import { ADMISSION_WEBHOOKS_LABEL } from "@bowline/contracts";
import type { Values } from "@bowline/control-plane";
import type { KubeObject } from "@bowline/kube";
import type { Credentials } from "../../certificates/issue.ts";
import { clusterWide, namespaced } from "./parts.ts";

export const INJECTOR_TLS_SECRET = "linkerd-proxy-injector-k8s-tls";
export const INJECTOR_WEBHOOK_CONFIG = "linkerd-proxy-injector-webhook-config";

/**
 * What a webhook's server shows, and the authority that the API server verifies it with. Where somebody else keeps the
 * Secret, certificate and key are "".
 */
export interface WebhookTls extends Credentials {
  readonly caBundle: string;
}

/** The name that the API server calls a webhook's service by. */
export function webhookHost(service: string, namespace: string): string {
  return `${service}.${namespace}.svc`;
}

/** Pods and services are shown to the injector when they are made, outside of namespaces that keep webhooks away. */
export function injectorWebhook(values: Values, tls: WebhookTls): KubeObject {
  const { proxyInjector } = values;
  const component = "proxy-injector";
  const configuration = clusterWide(
    values,
    {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "MutatingWebhookConfiguration",
      name: INJECTOR_WEBHOOK_CONFIG,
      component,
    },
    {
      webhooks: [
        {
          name: "linkerd-proxy-injector.linkerd.io",
          namespaceSelector: proxyInjector.namespaceSelector,
          objectSelector: proxyInjector.objectSelector,
          clientConfig: {
            service: { name: "linkerd-proxy-injector", namespace: values.namespace, path: "/" },
            ...(tls.caBundle === "" ? {} : { caBundle: base64(tls.caBundle) }),
          },
          failurePolicy: values.webhookFailurePolicy,
          admissionReviewVersions: ["v1", "v1beta1"],
          rules: [
            {
              operations: ["CREATE"],
              apiGroups: [""],
              apiVersions: ["v1"],
              resources: ["pods", "services"],
              scope: "Namespaced",
            },
          ],
          sideEffects: "None",
          timeoutSeconds: proxyInjector.timeoutSeconds,
        },
      ],
    },
  );
  Object.assign(configuration.metadata.annotations ?? {}, caInjection(proxyInjector));
  return configuration;
}

/** The label that keeps the control plane's own namespace from depending on its webhooks. */
export const WITHOUT_WEBHOOKS: Readonly<Record<string, string>> = { [ADMISSION_WEBHOOKS_LABEL]: "disabled" };

export function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}

/** cert-manager fills the CA bundle in when these ask it to. */
function caInjection({ injectCaFrom, injectCaFromSecret }: Values["proxyInjector"]): Record<string, string> {
  return {
    ...(injectCaFrom === "" ? {} : { "cert-manager.io/inject-ca-from": injectCaFrom }),
    ...(injectCaFromSecret === "" ? {} : { "cert-manager.io/inject-ca-from-secret": injectCaFromSecret }),
  };
}

/** The Secret of a webhook's server; none where somebody else keeps it. */
export function tlsSecrets(values: Values, name: string, component: string, tls: WebhookTls): KubeObject[] {
  if (tls.crtPEM === "") return [];
  const data = { "tls.crt": base64(tls.crtPEM), "tls.key": base64(tls.keyPEM) };
  return [
    namespaced(values, { apiVersion: "v1", kind: "Secret", name, component }, { type: "kubernetes.io/tls", data }),
  ];
}
