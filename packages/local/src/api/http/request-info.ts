import { ApiError } from "@bowline/kube";

/** What a request is about, by its path and method, in the terms of Kubernetes' authorization. */
export type RequestInfo = ResourceRequest | PathRequest;

export interface ResourceRequest {
  readonly kind: "resource";
  /** get, list, watch, create, update, patch, delete, deletecollection. */
  readonly verb: string;
  readonly group: string;
  readonly version: string;
  readonly namespace: string;
  /** Plural. */
  readonly resource: string;
  /** "" when the request is about all objects. */
  readonly name: string;
  readonly subresource: string;
  /** What follows the subresource, undecoded, with its slash: the path within a proxied server. */
  readonly rest: string;
}

interface PathRequest {
  readonly kind: "path";
  /** The method in lower case. */
  readonly verb: string;
  readonly path: string;
}

const VERBS: Readonly<Record<string, string>> = {
  POST: "create",
  GET: "get",
  HEAD: "get",
  PUT: "update",
  PATCH: "patch",
  DELETE: "delete",
};

/** Subresources of namespaces; anything else below a namespace is a resource in it. */
const OF_NAMESPACES: ReadonlySet<string> = new Set(["status", "finalize"]);

/** @param path undecoded, without the query. Throws ApiError 400 for one that cannot be decoded. */
export function parseRequestInfo(method: string, path: string, query: URLSearchParams): RequestInfo {
  const pathRequest = { kind: "path", verb: method.toLowerCase(), path } as const;
  const parts = path.split("/").slice(1);
  if (parts.at(-1) === "") parts.pop();
  const root = parts.shift();
  if (root !== "api" && root !== "apis") return pathRequest;
  const group = root === "api" ? "" : decode(parts.shift() ?? "");
  const version = decode(parts.shift() ?? "");
  if (parts.length === 0 || version === "") return pathRequest;
  const watching = parts[0] === "watch" && parts.length > 1;
  if (watching) parts.shift();
  const { namespace, words } = splitNamespace(parts);
  const [resource = "", name = "", subresource = ""] = words.slice(0, 3).map(decode);
  const rest = words.slice(3);
  const asked = VERBS[method] ?? "";
  // Who may watch may do nothing but that: by this prefix there is neither another method nor a subresource.
  if (watching && (asked !== "get" || subresource !== "")) return pathRequest;
  const verb = watching ? "watch" : verbOf(asked, name, subresource, query);
  return {
    kind: "resource",
    verb,
    group,
    version,
    namespace,
    resource,
    name: name === "" && (verb === "list" || verb === "watch") ? nameInSelector(query) : name,
    subresource,
    rest:
      rest.length > 0 || (path.endsWith("/") && subresource !== "") ? `/${rest.join("/")}${slashOf(path, rest)}` : "",
  };
}

/** Whether a query parameter says yes, as Kubernetes reads booleans: present and empty, too. */
export function isSet(query: URLSearchParams, name: string): boolean {
  const value = query.get(name);
  return value !== null && value !== "false" && value !== "0";
}

function verbOf(asked: string, name: string, subresource: string, query: URLSearchParams): string {
  if (subresource !== "") return asked;
  if (asked === "get" && isSet(query, "watch")) return "watch";
  if (name !== "") return asked;
  if (asked === "get") return "list";
  return asked === "delete" ? "deletecollection" : asked;
}

function splitNamespace(parts: string[]): { namespace: string; words: string[] } {
  if (parts[0] !== "namespaces" || parts.length === 1) return { namespace: "", words: parts };
  const namespace = decode(parts[1] ?? "");
  // A namespace itself is authorized within itself, as Kubernetes does.
  if (parts.length === 2 || OF_NAMESPACES.has(parts[2] ?? "")) return { namespace, words: parts };
  return { namespace, words: parts.slice(2) };
}

/** A list of the one object of a name may be allowed by a rule with that name. */
function nameInSelector(query: URLSearchParams): string {
  return /^metadata\.name==?([^,]+)$/.exec(query.get("fieldSelector") ?? "")?.[1] ?? "";
}

function slashOf(path: string, rest: readonly string[]): string {
  return path.endsWith("/") && rest.length > 0 ? "/" : "";
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw ApiError.badRequest(`invalid path segment ${JSON.stringify(part)}`);
  }
}
