import { destination } from "@bowline/contracts/proto";
import { GrpcError, grpcStatusName, httpStatusOfGrpc } from "@bowline/grpc";
import { fromBinary, toJson } from "@bufbuild/protobuf";
import { type AdminAnswer, jsonAnswer } from "../admin/admin-server.ts";
import type { Discovery } from "./discovery.ts";
import { messageIp, shownIp } from "./ip.ts";

/** One endpoint, as `linkerd diagnostics endpoints -o json` shows it, and what more a proxy is told of it. */
export interface EndpointRow {
  readonly namespace: string;
  readonly ip: string;
  readonly port: number;
  readonly pod: string;
  /** `service.namespace` */
  readonly service: string;
  readonly weight: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly http2?: unknown;
  /** `h2` or `opaque`; "" when clients are to go by what they see. */
  readonly protocol: string;
  /** "" when clients are to expect none. */
  readonly identity: string;
}

/** `gRPC framing` §"Length-Prefixed-Message": a flag and a length come before each message. */
const FRAME_HEAD_BYTES = 5;

/**
 * What a client would be told now.
 *
 *     GET /debug/endpoints?authority=NAME:PORT[&token=CONTEXT]    a list of EndpointRow
 *     GET /debug/profile?authority=NAME-OR-IP:PORT[&token=…]      a DestinationProfile
 */
export function debugRoutes(discovery: Discovery): Readonly<Record<string, (query: URLSearchParams) => AdminAnswer>> {
  return {
    "/debug/endpoints": (query) => answerWith(query, (path, token) => endpointRows(discovery, path, token)),
    "/debug/profile": (query) => answerWith(query, (path, token) => profileJson(discovery, path, token)),
  };
}

function answerWith(query: URLSearchParams, find: (path: string, token: string) => unknown): AdminAnswer {
  const path = query.get("authority");
  if (path === null) return jsonAnswer(400, { error: "the query has no authority=HOST:PORT" });
  try {
    return jsonAnswer(200, find(path, query.get("token") ?? ""));
  } catch (error) {
    if (!(error instanceof GrpcError)) throw error;
    return jsonAnswer(httpStatusOfGrpc(error.code), { error: error.message, code: grpcStatusName(error.code) });
  }
}

function endpointRows(discovery: Discovery, path: string, token: string): EndpointRow[] {
  const frames: Uint8Array[] = [];
  const stop = discovery.watchEndpoints(path, token, { send: (framed) => void frames.push(framed) });
  stop();
  return frames.flatMap((framed) => {
    const { update } = fromBinary(destination.UpdateSchema, framed.subarray(FRAME_HEAD_BYTES));
    if (update.case !== "add") return [];
    const { addrs, metricLabels } = update.value;
    return addrs.map((endpoint) => rowOf(endpoint, metricLabels));
  });
}

function rowOf(endpoint: destination.WeightedAddr, setLabels: Readonly<Record<string, string>>): EndpointRow {
  const { addr, weight, metricLabels, http2, protocolHint, tlsIdentity } = endpoint;
  const { namespace = "", service = "" } = setLabels;
  const strategy = tlsIdentity?.strategy;
  return {
    namespace,
    ip: shownIp(messageIp(addr?.ip?.ip)),
    port: addr?.port ?? 0,
    pod: metricLabels["pod"] ?? "",
    service: `${service}.${namespace}`,
    weight,
    labels: metricLabels,
    ...(http2 === undefined ? {} : { http2: toJson(destination.Http2ClientParamsSchema, http2) }),
    protocol: protocolHint?.protocol.case ?? "",
    identity: strategy?.case === "uriLikeIdentity" ? strategy.value.uri : (strategy?.value?.name ?? ""),
  };
}

function profileJson(discovery: Discovery, path: string, token: string): unknown {
  let answer: unknown = null;
  const stop = discovery.watchProfile(path, token, {
    send: (framed) => {
      const profile = fromBinary(destination.DestinationProfileSchema, framed.subarray(FRAME_HEAD_BYTES));
      answer = toJson(destination.DestinationProfileSchema, profile);
    },
    fail: () => undefined,
  });
  stop();
  return answer;
}
