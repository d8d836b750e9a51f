import { CREATED_BY_ANNOTATION } from "@bowline/contracts";
import type { Values } from "@bowline/control-plane";
import type { CustomResourceDefinition } from "@bowline/kube";
import { CREATED_BY, labelsOf } from "../parts.ts";
import {
  authorizationPolicy,
  egressNetwork,
  meshTlsAuthentication,
  networkAuthentication,
  rateLimitPolicy,
} from "./authorizations.ts";
import { httpRoute } from "./http-route.ts";
import { server, serverAuthorization } from "./servers.ts";
import { externalWorkload, serviceProfile } from "./service-profile.ts";

/** The kinds that a control plane adds to a cluster. Those of the Gateway API come from its own project. */
export function renderCrds(values: Values): CustomResourceDefinition[] {
  return DEFINITIONS.map((define) => {
    const crd = define();
    const annotations = { [CREATED_BY_ANNOTATION]: CREATED_BY };
    return { ...crd, metadata: { ...crd.metadata, labels: labelsOf(values), annotations } };
  });
}

const DEFINITIONS: readonly (() => CustomResourceDefinition)[] = [
  authorizationPolicy,
  egressNetwork,
  rateLimitPolicy,
  httpRoute,
  meshTlsAuthentication,
  networkAuthentication,
  serverAuthorization,
  server,
  serviceProfile,
  externalWorkload,
];
