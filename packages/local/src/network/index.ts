export { DNS_IP_V4, DNS_IP_V6, NODE_IP_V4, NODE_IP_V6 } from "./addresses.ts";
export { startDns } from "./dns/start-dns.ts";
export type { PodNetwork, RunningNetwork } from "./pod-network.ts";
export { removeNetwork } from "./remove-network.ts";
export { startServices } from "./services/start-services.ts";
export { startNetwork } from "./start-network.ts";
