import type { IncomingMessage } from "node:http";
import { ApiError } from "@bowline/kube";
import type { UserInfo } from "../write/context.ts";
import { ADMIN_USER, isSameToken } from "./admin-token.ts";
import { denial } from "./denial.ts";
import type { Rbac } from "./rbac.ts";
import { ISSUER, type ServiceAccountTokens, serviceAccountUser, type VerifiedToken } from "./service-account-tokens.ts";

const ANONYMOUS: UserInfo = { username: "system:anonymous", groups: ["system:unauthenticated"] };

/** Finds out who asks: the administrator, a service account, nobody in particular, or whom they may stand for. */
export class Authenticator {
  readonly #adminToken: string;
  readonly #tokens: ServiceAccountTokens;
  readonly #rbac: Rbac;

  constructor(adminToken: string, tokens: ServiceAccountTokens, rbac: Rbac) {
    this.#adminToken = adminToken;
    this.#tokens = tokens;
    this.#rbac = rbac;
  }

  /** Rejects with ApiError 401 for a bad token, 403 for an impersonation that is not allowed. */
  async authenticate(request: IncomingMessage): Promise<UserInfo> {
    return this.#impersonated(request, await this.#bearer(request));
  }

  /** Whose token it is; undefined for one that is not good. */
  async review(token: string, audiences?: readonly string[]): Promise<VerifiedToken | undefined> {
    if (isSameToken(token, this.#adminToken)) {
      // Meant for this server: shown to somebody else, it is not to be good there.
      const shared = audiences?.filter((audience) => audience === ISSUER) ?? [ISSUER];
      return shared.length === 0 ? undefined : { user: ADMIN_USER, audiences: shared };
    }
    return this.#tokens.verify(token, audiences);
  }

  async #bearer(request: IncomingMessage): Promise<UserInfo> {
    const header = request.headers.authorization;
    if (header === undefined) return ANONYMOUS;
    const token = /^bearer +(\S+) *$/i.exec(header)?.[1];
    const verified = token === undefined ? undefined : await this.review(token);
    if (verified === undefined) throw ApiError.unauthorized();
    return verified.user;
  }

  /** https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation */
  #impersonated(request: IncomingMessage, user: UserInfo): UserInfo {
    const { headers } = request;
    const username = textOf(headers["impersonate-user"]);
    const groups = valuesOf(request, "impersonate-group");
    const uid = textOf(headers["impersonate-uid"]);
    const extra = extraOf(request);
    if (username === "") {
      if (groups.length === 0 && uid === "" && Object.keys(extra).length === 0) return user;
      throw ApiError.badRequest("requested impersonation without impersonating a user");
    }
    const account = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(username);
    if (account?.[1] === undefined || account[2] === undefined) this.#check(user, "users", "", "", username);
    else this.#check(user, "serviceaccounts", "", account[1], account[2]);
    for (const group of groups) this.#check(user, "groups", "", "", group);
    if (uid !== "") this.#check(user, "uids", "authentication.k8s.io", "", uid);
    for (const [key, values] of Object.entries(extra)) {
      for (const value of values) this.#check(user, `userextras/${key}`, "authentication.k8s.io", "", value);
    }
    const given =
      groups.length === 0 && account?.[1] !== undefined
        ? serviceAccountUser(account[1], account[2] ?? "").groups
        : groups;
    const own = username === ANONYMOUS.username ? "system:unauthenticated" : "system:authenticated";
    return {
      username,
      groups: given.includes(own) ? given : [...given, own],
      ...(uid === "" ? {} : { uid }),
      ...(Object.keys(extra).length === 0 ? {} : { extra }),
    };
  }

  #check(user: UserInfo, resource: string, group: string, namespace: string, name: string): void {
    const access = { verb: "impersonate", group, resource, namespace, name };
    if (this.#rbac.allows(user, access) === undefined) throw denial(user, access);
  }
}

const EXTRA = "impersonate-extra-";

function extraOf(request: IncomingMessage): Record<string, string[]> {
  const extra = new Map<string, string[]>();
  for (const header of new Set(request.rawHeaders.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase()))) {
    if (!header.startsWith(EXTRA)) continue;
    extra.set(decodeKey(header.slice(EXTRA.length)), valuesOf(request, header));
  }
  return Object.fromEntries(extra);
}

function decodeKey(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw ApiError.badRequest(`invalid key of an extra: ${JSON.stringify(text)}`);
  }
}

/** Each occurrence of a header by itself: group names may contain commas. */
function valuesOf(request: IncomingMessage, name: string): string[] {
  const values: string[] = [];
  for (let i = 0; i + 1 < request.rawHeaders.length; i += 2) {
    if (request.rawHeaders[i]?.toLowerCase() === name) values.push(request.rawHeaders[i + 1] ?? "");
  }
  return values;
}

function textOf(header: string | string[] | undefined): string {
  return (Array.isArray(header) ? header[0] : header) ?? "";
}
