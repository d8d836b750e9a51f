/** The kinds the cluster has at the moment, custom ones too. The API's schema registry is one. */
export interface ResourceTypes {
  types(): readonly TypeName[];
  findKind(apiVersion: string, kind: string): TypeName | undefined;
  /** @returns the unsubscriber */
  onChange(handler: () => void): () => void;
}

export interface TypeName {
  readonly group: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** What `ClusterApi` calls it: "pods", "deployments.apps". */
  readonly storedAs: string;
}
