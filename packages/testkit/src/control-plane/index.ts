export {
  addressOf,
  addressText,
  type BalancerOptions,
  balancer,
  duration,
  endpoint,
  forward,
  httpRoute,
  opaquePolicy,
  type ProfileInit,
  profile,
  type RouteInit,
  serviceMeta,
  servicePolicy,
} from "./messages.ts";
export {
  type ControlPlaneCall,
  type ControlPlaneDoor,
  type ControlPlaneOptions,
  type Question,
  ScriptedControlPlane,
} from "./scripted-control-plane.ts";
export type { DestinationScript, PolicyScript, ProfileScript } from "./scripts.ts";
export type { GrpcStatusName } from "./stream-script.ts";
