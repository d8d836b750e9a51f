import type { destination } from "@bowline/contracts/proto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { PortList } from "./port-list.ts";

/** What discovery answers with beside what it finds in the cluster. */
export interface DiscoverySettings {
  readonly clusterDomain: string;
  /** Whose pods have identities that proxies of this control plane can verify. */
  readonly controllerNamespace: string;
  /** null: there is no identity service, and no endpoint is said to have an identity. */
  readonly identityTrustDomain: string | null;
  /** Meshed endpoints are offered HTTP/2, whatever the client speaks. */
  readonly h2Upgrade: boolean;
  /** A pod's IPv6 address is preferred; otherwise it is left out. */
  readonly ipv6: boolean;
  /** Proxies connect to each other on the proxy's port with a transport header, rather than on the application's port. */
  readonly transportHeader: boolean;
  readonly defaultOpaquePorts: PortList;
  /** How connections between proxies are kept; null: as proxies like. */
  readonly http2: Http2ParamsInit | null;
  /** Endpoints of the client's zone count ten times. */
  readonly zoneWeights: boolean;
}

/** What an `Http2ClientParams` is made from. */
type Http2ParamsInit = MessageInitShape<typeof destination.Http2ClientParamsSchema>;
