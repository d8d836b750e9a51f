import { ApiError } from "@bowline/kube";
import { ISSUER } from "../auth/service-account-tokens.ts";
import { aggregated, apiVersions, group, groupList, resourceList } from "../discovery/documents.ts";
import { type DiscoveredGroup, discoveredGroups } from "../discovery/resources.ts";
import type { ServerParts } from "../parts.ts";
import { rangesOf } from "./accept.ts";
import { sendBytes, sendNotServed } from "./answer.ts";
import type { Exchange } from "./exchange.ts";

/** The release whose behaviour is followed. */
const VERSION = {
  major: "1",
  minor: "32",
  gitVersion: "v1.32.0+bowline",
  gitCommit: "",
  gitTreeState: "clean",
  buildDate: "1970-01-01T00:00:00Z",
  goVersion: "go1.23",
  compiler: "bun",
  platform: `${process.platform}/${process.arch === "x64" ? "amd64" : process.arch}`,
};

/** OpenID Connect Discovery 1.0 §4.2, as far as Kubernetes has it. */
const OPENID_CONFIGURATION = {
  issuer: ISSUER,
  jwks_uri: `${ISSUER}/openid/v1/jwks`,
  response_types_supported: ["id_token"],
  subject_types_supported: ["public"],
  id_token_signing_alg_values_supported: ["ES256"],
};

const OPENAPI_V2 = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
const DISCOVERY_GROUP = "apidiscovery.k8s.io";

const HEALTH: ReadonlySet<string> = new Set(["/healthz", "/livez", "/readyz"]);

/** Paths that everybody may read, as in Kubernetes (system:public-info-viewer). */
export function isPublicPath(path: string): boolean {
  return HEALTH.has(path) || path === "/version" || path === "/version/";
}

/** What a path answers: an object, or bytes of another type. */
type PathAnswer = { readonly object: unknown } | { readonly contentType: string; readonly body: Uint8Array | string };

/** GET of whatever is no object: discovery, schemas, health, version, keys. */
export function servePath(parts: ServerParts, exchange: Exchange): void {
  const { method, response } = exchange;
  if (method !== "GET" && method !== "HEAD") throw ApiError.methodNotAllowed(method);
  const path = exchange.path.length > 1 ? exchange.path.replace(/\/$/, "") : exchange.path;
  const answer = answerOf(parts, exchange, path);
  if (answer === undefined) sendNotServed(response);
  else if ("object" in answer) exchange.send(200, answer.object, "json");
  else sendBytes(response, 200, answer.contentType, Buffer.from(answer.body));
}

/** Undefined where nothing is served. */
function answerOf(parts: ServerParts, exchange: Exchange, path: string): PathAnswer | undefined {
  if (HEALTH.has(path)) return { contentType: "text/plain; charset=utf-8", body: "ok" };
  if (path.startsWith("/openapi/")) return schemas(parts, exchange, path);
  if (path === "/api" || path === "/apis" || path.startsWith("/api/") || path.startsWith("/apis/")) {
    return discovery(parts, exchange, path);
  }
  switch (path) {
    case "/":
      return { object: { paths: ["/api", "/api/v1", "/apis", ...HEALTH, "/openapi/v2", "/openapi/v3", "/version"] } };
    case "/version":
      return { object: VERSION };
    case "/.well-known/openid-configuration":
      return { object: OPENID_CONFIGURATION };
    case "/openid/v1/jwks":
      return { object: parts.tokens.keySet };
    default:
      return undefined;
  }
}

function discovery(parts: ServerParts, exchange: Exchange, path: string): PathAnswer | undefined {
  const groups = discoveredGroups(parts.registry.types());
  if (path === "/api" || path === "/apis") return roots(exchange, path, groups);
  const words = path.split("/").slice(2);
  const [name, version, excess] = path.startsWith("/api/") ? ["", ...words] : words;
  const found = groups.find((each) => each.name === name);
  if (found === undefined || excess !== undefined) return undefined;
  if (version === undefined) return { object: group(found) };
  const served = found.versions.find((each) => each.version === version);
  if (served === undefined) return undefined;
  return { object: resourceList(name === "" ? version : `${name}/${version}`, served.resources) };
}

function roots(exchange: Exchange, path: "/api" | "/apis", groups: readonly DiscoveredGroup[]): PathAnswer {
  const { as, group: asked, version } = exchange.accepted("APIGroupDiscoveryList");
  if (as === "" || asked !== DISCOVERY_GROUP || (version !== "v2" && version !== "v2beta1")) {
    return { object: path === "/api" ? apiVersions(exchange.request.headers.host ?? "") : groupList(groups) };
  }
  const listed = groups.filter(({ name }) => (name === "") === (path === "/api"));
  return {
    contentType: `application/json;g=${DISCOVERY_GROUP};v=${version};as=APIGroupDiscoveryList`,
    body: JSON.stringify(aggregated(listed, version)),
  };
}

function schemas({ registry }: ServerParts, exchange: Exchange, path: string): PathAnswer | undefined {
  if (path === "/openapi/v2") {
    const ranges = rangesOf(exchange.request.headers.accept ?? "");
    const first = ranges.find(({ type }) => type === "application/json" || type.endsWith("+protobuf"));
    if (first === undefined || first.type === "application/json") return { object: registry.openApiV2Json() };
    return { contentType: OPENAPI_V2, body: registry.openApiV2() };
  }
  if (path === "/openapi/v3") return { object: registry.openApiV3Index() };
  const document = path.startsWith("/openapi/v3/") ? registry.openApiV3(path.slice("/openapi/v3/".length)) : undefined;
  return document === undefined ? undefined : { object: document };
}
