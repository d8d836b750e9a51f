import type { CustomResourceDefinition } from "@bowline/kube";
import { CONDITIONS, customResource, integer, list, object, oneOfTexts, PORT, type Schema, text } from "./schema.ts";
import { POLICY_GROUP } from "./servers.ts";

const HTTP_NAME = "^[A-Za-z0-9!#$%&'*+\\-.^_\\x60|~]+$";
const HOSTNAME = String.raw`^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`;
const DURATION = "^([0-9]{1,5}(h|m|s|ms)){1,4}$";
const METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

const REFERENCE: Readonly<Record<string, Schema>> = {
  group: text("group of its kind", { maxLength: 253 }),
  kind: text("its kind", { minLength: 1, maxLength: 63 }),
  namespace: text("its namespace; by default the route's", { minLength: 1, maxLength: 63 }),
  name: text("its name", { minLength: 1, maxLength: 253 }),
  port: PORT,
};

const PARENT: Schema = object(
  { ...REFERENCE, sectionName: text("a part of it", { minLength: 1, maxLength: 253 }) },
  { required: ["name"] },
);

const HEADER_VALUES = list(
  object(
    {
      name: text("header", { pattern: HTTP_NAME, minLength: 1, maxLength: 256 }),
      value: text("value", { maxLength: 4096 }),
    },
    { required: ["name", "value"] },
  ),
  { maxItems: 16, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"] },
);

const HEADER_MODIFIER: Schema = object({
  set: HEADER_VALUES,
  add: HEADER_VALUES,
  remove: list(text("header"), { maxItems: 16 }),
});

const REDIRECT: Schema = object({
  scheme: oneOfTexts(["http", "https"], "by default the request's"),
  hostname: text("by default the request's", { pattern: HOSTNAME, minLength: 1, maxLength: 253 }),
  path: object(
    {
      type: oneOfTexts(["ReplaceFullPath", "ReplacePrefixMatch"], "how much of the path is replaced"),
      replaceFullPath: text("the whole path", { maxLength: 1024 }),
      replacePrefixMatch: text("what takes the place of the matched prefix", { maxLength: 1024 }),
    },
    { required: ["type"] },
  ),
  port: PORT,
  statusCode: { ...integer(300, 399, "301, 302, 303, 307 or 308"), enum: [301, 302, 303, 307, 308], default: 302 },
});

function filters(more: readonly string[]): Schema {
  return list(
    object(
      {
        type: oneOfTexts(
          ["RequestHeaderModifier", "ResponseHeaderModifier", "RequestRedirect", ...more],
          "what it does",
        ),
        requestHeaderModifier: HEADER_MODIFIER,
        responseHeaderModifier: HEADER_MODIFIER,
        requestRedirect: REDIRECT,
      },
      { required: ["type"] },
    ),
    { maxItems: 16 },
  );
}

function valueMatch(types: readonly string[], name: Schema): Schema {
  return object(
    {
      type: oneOfTexts(types, "how it is compared", { default: "Exact" }),
      name,
      value: text("with what", { minLength: 1, maxLength: 4096 }),
    },
    { required: ["name", "value"] },
  );
}

const MATCH: Schema = object({
  path: object(
    {
      type: oneOfTexts(["Exact", "PathPrefix", "RegularExpression"], "how it is compared", { default: "PathPrefix" }),
      value: text("with what", { maxLength: 1024, default: "/" }),
    },
    { default: { type: "PathPrefix", value: "/" } },
  ),
  headers: list(
    valueMatch(["Exact", "RegularExpression"], text("header", { pattern: HTTP_NAME, minLength: 1, maxLength: 256 })),
    { maxItems: 16, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"] },
  ),
  queryParams: list(valueMatch(["Exact", "RegularExpression"], text("parameter", { minLength: 1, maxLength: 256 })), {
    maxItems: 16,
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["name"],
  }),
  method: oneOfTexts(METHODS, "the request's method"),
});

const BACKEND: Schema = object(
  { ...REFERENCE, weight: { ...integer(0, 1_000_000, "its share of the requests"), default: 1 }, filters: filters([]) },
  { required: ["name"] },
);

const TIMEOUTS: Schema = object({
  request: text("for the whole, retries included", { pattern: DURATION }),
  backendRequest: text("for each try", { pattern: DURATION }),
});

interface Rule {
  readonly backends: boolean;
  readonly timeouts: boolean;
}

function specOf({ backends, timeouts }: Rule): Schema {
  const rule = object({
    matches: list(MATCH, { maxItems: 8, default: [{ path: { type: "PathPrefix", value: "/" } }] }),
    filters: filters([]),
    ...(backends ? { backendRefs: list(BACKEND, { maxItems: 16 }) } : {}),
    ...(timeouts ? { timeouts: TIMEOUTS } : {}),
  });
  return object({
    parentRefs: list(PARENT, {
      maxItems: 32,
      description: "the Servers, Services or EgressNetworks whose requests it is for",
    }),
    hostnames: list(text("hosts it is for", { pattern: HOSTNAME, minLength: 1, maxLength: 253 }), { maxItems: 16 }),
    rules: list(rule, { maxItems: 16, default: [{ matches: [{ path: { type: "PathPrefix", value: "/" } }] }] }),
  });
}

const STATUS: Schema = object(
  {
    parents: list(
      object(
        {
          parentRef: PARENT,
          controllerName: text("who says so", { minLength: 1, maxLength: 253 }),
          conditions: CONDITIONS,
        },
        { required: ["parentRef", "controllerName"] },
      ),
      { maxItems: 32 },
    ),
  },
  { required: ["parents"] },
);

/** Routes as the Gateway API had them before it was everywhere, with Linkerd's own group. */
export function httpRoute(): CustomResourceDefinition {
  const version = (
    name: string,
    rule: Rule,
    deprecated = false,
  ): { name: string; spec: Schema; status: Schema; deprecated: boolean } => ({
    name,
    spec: specOf(rule),
    status: STATUS,
    deprecated,
  });
  return customResource({
    group: POLICY_GROUP,
    plural: "httproutes",
    singular: "httproute",
    kind: "HTTPRoute",
    versions: [
      version("v1alpha1", { backends: false, timeouts: false }, true),
      version("v1beta1", { backends: false, timeouts: false }, true),
      version("v1beta2", { backends: true, timeouts: false }),
      version("v1beta3", { backends: true, timeouts: true }),
    ],
  });
}
