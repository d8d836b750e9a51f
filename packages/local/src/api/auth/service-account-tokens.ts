import { randomUUID } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ApiError } from "@bowline/kube";
import {
  type CryptoKey,
  calculateJwkThumbprint,
  exportJWK,
  exportPKCS8,
  generateKeyPair,
  importJWK,
  importPKCS8,
  type JWK,
  type JWTPayload,
  jwtVerify,
  SignJWT,
} from "jose";
import type { Store } from "../storage/store.ts";
import type { UserInfo } from "../write/context.ts";
import { writePrivate } from "./certificates.ts";

export const ISSUER = "https://kubernetes.default.svc.cluster.local";
/** Kubernetes' own least and greatest; the default of TokenRequest is an hour. */
const SECONDS_MIN = 600;
const SECONDS_MAX = 2 ** 32;
export const TOKEN_SECONDS_DEFAULT = 3600;
/** Verified signatures remembered. */
const VERIFIED_MAX = 1024;

export interface TokenSubject {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly audiences?: readonly string[];
  readonly expirationSeconds?: number;
  /** The token is good for as long as this object exists. */
  readonly boundTo?: { readonly kind: "Pod" | "Secret"; readonly name: string; readonly uid?: string };
}

export interface IssuedToken {
  readonly token: string;
  readonly expiresAtMs: number;
}

/** The part of a token that Kubernetes defines. */
interface Binding {
  readonly namespace: string;
  readonly serviceaccount: { readonly name: string; readonly uid: string };
  readonly pod?: { readonly name: string; readonly uid: string };
  readonly secret?: { readonly name: string; readonly uid: string };
  readonly node?: { readonly name: string; readonly uid?: string };
}

export interface VerifiedToken {
  readonly user: UserInfo;
  readonly audiences: readonly string[];
}

/** Issues and checks the tokens of service accounts: JWTs, ES256, as Kubernetes' own in their claims. */
export class ServiceAccountTokens {
  readonly #store: Store;
  readonly #privateKey: CryptoKey;
  readonly #publicKey: CryptoKey;
  readonly #publicJwk: JWK;
  readonly #verified: Map<string, JWTPayload> = new Map();

  private constructor(store: Store, privateKey: CryptoKey, publicKey: CryptoKey, publicJwk: JWK) {
    this.#store = store;
    this.#privateKey = privateKey;
    this.#publicKey = publicKey;
    this.#publicJwk = publicJwk;
  }

  /** The signing key is kept in `directory`, so that tokens outlive the process. */
  static async open(store: Store, directory: string): Promise<ServiceAccountTokens> {
    const privateKey = await loadKey(join(directory, "service-account.key"));
    const { d: _, ...jwk } = await exportJWK(privateKey);
    const publicJwk = { ...jwk, kid: await calculateJwkThumbprint(jwk), alg: "ES256", use: "sig" };
    const publicKey = (await importJWK(publicJwk, "ES256")) as CryptoKey;
    return new ServiceAccountTokens(store, privateKey, publicKey, publicJwk);
  }

  /** RFC 7517, of the public key: what /openid/v1/jwks answers. */
  get keySet(): { keys: JWK[] } {
    return { keys: [this.#publicJwk] };
  }

  /** Rejects with ApiError 404 for an unknown account or bound object, 409 for one with another uid, 422. */
  async issue(subject: TokenSubject): Promise<IssuedToken> {
    const { audiences = [ISSUER], expirationSeconds = TOKEN_SECONDS_DEFAULT } = subject;
    checkDuration(expirationSeconds, subject.serviceAccount);
    const seconds = Math.floor(Date.now() / 1000);
    const expires = seconds + expirationSeconds;
    const token = await new SignJWT({ "kubernetes.io": this.#bindingOf(subject) })
      .setProtectedHeader({ alg: "ES256", kid: this.#publicJwk.kid ?? "" })
      .setIssuer(ISSUER)
      .setSubject(`system:serviceaccount:${subject.namespace}:${subject.serviceAccount}`)
      .setAudience(audiences.length === 0 ? [ISSUER] : [...audiences])
      .setIssuedAt(seconds)
      .setNotBefore(seconds)
      .setExpirationTime(expires)
      .setJti(randomUUID())
      .sign(this.#privateKey);
    return { token, expiresAtMs: expires * 1000 };
  }

  /**
   * Whose token it is; undefined when it is not one of ours, or no longer good.
   * @param audiences one of which the token must have been issued for; the API server's own unless given
   */
  async verify(token: string, audiences: readonly string[] = [ISSUER]): Promise<VerifiedToken | undefined> {
    const payload = await this.#payloadOf(token);
    if (payload === undefined) return undefined;
    const seconds = Date.now() / 1000;
    if ((payload.exp ?? 0) <= seconds) return undefined;
    const issuedFor = typeof payload.aud === "string" ? [payload.aud] : (payload.aud ?? []);
    const shared = audiences.filter((audience) => issuedFor.includes(audience));
    const user = this.#userOf(payload["kubernetes.io"] as Binding | undefined, payload.jti);
    return shared.length === 0 || user === undefined ? undefined : { user, audiences: shared };
  }

  async #payloadOf(token: string): Promise<JWTPayload | undefined> {
    const known = this.#verified.get(token);
    if (known !== undefined) return known;
    try {
      const { payload } = await jwtVerify(token, this.#publicKey, { issuer: ISSUER, algorithms: ["ES256"] });
      for (const oldest of this.#verified.keys()) {
        if (this.#verified.size < VERIFIED_MAX) break;
        this.#verified.delete(oldest);
      }
      this.#verified.set(token, payload);
      return payload;
    } catch {
      // Whatever is wrong with it, the answer is the same: not one of ours.
      return undefined;
    }
  }

  #bindingOf({ namespace, serviceAccount, boundTo }: TokenSubject): Binding {
    const account = this.#store.get("serviceaccounts", namespace, serviceAccount);
    if (account === undefined) throw ApiError.notFound("serviceaccounts", serviceAccount);
    const binding = { namespace, serviceaccount: { name: serviceAccount, uid: account.metadata.uid ?? "" } };
    if (boundTo === undefined) return binding;
    const plural = boundTo.kind === "Pod" ? "pods" : "secrets";
    const object = this.#store.get(plural, namespace, boundTo.name);
    if (object === undefined) throw ApiError.notFound(plural, boundTo.name);
    const uid = object.metadata.uid ?? "";
    if (boundTo.uid !== undefined && boundTo.uid !== "" && boundTo.uid !== uid) {
      const why = `the UID in the bound object reference (${boundTo.uid}) does not match the UID in record. The object might have been deleted and then recreated`;
      throw ApiError.conflict(plural, boundTo.name, why);
    }
    return boundTo.kind === "Pod"
      ? { ...binding, pod: { name: boundTo.name, uid } }
      : { ...binding, secret: { name: boundTo.name, uid } };
  }

  #userOf(binding: Binding | undefined, id: string | undefined): UserInfo | undefined {
    if (binding === undefined) return undefined;
    const { namespace, serviceaccount, pod, secret } = binding;
    if (!this.#exists("serviceaccounts", namespace, serviceaccount)) return undefined;
    if (pod !== undefined && !this.#exists("pods", namespace, pod)) return undefined;
    if (secret !== undefined && !this.#exists("secrets", namespace, secret)) return undefined;
    return {
      ...serviceAccountUser(namespace, serviceaccount.name),
      uid: serviceaccount.uid,
      extra: {
        ...(id === undefined ? {} : { "authentication.kubernetes.io/credential-id": [`JTI=${id}`] }),
        ...(pod === undefined
          ? {}
          : { "authentication.kubernetes.io/pod-name": [pod.name], "authentication.kubernetes.io/pod-uid": [pod.uid] }),
      },
    };
  }

  #exists(type: string, namespace: string, { name, uid }: { readonly name: string; readonly uid: string }): boolean {
    return this.#store.get(type, namespace, name)?.metadata.uid === uid;
  }
}

/** Name and groups of a service account. */
export function serviceAccountUser(namespace: string, name: string): UserInfo {
  return {
    username: `system:serviceaccount:${namespace}:${name}`,
    groups: ["system:serviceaccounts", `system:serviceaccounts:${namespace}`, "system:authenticated"],
  };
}

function checkDuration(seconds: number, account: string): void {
  if (Number.isInteger(seconds) && seconds >= SECONDS_MIN && seconds <= SECONDS_MAX) return;
  const limit =
    seconds > SECONDS_MAX
      ? "may not specify a duration larger than 2^32 seconds"
      : "may not specify a duration less than 10 minutes";
  const cause = { field: "spec.expirationSeconds", message: `Invalid value: ${seconds}: ${limit}` };
  throw ApiError.invalid("TokenRequest", account, [cause], "authentication.k8s.io");
}

async function loadKey(path: string): Promise<CryptoKey> {
  if (!existsSync(path)) {
    const { privateKey } = await generateKeyPair("ES256", { extractable: true });
    writePrivate(path, await exportPKCS8(privateKey));
  }
  return importPKCS8(readFileSync(path, "utf8"), "ES256", { extractable: true });
}
