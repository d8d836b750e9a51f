import type { CustomResourceDefinition } from "@bowline/kube";
import { CONDITIONS, customResource, integer, list, NETWORK, object, oneOfTexts, type Schema, text } from "./schema.ts";
import { IDENTITY_PATTERN, POLICY_GROUP } from "./servers.ts";

/** An object that a policy is for. The core group is "" or "core". */
function targetReference(description: string, properties: Readonly<Record<string, Schema>> = {}): Schema {
  return object(
    {
      group: text("group of its kind", { maxLength: 253 }),
      kind: text("its kind", { minLength: 1, maxLength: 63 }),
      name: text("its name", { minLength: 1, maxLength: 253 }),
      ...properties,
    },
    { required: ["kind", "name"], description },
  );
}

const NAMESPACE = { namespace: text("its namespace; by default that of this object", { maxLength: 253 }) };

/** Who may reach a Server, a route or a whole namespace. */
export function authorizationPolicy(): CustomResourceDefinition {
  const spec = object(
    {
      targetRef: targetReference("a Server, Namespace, HTTPRoute or GRPCRoute"),
      requiredAuthenticationRefs: list(
        targetReference("a MeshTLSAuthentication, NetworkAuthentication or ServiceAccount", NAMESPACE),
        { description: "all of them must accept the client" },
      ),
    },
    { required: ["targetRef", "requiredAuthenticationRefs"] },
  );
  return customResource({
    group: POLICY_GROUP,
    plural: "authorizationpolicies",
    singular: "authorizationpolicy",
    kind: "AuthorizationPolicy",
    shortNames: ["authzpolicy"],
    versions: [{ name: "v1alpha1", spec }],
  });
}

/** Identities that count as known. */
export function meshTlsAuthentication(): CustomResourceDefinition {
  const spec = object(
    {
      identities: list(text("an identity, or * and a suffix", { pattern: IDENTITY_PATTERN }), { minItems: 1 }),
      identityRefs: list(targetReference("a ServiceAccount or a Namespace", NAMESPACE), { minItems: 1 }),
    },
    { anyOf: [{ required: ["identities"] }, { required: ["identityRefs"] }] },
  );
  return customResource({
    group: POLICY_GROUP,
    plural: "meshtlsauthentications",
    singular: "meshtlsauthentication",
    kind: "MeshTLSAuthentication",
    shortNames: ["meshtlsauthn"],
    versions: [{ name: "v1alpha1", spec }],
  });
}

/** Networks that count as known. */
export function networkAuthentication(): CustomResourceDefinition {
  const spec = object({ networks: list(NETWORK, { minItems: 1 }) }, { required: ["networks"] });
  return customResource({
    group: POLICY_GROUP,
    plural: "networkauthentications",
    singular: "networkauthentication",
    kind: "NetworkAuthentication",
    shortNames: ["netauthn", "networkauthn"],
    versions: [{ name: "v1alpha1", spec }],
  });
}

/** How many requests a second a Server takes. */
export function rateLimitPolicy(): CustomResourceDefinition {
  const limit = (description: string): Schema =>
    object(
      { requestsPerSecond: integer(1, 2 ** 31 - 1, "requests per second") },
      { required: ["requestsPerSecond"], description },
    );
  const spec = object(
    {
      targetRef: targetReference("a Server of this namespace"),
      total: limit("of all clients together"),
      identity: limit("of each client identity"),
      overrides: list(
        object(
          {
            requestsPerSecond: integer(1, 2 ** 31 - 1, "requests per second"),
            clientRefs: list(targetReference("a ServiceAccount", NAMESPACE), { minItems: 1 }),
          },
          { required: ["requestsPerSecond", "clientRefs"] },
        ),
        { description: "limits of particular clients, in place of `identity`" },
      ),
    },
    { required: ["targetRef"] },
  );
  const status = object({ conditions: CONDITIONS, targetRef: targetReference("what it holds for") });
  return customResource({
    group: POLICY_GROUP,
    plural: "httplocalratelimitpolicies",
    singular: "httplocalratelimitpolicy",
    kind: "HTTPLocalRateLimitPolicy",
    versions: [
      {
        name: "v1alpha1",
        spec,
        status,
        columns: [
          { name: "Target kind", description: "kind of what it is for", jsonPath: ".spec.targetRef.kind" },
          { name: "Target name", description: "name of what it is for", jsonPath: ".spec.targetRef.name" },
          { name: "Total RPS", description: "limit of all clients", jsonPath: ".spec.total.requestsPerSecond" },
          { name: "Identity RPS", description: "limit of each client", jsonPath: ".spec.identity.requestsPerSecond" },
        ],
      },
    ],
  });
}

/** Destinations outside of the cluster. */
export function egressNetwork(): CustomResourceDefinition {
  const spec = object(
    {
      trafficPolicy: oneOfTexts(["Allow", "Deny"], "what happens to traffic that no route is for"),
      networks: list(NETWORK, { description: "by default everything outside of the cluster's networks" }),
    },
    { required: ["trafficPolicy"] },
  );
  return customResource({
    group: POLICY_GROUP,
    plural: "egressnetworks",
    singular: "egressnetwork",
    kind: "EgressNetwork",
    versions: [
      {
        name: "v1alpha1",
        spec,
        status: object({ conditions: CONDITIONS }),
        columns: [
          { name: "Traffic policy", description: "what happens without a route", jsonPath: ".spec.trafficPolicy" },
        ],
      },
    ],
  });
}
