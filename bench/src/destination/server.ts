import { destination } from "@bowline/contracts/proto";
import {
  Batch,
  ClusterIndex,
  DestinationService,
  Discovery,
  parsePortList,
  SILENT_OBSERVER,
} from "@bowline/control-plane/destination";
import { GrpcServer } from "@bowline/grpc";
import { CLUSTER, fillCluster, sliceOf } from "./cluster.ts";

// The destination service over a cluster that is in memory and never stands still, as a process of its own. It says where
// it listens, and on each change when it was made: the time is in the changed endpoint.

const index = new ClusterIndex();
fillCluster(index);
const discovery = new Discovery({
  index,
  batch: new Batch(),
  observer: SILENT_OBSERVER,
  settings: {
    clusterDomain: "cluster.local",
    controllerNamespace: "linkerd",
    identityTrustDomain: "cluster.local",
    h2Upgrade: true,
    ipv6: true,
    transportHeader: true,
    defaultOpaquePorts: parsePortList("25,587,3306"),
    http2: null,
    zoneWeights: false,
  },
});
const service = new DestinationService({
  discovery,
  streamQueueCapacity: 100,
  onEndpointsOverflow: () => undefined,
  onProfileOverflow: () => undefined,
});
const server = new GrpcServer();
server.add(destination.Destination, service.implementation);
const { port } = await server.listen({ host: "127.0.0.1", port: 0 });
process.stdout.write(`listening on ${port}\n`);
beginChanges();

/** Evenly over time; what a late timer left out is made up for. */
function beginChanges(): void {
  const startMs = performance.now();
  let made = 0;
  setInterval(() => {
    const due = ((performance.now() - startMs) / 1_000) * CLUSTER.changesPerSecond;
    for (; made < due; made++) {
      const changed = (made * 7) % CLUSTER.services;
      index.upsert("endpointslices", sliceOf(changed, String(performance.timeOrigin + performance.now())));
    }
  }, 1_000 / CLUSTER.changesPerSecond);
}
