export {
  DNS_IP_V4,
  DNS_IP_V6,
  NODE_IP_V4,
  NODE_IP_V6,
  POD_CIDR_V4,
  POD_CIDR_V6,
  SERVICE_CIDR_V4,
  SERVICE_CIDR_V6,
} from "./addresses.ts";
export { type DnsOptions, type RunningDns, startDns } from "./dns/start-dns.ts";
export { MachineResolver, type MachineResolverOptions, type Resolution, type Upstream } from "./dns/upstream.ts";
export type {
  IpFamilies,
  NetworkOptions,
  PodAttachment,
  PodIdentity,
  PodNetwork,
  RunningNetwork,
} from "./pod-network.ts";
export { removeNetwork } from "./remove-network.ts";
export { type RunningServices, type ServicesOptions, startServices } from "./services/start-services.ts";
export { startNetwork } from "./start-network.ts";
