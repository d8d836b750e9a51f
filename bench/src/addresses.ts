/**
 * Where the backend listens: an address of the namespace's `lo` that is no loopback address, as a proxy's outbound side
 * refuses to connect to those (proxy-facts §4.1). From TEST-NET-1 (RFC 5737), so it is nobody's.
 */
export const BACKEND_ADDRESS = "192.0.2.1";
/** The pod behind two proxies: what the first one asks comes to the second. */
export const FAR_ADDRESS = "192.0.2.2";
/** Where services are (TEST-NET-2): nobody listens there, a proxy has to know their endpoints. */
export const SERVICE_NETWORK = "198.51.100.0/24";
export const SERVICE_PORT = 80;

/** @param number from 1 */
export function serviceAddress(number: number): string {
  return SERVICE_NETWORK.replace(/0\/24$/, String(number));
}
