import type { Values } from "@bowline/control-plane";
import { anchorFaults, issuerFaults, serverFaults } from "../certificates/inspect.ts";
import { type Credentials, issueRoot, issueServer } from "../certificates/issue.ts";
import { CommandFailure } from "../io.ts";
import type { SourceFlags } from "./flags.ts";
import { type WebhookTls, webhookHost } from "./manifests/webhooks.ts";

/** Who signs proxies' certificates, and whom everybody trusts. */
export interface IdentityCredentials {
  /** null: kept by somebody else. */
  readonly issuer: Credentials | null;
  readonly anchorsPEM: string;
}

/** The credentials that the flags' files and the values give; undefined when they give none. */
export function givenIdentity(
  flags: SourceFlags,
  values: Values,
  read: (path: string) => string,
): { crtPEM: string; keyPEM: string; anchorsPEM: string } | undefined {
  const { identityIssuerCertificateFile: crt, identityIssuerKeyFile: key, identityTrustAnchorsFile: anchors } = flags;
  const file = (path: string | undefined, value: string): string => (path === undefined ? value : read(path));
  const given = {
    crtPEM: file(crt, values.identity.issuer.tls.crtPEM),
    keyPEM: file(key, values.identity.issuer.tls.keyPEM),
    anchorsPEM: file(anchors, values.identityTrustAnchorsPEM),
  };
  return Object.values(given).every((pem) => pem === "") ? undefined : given;
}

/**
 * The issuer and anchors of a new control plane: those given, or new ones.
 * @throws CommandFailure when what is given is incomplete or does not fit together
 */
export async function newIdentity(
  flags: SourceFlags,
  values: Values,
  read: (path: string) => string,
): Promise<IdentityCredentials> {
  const given = givenIdentity(flags, values, read);
  const { externalCA, issuer } = values.identity;
  if (issuer.scheme === "kubernetes.io/tls") {
    if (given !== undefined && (given.crtPEM !== "" || given.keyPEM !== "")) {
      throw new CommandFailure("--identity-external-issuer: the issuer's certificate and key must then not be given");
    }
    return { issuer: null, anchorsPEM: checkedAnchors(given?.anchorsPEM ?? "", externalCA) };
  }
  if (given === undefined && !externalCA) {
    const root = await issueRoot(`identity.${values.namespace}.${values.identityTrustDomain || values.clusterDomain}`);
    return { issuer: root, anchorsPEM: root.crtPEM };
  }
  return checkedIdentity(given ?? { crtPEM: "", keyPEM: "", anchorsPEM: "" }, externalCA);
}

/** The same for credentials that are there, whole. */
export function checkedIdentity(
  given: { crtPEM: string; keyPEM: string; anchorsPEM: string },
  externalCA: boolean,
): IdentityCredentials {
  const missing = [
    ...(given.crtPEM === "" ? ["--identity-issuer-certificate-file"] : []),
    ...(given.keyPEM === "" ? ["--identity-issuer-key-file"] : []),
    ...(given.anchorsPEM === "" && !externalCA ? ["--identity-trust-anchors-file"] : []),
  ];
  if (missing.length > 0) {
    throw new CommandFailure(
      `issuer certificate, issuer key and trust anchors belong together; missing: ${missing.join(", ")}`,
    );
  }
  const { crtPEM, keyPEM } = given;
  const anchorsPEM = checkedAnchors(given.anchorsPEM, externalCA);
  if (anchorsPEM !== "") refuse(issuerFaults(crtPEM, keyPEM, anchorsPEM));
  return { issuer: { crtPEM, keyPEM }, anchorsPEM };
}

/** The certificate of a webhook: the values', else the one that is there while it is good, else a new one. */
export async function webhookTls(values: Values, present: WebhookTls | undefined): Promise<WebhookTls> {
  const { crtPEM, keyPEM, caBundle, externalSecret, injectCaFrom, injectCaFromSecret } = values.proxyInjector;
  const host = webhookHost("linkerd-proxy-injector", values.namespace);
  if (externalSecret || injectCaFrom !== "" || injectCaFromSecret !== "") return { crtPEM: "", keyPEM: "", caBundle };
  if (crtPEM !== "" || keyPEM !== "") {
    if (crtPEM === "" || keyPEM === "") throw new CommandFailure("proxyInjector.crtPEM and keyPEM belong together");
    const authority = caBundle === "" ? crtPEM : caBundle;
    refuse(serverFaults(crtPEM, authority, host).map((fault) => `proxyInjector.crtPEM: ${fault}`));
    return { crtPEM, keyPEM, caBundle: authority };
  }
  if (present !== undefined && serverFaults(present.crtPEM, present.caBundle, host).length === 0) return present;
  const fresh = await issueServer(host);
  return { ...fresh, caBundle: fresh.crtPEM };
}

function checkedAnchors(anchorsPEM: string, externalCA: boolean): string {
  if (anchorsPEM === "") {
    if (externalCA) return "";
    throw new CommandFailure("trust anchors are needed: --identity-trust-anchors-file, or --identity-external-ca");
  }
  refuse(anchorFaults(anchorsPEM));
  return anchorsPEM;
}

function refuse(faults: readonly string[]): void {
  if (faults.length > 0) throw new CommandFailure(faults.join("\nError: "));
}
