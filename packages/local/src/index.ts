export { type ClusterConfig, parseClusterConfig } from "./cluster/cluster-config.ts";
export { runDaemon } from "./cluster/daemon.ts";
export { clusterDown } from "./cluster/down.ts";
export { type ClusterPaths, clusterPaths } from "./cluster/paths.ts";
export { type ClusterStatus, clusterStatus } from "./cluster/status.ts";
export { clusterUp, type UpOptions, type UpResult } from "./cluster/up.ts";
