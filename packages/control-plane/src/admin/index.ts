export {
  type AdminAnswer,
  type AdminServer,
  type AdminServerOptions,
  jsonAnswer,
  startAdminServer,
  textAnswer,
} from "./admin-server.ts";
export { Log, LOG_LEVELS, type LogLevel, type LogOptions } from "./log.ts";
export { updateProcessMetrics } from "./process-metrics.ts";
