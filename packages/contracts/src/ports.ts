/** TCP ports of a Linkerd pod's proxy by convention; configuration can change every one of them. */
export const INBOUND_PROXY_PORT = 4143;
export const OUTBOUND_PROXY_PORT = 4140;
export const TAP_PORT = 4190;
export const ADMIN_PORT = 4191;

/** Linkerd's user id for the proxy; the redirect rules let its connections through so that they do not loop. */
export const PROXY_UID = 2102;

/** Where a pod's declared ports, and an address nobody knows, speak no HTTP by convention: their servers speak first. */
export const DEFAULT_OPAQUE_PORTS = "25,587,3306,4444,5432,6379,9300,11211";

/** Ports of the control plane's services, and of their admin servers. */
export const DESTINATION_PORT = 8086;
export const DESTINATION_ADMIN_PORT = 9996;
export const POLICY_PORT = 8090;
export const IDENTITY_PORT = 8080;
export const PROXY_INJECTOR_PORT = 8443;
export const PROXY_INJECTOR_ADMIN_PORT = 9995;

/** User id of the control plane's programs. */
export const CONTROLLER_UID = 2103;
