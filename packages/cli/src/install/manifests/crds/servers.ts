import type { CustomResourceDefinition } from "@bowline/kube";
import {
  boolean,
  type ColumnOptions,
  customResource,
  labelSelector,
  list,
  NETWORK,
  object,
  oneOfTexts,
  type Schema,
  text,
} from "./schema.ts";

export const POLICY_GROUP = "policy.linkerd.io";

const LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
/** `*`, a DNS-like name whose first label may be `*`, or a SPIFFE id. */
export const IDENTITY_PATTERN: string = String.raw`^(\*|spiffe://\S+|(\*\.)?${LABEL}(\.${LABEL})*\.?)$`;

const PORT_REFERENCE: Schema = {
  description: "a port's number, or its name in the pods' containers",
  "x-kubernetes-int-or-string": true,
};
const POD_SELECTOR = labelSelector("the pods of this namespace it is for");
const WORKLOAD_SELECTOR = labelSelector("the external workloads of this namespace it is for");

const PROTOCOLS = ["unknown", "HTTP/1", "HTTP/2", "gRPC", "opaque", "TLS"];
const PROTOCOL = oneOfTexts(PROTOCOLS, "what is spoken on the port; unknown: found out for each connection", {
  default: "unknown",
});
const ACCESS_POLICY = text(
  "what holds for clients that no authorization is for: deny, audit, all-unauthenticated, all-authenticated, " +
    "cluster-unauthenticated or cluster-authenticated",
  { default: "deny" },
);

const COLUMNS: readonly ColumnOptions[] = [
  { name: "Port", description: "the port it is for", jsonPath: ".spec.port" },
  { name: "Protocol", description: "what is spoken there", jsonPath: ".spec.proxyProtocol" },
];
const ACCESS_COLUMN: ColumnOptions = {
  name: "Access Policy",
  description: "what holds where nothing else does",
  jsonPath: ".spec.accessPolicy",
};

/** A port of some pods. */
export function server(): CustomResourceDefinition {
  const either = { oneOf: [{ required: ["podSelector"] }, { required: ["externalWorkloadSelector"] }] };
  const both = { podSelector: POD_SELECTOR, externalWorkloadSelector: WORKLOAD_SELECTOR };
  const base = { port: PORT_REFERENCE, proxyProtocol: PROTOCOL };
  return customResource({
    group: POLICY_GROUP,
    plural: "servers",
    singular: "server",
    kind: "Server",
    shortNames: ["srv"],
    versions: [
      {
        name: "v1alpha1",
        deprecated: true,
        spec: object({ podSelector: POD_SELECTOR, ...base }, { required: ["podSelector", "port"] }),
        columns: COLUMNS,
      },
      {
        name: "v1beta1",
        deprecated: true,
        spec: object({ podSelector: POD_SELECTOR, ...base }, { required: ["podSelector", "port"] }),
        columns: COLUMNS,
      },
      { name: "v1beta2", spec: object({ ...both, ...base }, { required: ["port"], ...either }), columns: COLUMNS },
      {
        name: "v1beta3",
        spec: object({ ...both, ...base, accessPolicy: ACCESS_POLICY }, { required: ["port"], ...either }),
        columns: [...COLUMNS, ACCESS_COLUMN],
      },
    ],
  });
}

const MESH_TLS: Schema = object(
  {
    unauthenticatedTLS: boolean("clients of any identity, or of none, if they speak TLS"),
    identities: list(text("an identity, or * and a suffix", { pattern: IDENTITY_PATTERN })),
    serviceAccounts: list(
      object(
        { name: text("a ServiceAccount"), namespace: text("its namespace; by default that of this object") },
        { required: ["name"] },
      ),
    ),
  },
  { description: "clients with an identity of the mesh" },
);

/** Who may reach a server, in the way from before AuthorizationPolicy. */
export function serverAuthorization(): CustomResourceDefinition {
  const spec = object(
    {
      server: object(
        {
          name: text("a Server of this namespace"),
          selector: labelSelector("the Servers of this namespace it is for"),
        },
        { oneOf: [{ required: ["name"] }, { required: ["selector"] }] },
      ),
      client: object({
        networks: list(NETWORK),
        unauthenticated: boolean("clients without an identity, too"),
        meshTLS: MESH_TLS,
      }),
    },
    { required: ["server", "client"] },
  );
  const columns = [{ name: "Server", description: "the Server it is for", jsonPath: ".spec.server.name" }];
  return customResource({
    group: POLICY_GROUP,
    plural: "serverauthorizations",
    singular: "serverauthorization",
    kind: "ServerAuthorization",
    shortNames: ["saz", "serverauthz", "srvauthz"],
    versions: [
      { name: "v1alpha1", deprecated: true, spec, columns },
      { name: "v1beta1", spec, columns },
    ],
  });
}
