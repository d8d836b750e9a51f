/**
 * Where the backend listens: an address of the namespace's `lo` that is no loopback address, as a proxy's outbound side
 * refuses to connect to those (proxy-facts §4.1). From TEST-NET-1 (RFC 5737), so it is nobody's.
 */
export const BACKEND_ADDRESS = "192.0.2.1";
