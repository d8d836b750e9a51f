/** The way from this process into the cluster; `PodNetwork` is one. */
export interface RelayNetwork {
  /** A unix socket whose connections lead to the address, as seen from the node. */
  relay(host: string, port: number): Promise<string>;
}
