// Outbound policies as protobuf JSON, to be changed in one place each.
import { outbound } from "@bowline/contracts/proto";
import type { OutboundPolicy } from "@bowline/model";
import { fromJson, type JsonObject, type JsonValue } from "@bufbuild/protobuf";
import { convertPolicy } from "../convert/policy.ts";

export const META: { resource: JsonObject } = {
  resource: { group: "core", kind: "Service", name: "web", namespace: "ns", port: 80 },
};
export const ROUTE_META: JsonObject = {
  resource: { group: "policy.linkerd.io", kind: "HTTPRoute", name: "web-r", namespace: "ns" },
};
export const QUEUE: JsonObject = { capacity: 100, failfastTimeout: "3s" };
export const BALANCER: { discovery: JsonObject; peakEwma: JsonObject } = {
  discovery: { dst: { path: "web.ns.svc.cluster.local:80" } },
  peakEwma: { defaultRtt: "0.030s", decay: "10s" },
};
export const BACKEND: JsonObject = { metadata: META, queue: QUEUE, balancer: BALANCER };
export const FORWARD: JsonObject & { forward: JsonObject } = {
  metadata: META,
  queue: QUEUE,
  forward: { addr: { ip: { ipv4: 0x0a01_0203 }, port: 8080 } },
};
const BACKENDS: JsonObject = { firstAvailable: { backends: [{ backend: BACKEND }] } };
export const RULE: JsonObject = { backends: BACKENDS };
export const BACKOFF: JsonObject = { minBackoff: "1s", maxBackoff: "60s", jitterRatio: 0.5 };

export const httpRoute = (rule: JsonObject, route: JsonObject = {}): JsonObject => ({
  metadata: ROUTE_META,
  rules: [{ ...RULE, ...rule }],
  ...route,
});
export const policy = (protocol: JsonObject): JsonObject => ({ metadata: META, protocol });
export const http1 = (rule: JsonObject, route: JsonObject = {}): JsonObject =>
  policy({ http1: { routes: [httpRoute(rule, route)] } });
export const grpc = (rule: JsonObject): JsonObject => policy({ grpc: { routes: [httpRoute(rule)] } });
export const accrual = (failureAccrual: JsonObject): JsonObject => policy({ http1: { failureAccrual } });
export const backend = (one: JsonObject): JsonObject =>
  http1({ backends: { firstAvailable: { backends: [{ backend: one }] } } });
export const filter = (one: JsonObject): JsonObject => http1({ filters: [one] });
export const match = (one: JsonObject): JsonObject => http1({ matches: [one] });

export function convert(json: JsonValue, note: (text: string) => void = () => {}): OutboundPolicy {
  return convertPolicy(fromJson(outbound.OutboundPolicySchema, json), note);
}
