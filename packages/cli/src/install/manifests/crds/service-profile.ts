import type { CustomResourceDefinition } from "@bowline/kube";
import { boolean, CONDITIONS, customResource, integer, list, object, PORT, type Schema, text } from "./schema.ts";

// Conditions contain conditions. Structural schemas know no recursion, so below the first level anything goes.
const NESTED: Schema = { type: "object", "x-kubernetes-preserve-unknown-fields": true };
// Not String.raw: the bundler escapes what is not ASCII in it, which changes it.
const GO_DURATION = "^([0-9]+(\\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$";

const REQUEST_MATCH: Schema = object(
  {
    method: text("the request's method"),
    pathRegex: text("a regular expression that the whole path fits"),
    all: list(NESTED),
    any: list(NESTED),
    not: NESTED,
  },
  { minProperties: 1, description: "all that is given must hold" },
);

const RESPONSE_MATCH: Schema = object(
  {
    status: object(
      { min: integer(100, 599, "the lowest status"), max: integer(100, 599, "the highest") },
      { minProperties: 1 },
    ),
    all: list(NESTED),
    any: list(NESTED),
    not: NESTED,
  },
  { minProperties: 1, description: "all that is given must hold" },
);

const ROUTE: Schema = object(
  {
    name: text("how metrics call it"),
    condition: REQUEST_MATCH,
    responseClasses: list(
      object(
        { condition: RESPONSE_MATCH, isFailure: boolean("whether such responses count as failures") },
        { required: ["condition"] },
      ),
    ),
    isRetryable: boolean("whether a failed request may be sent again"),
    timeout: text("how long a response may take, such as 300ms", { pattern: GO_DURATION }),
  },
  { required: ["name", "condition"] },
);

const SPEC: Schema = object({
  routes: list(ROUTE),
  retryBudget: object(
    {
      retryRatio: { type: "number", minimum: 0, description: "retries per request" },
      minRetriesPerSecond: integer(0, 2 ** 31 - 1, "retries that are always allowed"),
      ttl: text("the time over which requests count, such as 10s", { pattern: GO_DURATION }),
    },
    { required: ["retryRatio", "minRetriesPerSecond", "ttl"] },
  ),
  dstOverrides: list(
    object(
      {
        authority: text("host, or host:port"),
        weight: {
          "x-kubernetes-int-or-string": true,
          pattern: "^[0-9]+m?$",
          description: "its share of the requests, such as 500m",
        },
      },
      { required: ["authority", "weight"] },
    ),
    { description: "where requests go instead, by weight" },
  ),
  opaquePorts: list({ type: "string" }, { description: "ports on which no protocol is looked for" }),
});

/** Routes and retries of a service, by its DNS name. */
export function serviceProfile(): CustomResourceDefinition {
  return customResource({
    group: "linkerd.io",
    plural: "serviceprofiles",
    singular: "serviceprofile",
    kind: "ServiceProfile",
    shortNames: ["sp"],
    versions: [
      { name: "v1alpha1", spec: SPEC },
      { name: "v1alpha2", spec: SPEC },
    ],
  });
}

/** A workload of the mesh that is no pod. */
export function externalWorkload(): CustomResourceDefinition {
  const spec = object(
    {
      meshTLS: object(
        {
          identity: text("its identity: a DNS-like name or a SPIFFE id", { minLength: 1, maxLength: 253 }),
          serverName: text("the name in TLS, by which its proxy is asked for", { minLength: 1, maxLength: 253 }),
        },
        { required: ["identity", "serverName"] },
      ),
      ports: list(
        object(
          {
            name: text("how services refer to it", { maxLength: 63 }),
            port: PORT,
            protocol: text("transport protocol", { default: "TCP" }),
          },
          { required: ["port"] },
        ),
        { maxItems: 32 },
      ),
      workloadIPs: list(object({ ip: text("an address", { minLength: 2, maxLength: 45 }) }, { required: ["ip"] }), {
        maxItems: 2,
        description: "one address, or one of each family",
      }),
    },
    { required: ["meshTLS"] },
  );
  return customResource({
    group: "workload.linkerd.io",
    plural: "externalworkloads",
    singular: "externalworkload",
    kind: "ExternalWorkload",
    versions: [
      {
        name: "v1beta1",
        spec,
        status: object({ conditions: CONDITIONS }),
        columns: [{ name: "Identity", description: "its identity", jsonPath: ".spec.meshTLS.identity" }],
      },
    ],
  });
}
