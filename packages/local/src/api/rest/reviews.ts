import { ApiError, type KubeObject, type SubjectAccessReview, type TokenReview } from "@bowline/kube";
import type { AccessRequest } from "../auth/rbac.ts";
import { readObject } from "../http/body.ts";
import type { Exchange } from "../http/exchange.ts";
import type { ServerParts } from "../parts.ts";
import { isMaster, type UserInfo } from "../write/context.ts";
import { timestamp } from "../write/metadata.ts";
import { asObject } from "./subresources.ts";

/** Answers a question that is posted as an object, and not stored. */
export type Review = (parts: ServerParts, exchange: Exchange, namespace: string) => Promise<void>;

/** By group and plural. */
export const REVIEWS: ReadonlyMap<string, Review> = new Map([
  ["authentication.k8s.io/tokenreviews", tokenReview],
  ["authentication.k8s.io/selfsubjectreviews", selfSubjectReview],
  ["authorization.k8s.io/subjectaccessreviews", subjectAccessReview],
  ["authorization.k8s.io/localsubjectaccessreviews", localSubjectAccessReview],
  ["authorization.k8s.io/selfsubjectaccessreviews", selfSubjectAccessReview],
  ["authorization.k8s.io/selfsubjectrulesreviews", selfSubjectRulesReview],
]);

type AccessSpec = NonNullable<SubjectAccessReview["spec"]>;

async function tokenReview(parts: ServerParts, exchange: Exchange): Promise<void> {
  const review = (await read(exchange, "TokenReview")) as unknown as TokenReview;
  const { token = "", audiences = [] } = review.spec ?? {};
  if (token === "") throw ApiError.badRequest("token is required for TokenReview in authentication");
  const verified = await parts.authenticator.review(token, audiences.length === 0 ? undefined : audiences);
  if (verified === undefined) {
    const error = "[invalid bearer token, token is expired, not one of this cluster's, or of another audience]";
    return answer(exchange, review, { user: {}, error });
  }
  answer(exchange, review, { authenticated: true, user: verified.user, audiences: verified.audiences });
}

async function selfSubjectReview(_parts: ServerParts, exchange: Exchange): Promise<void> {
  const review = await read(exchange, "SelfSubjectReview");
  answer(exchange, review, { userInfo: exchange.user });
}

async function subjectAccessReview(parts: ServerParts, exchange: Exchange): Promise<void> {
  const review = await read(exchange, "SubjectAccessReview");
  const spec = specOf(review);
  answer(exchange, review, decide(parts, subjectOf(spec, "SubjectAccessReview"), spec));
}

async function localSubjectAccessReview(parts: ServerParts, exchange: Exchange, namespace: string): Promise<void> {
  const review = await read(exchange, "LocalSubjectAccessReview");
  const spec = specOf(review);
  if (spec.resourceAttributes?.namespace !== namespace) {
    const cause = {
      field: "spec.resourceAttributes.namespace",
      message: `Invalid value: must be ${JSON.stringify(namespace)}`,
    };
    throw ApiError.invalid("LocalSubjectAccessReview", "", [cause], "authorization.k8s.io");
  }
  answer(exchange, review, decide(parts, subjectOf(spec, "LocalSubjectAccessReview"), spec));
}

async function selfSubjectAccessReview(parts: ServerParts, exchange: Exchange): Promise<void> {
  const review = await read(exchange, "SelfSubjectAccessReview");
  answer(exchange, review, decide(parts, exchange.user, specOf(review)));
}

async function selfSubjectRulesReview(parts: ServerParts, exchange: Exchange): Promise<void> {
  const review = await read(exchange, "SelfSubjectRulesReview");
  const { namespace = "" } = (review["spec"] ?? {}) as { namespace?: string };
  if (namespace === "") throw ApiError.badRequest("no namespace on request");
  const resourceRules: unknown[] = [];
  const nonResourceRules: unknown[] = [];
  if (isMaster(exchange.user)) {
    resourceRules.push({ verbs: ["*"], apiGroups: ["*"], resources: ["*"] });
    nonResourceRules.push({ verbs: ["*"], nonResourceURLs: ["*"] });
  }
  for (const { rule } of parts.rbac.rulesOf(exchange.user, namespace)) {
    if (rule.nonResourceURLs !== undefined && rule.nonResourceURLs.length > 0) nonResourceRules.push(rule);
    else resourceRules.push(rule);
  }
  answer(exchange, review, { resourceRules, nonResourceRules, incomplete: false });
}

function decide(parts: ServerParts, user: UserInfo, spec: AccessSpec): unknown {
  const reason = parts.rbac.allows(user, accessOf(spec));
  return reason === undefined ? { allowed: false } : { allowed: true, reason };
}

function accessOf({ resourceAttributes, nonResourceAttributes }: AccessSpec): AccessRequest {
  if (nonResourceAttributes !== undefined) {
    return { verb: nonResourceAttributes.verb ?? "", path: nonResourceAttributes.path ?? "" };
  }
  const {
    verb = "",
    group = "",
    resource = "",
    subresource = "",
    namespace = "",
    name = "",
  } = resourceAttributes ?? {};
  return { verb, group, resource: subresource === "" ? resource : `${resource}/${subresource}`, namespace, name };
}

function subjectOf({ user = "", groups = [], uid, extra }: AccessSpec, kind: string): UserInfo {
  if (user === "" && groups.length === 0) {
    const message = 'Invalid value: "": at least one of user or group must be specified';
    throw ApiError.invalid(kind, "", [{ field: "spec.user", message }], "authorization.k8s.io");
  }
  return { username: user, groups, ...(uid === undefined ? {} : { uid }), ...(extra === undefined ? {} : { extra }) };
}

function specOf(review: KubeObject): AccessSpec {
  const spec = (review["spec"] ?? {}) as AccessSpec;
  if ((spec.resourceAttributes === undefined) === (spec.nonResourceAttributes === undefined)) {
    const message = "Invalid value: exactly one of nonResourceAttributes or resourceAttributes must be specified";
    throw ApiError.invalid(review.kind, "", [{ field: "spec.resourceAttributes", message }], "authorization.k8s.io");
  }
  return spec;
}

async function read(exchange: Exchange, kind: string): Promise<KubeObject> {
  return asObject(await readObject(exchange.request), kind);
}

function answer(exchange: Exchange, review: KubeObject | TokenReview, status: unknown): void {
  const metadata = { creationTimestamp: null, ...review.metadata, ...selfTime(review.kind) };
  exchange.send(201, { ...review, metadata, status });
}

function selfTime(kind: string): { creationTimestamp?: string } {
  return kind === "SelfSubjectReview" ? { creationTimestamp: timestamp(Date.now()) } : {};
}
