/** The store's name of EndpointSlices, and the labels by which they say what service they are of and who keeps them. */
export const SLICES = "endpointslices.discovery.k8s.io";
export const SERVICE_NAME = "kubernetes.io/service-name";
export const MANAGED_BY = "endpointslice.kubernetes.io/managed-by";
