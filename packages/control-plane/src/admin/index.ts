export {
  type AdminAnswer,
  type AdminServer,
  type AdminServerOptions,
  jsonAnswer,
  startAdminServer,
  textAnswer,
} from "./admin-server.ts";
export { LOG_LEVELS, Log, type LogLevel, type LogOptions } from "./log.ts";
export { updateProcessMetrics } from "./process-metrics.ts";
