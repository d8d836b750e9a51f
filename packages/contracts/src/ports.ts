/** TCP ports of a Linkerd pod's proxy by convention; configuration can change every one of them. */
export const INBOUND_PROXY_PORT = 4143;
export const OUTBOUND_PROXY_PORT = 4140;
export const TAP_PORT = 4190;
export const ADMIN_PORT = 4191;

/** Linkerd's user id for the proxy; the redirect rules let its connections through so that they do not loop. */
export const PROXY_UID = 2102;
