export {
  type AdminAnswer,
  type AdminServer,
  type AdminServerOptions,
  jsonAnswer,
  startAdminServer,
  textAnswer,
} from "./admin-server.ts";
export { type ListenAddress, parseListenAddress } from "./listen-any.ts";
export { Log, type LogLevel, type LogOptions, parseLogLevel } from "./log.ts";
export { updateProcessMetrics } from "./process-metrics.ts";
