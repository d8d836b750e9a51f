export { parseDurationMs } from "./duration.ts";
export { ADMIN_PORT, INBOUND_PROXY_PORT, OUTBOUND_PROXY_PORT, PROXY_UID, TAP_PORT } from "./ports.ts";
