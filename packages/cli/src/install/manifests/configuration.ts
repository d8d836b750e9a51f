import {
  CONTROL_PLANE_NS_LABEL,
  INJECT_ANNOTATION,
  IS_CONTROL_PLANE_LABEL,
  LINKERD_CONFIG,
  LINKERD_CONFIG_KEY,
  TRUST_ROOTS,
  TRUST_ROOTS_KEY,
} from "@bowline/contracts";
import { stringifyValues, type Values } from "@bowline/control-plane";
import type { KubeObject } from "@bowline/kube";
import { readCertificates } from "../../certificates/inspect.ts";
import type { Credentials } from "../../certificates/issue.ts";
import { overridesOf } from "../resolve-values.ts";
import { clusterWide, namespaced } from "./parts.ts";
import { base64, WITHOUT_WEBHOOKS } from "./webhooks.ts";

/** Secret with the values that differ from the defaults, and its key. */
export const OVERRIDES_SECRET = "linkerd-config-overrides";
export const ISSUER_SECRET = "linkerd-identity-issuer";
export const ISSUER_KEYS = { crt: "crt.pem", key: "key.pem" } as const;

export function controlPlaneNamespace(values: Values): KubeObject {
  const namespace = clusterWide(values, { apiVersion: "v1", kind: "Namespace", name: values.namespace }, {});
  Object.assign(namespace.metadata.labels ?? {}, {
    [IS_CONTROL_PLANE_LABEL]: "true",
    [CONTROL_PLANE_NS_LABEL]: values.namespace,
    ...WITHOUT_WEBHOOKS,
    // linkerd-init needs NET_ADMIN; with the CNI plugin there is none.
    "pod-security.kubernetes.io/enforce": values.cniEnabled ? "restricted" : "privileged",
  });
  Object.assign(namespace.metadata.annotations ?? {}, { [INJECT_ANNOTATION]: "disabled" });
  return namespace;
}

/** What the control plane was installed with: for its programs, for `upgrade`, and for `check`. */
export function storedValues(values: Values): KubeObject[] {
  const overrides = base64(overridesOf(values));
  return [
    namespaced(
      values,
      { apiVersion: "v1", kind: "ConfigMap", name: LINKERD_CONFIG, component: "controller" },
      {
        data: { [LINKERD_CONFIG_KEY]: stringifyValues(values) },
      },
    ),
    namespaced(
      values,
      { apiVersion: "v1", kind: "Secret", name: OVERRIDES_SECRET },
      {
        data: { [OVERRIDES_SECRET]: overrides },
      },
    ),
  ];
}

/** The issuer's key, and the anchors that everybody verifies with; neither when somebody else keeps them. */
export function identityMaterial(values: Values, issuer: Credentials | null): KubeObject[] {
  const component = "identity";
  const objects: KubeObject[] = [];
  if (issuer !== null) {
    const expiry = readCertificates(issuer.crtPEM)[0]?.validTo ?? "";
    const secret = namespaced(
      values,
      { apiVersion: "v1", kind: "Secret", name: ISSUER_SECRET, component },
      {
        data: { [ISSUER_KEYS.crt]: base64(issuer.crtPEM), [ISSUER_KEYS.key]: base64(issuer.keyPEM) },
      },
    );
    Object.assign(secret.metadata.annotations ?? {}, {
      "linkerd.io/identity-issuer-expiry": new Date(expiry).toISOString(),
    });
    objects.push(secret);
  }
  if (!values.identity.externalCA) {
    const data = { [TRUST_ROOTS_KEY]: values.identityTrustAnchorsPEM };
    objects.push(namespaced(values, { apiVersion: "v1", kind: "ConfigMap", name: TRUST_ROOTS, component }, { data }));
  }
  return objects;
}
