export { Batch } from "./batch.ts";
export { ClusterIndex } from "./cluster-index.ts";
export type { EndpointRow } from "./debug-pages.ts";
export { DestinationService, type DestinationServiceOptions } from "./destination-service.ts";
export { Discovery, type DiscoveryOptions, SILENT_OBSERVER } from "./discovery.ts";
export { runDestination } from "./main.ts";
export type { ObjectKind, ObjectsByKind } from "./objects.ts";
export { parsePortList } from "./port-list.ts";
export type { DiscoverySettings } from "./settings.ts";
