// Labels of Linkerd on what belongs to the control plane, and on meshed pods.

/** On meshed pods, and on all that `install` makes: the control plane's namespace. */
export const CONTROL_PLANE_NS_LABEL = "linkerd.io/control-plane-ns";
/** On the control plane's own pods: destination, identity, proxy-injector. */
export const CONTROL_PLANE_COMPONENT_LABEL = "linkerd.io/control-plane-component";
export const IS_CONTROL_PLANE_LABEL = "linkerd.io/is-control-plane";
export const WORKLOAD_NS_LABEL = "linkerd.io/workload-ns";
export const EXTENSION_LABEL = "linkerd.io/extension";
export const CNI_RESOURCE_LABEL = "linkerd.io/cni-resource";
/** Followed by a workload's kind in lower case; the value is its name. */
export const PROXY_WORKLOAD_LABEL_PREFIX = "linkerd.io/proxy-";
