import type { X509Certificate } from "node:crypto";
import { TRUST_ROOTS, TRUST_ROOTS_KEY } from "@bowline/contracts";
import { ApiError, type ConfigMap, type MutatingWebhookConfiguration, RESOURCES, type Secret } from "@bowline/kube";
import { isBigRsa, isP256 } from "../../certificates/inspect.ts";
import { assertValidLong, assertValidNow, isTrusted, parsePems } from "../certificates.ts";
import { type Category, type CheckContext, CheckFailure, CheckSkipped, failIfAny } from "../check.ts";

const ISSUER_SECRET = "linkerd-identity-issuer";
const INJECTOR_CONFIG = "linkerd-proxy-injector-webhook-config";
const INJECTOR_SECRET = "linkerd-proxy-injector-k8s-tls";

export const LINKERD_IDENTITY: Category = {
  name: "linkerd-identity",
  checks: [
    {
      description: "certificate config is valid",
      anchor: "l5d-identity-cert-config-valid",
      severity: "fatal",
      run: async (context) => {
        await anchors(context);
        await issuer(context);
      },
    },
    {
      description: "trust anchors are using supported crypto algorithm",
      anchor: "l5d-identity-trustAnchors-use-supported-crypto",
      severity: "error",
      run: async (context) => {
        const bad = (await anchors(context)).filter((anchor) => !isP256(anchor) && !isBigRsa(anchor));
        failIfAny(bad.map((anchor) => `${nameOf(anchor)} is neither ECDSA P-256 nor RSA of 2048 or 4096 bits`));
      },
    },
    {
      description: "trust anchors are within their validity period",
      anchor: "l5d-identity-trustAnchors-are-time-valid",
      severity: "fatal",
      run: async (context) => {
        for (const anchor of await anchors(context)) assertValidNow(anchor, nameOf(anchor), context.now());
      },
    },
    {
      description: "trust anchors are valid for at least 60 days",
      anchor: "l5d-identity-trustAnchors-not-expiring-soon",
      severity: "warning",
      run: async (context) => {
        for (const anchor of await anchors(context)) assertValidLong(anchor, nameOf(anchor), context.now());
      },
    },
    {
      description: "issuer cert is using supported crypto algorithm",
      anchor: "l5d-identity-issuer-cert-uses-supported-crypto",
      severity: "error",
      run: async (context) => {
        const certificate = await issuer(context);
        if (!isP256(certificate)) throw new CheckFailure("the issuer certificate must be ECDSA P-256");
      },
    },
    {
      description: "issuer cert is within its validity period",
      anchor: "l5d-identity-issuer-cert-is-time-valid",
      severity: "fatal",
      run: async (context) => assertValidNow(await issuer(context), "the issuer certificate", context.now()),
    },
    {
      description: "issuer cert is valid for at least 60 days",
      anchor: "l5d-identity-issuer-cert-not-expiring-soon",
      severity: "warning",
      run: async (context) => assertValidLong(await issuer(context), "the issuer certificate", context.now()),
    },
    {
      description: "issuer cert is issued by the trust anchor",
      anchor: "l5d-identity-issuer-cert-issued-by-trust-anchor",
      severity: "error",
      run: async (context) => {
        if (!isTrusted(await issuer(context), await anchors(context))) {
          throw new CheckFailure("the issuer certificate is not signed by any trust anchor");
        }
      },
    },
  ],
};

export const WEBHOOKS_TLS: Category = {
  name: "linkerd-webhooks-and-apisvc-tls",
  checks: [
    {
      description: "proxy-injector webhook has valid cert",
      anchor: "l5d-proxy-injector-webhook-cert-valid",
      severity: "fatal",
      run: async (context) => {
        const certificate = await injectorCertificate(context);
        const bundle = parsePems(await injectorCaBundle(context), `the caBundle of ${INJECTOR_CONFIG}`);
        const host = `linkerd-proxy-injector.${context.controlPlaneNamespace}.svc`;
        assertValidNow(certificate, "the certificate", context.now());
        if (certificate.checkHost(host) === undefined)
          throw new CheckFailure(`the certificate is not valid for ${host}`);
        if (!isTrusted(certificate, bundle))
          throw new CheckFailure(`the certificate is not trusted by the caBundle of ${INJECTOR_CONFIG}`);
      },
    },
    {
      description: "proxy-injector cert is valid for at least 60 days",
      anchor: "l5d-proxy-injector-webhook-cert-not-expiring-soon",
      severity: "warning",
      run: async (context) => assertValidLong(await injectorCertificate(context), "the certificate", context.now()),
    },
  ],
};

async function anchors({ client, controlPlaneNamespace }: CheckContext): Promise<X509Certificate[]> {
  const config = await absentIsFailure(
    client().get<ConfigMap>(RESOURCES.configmaps, controlPlaneNamespace, TRUST_ROOTS),
    TRUST_ROOTS,
  );
  return parsePems(config.data?.[TRUST_ROOTS_KEY] ?? "", `ConfigMap ${TRUST_ROOTS}`);
}

async function issuer({ client, controlPlaneNamespace }: CheckContext): Promise<X509Certificate> {
  const secret = await absentIsFailure(
    client().get<Secret>(RESOURCES.secrets, controlPlaneNamespace, ISSUER_SECRET),
    ISSUER_SECRET,
  );
  const pem = decoded(secret, "crt.pem") ?? decoded(secret, "tls.crt");
  if (pem === undefined) throw new CheckFailure(`Secret ${ISSUER_SECRET} has neither crt.pem nor tls.crt`);
  const [certificate] = parsePems(pem, `Secret ${ISSUER_SECRET}`);
  if (certificate === undefined) throw new CheckSkipped();
  return certificate;
}

async function injectorCertificate({ client, controlPlaneNamespace }: CheckContext): Promise<X509Certificate> {
  const secret = await client().get<Secret>(RESOURCES.secrets, controlPlaneNamespace, INJECTOR_SECRET);
  const [certificate] = parsePems(decoded(secret, "tls.crt") ?? "", `Secret ${INJECTOR_SECRET}`);
  if (certificate === undefined) throw new CheckSkipped();
  return certificate;
}

async function injectorCaBundle({ client }: CheckContext): Promise<string> {
  const config = await client().get<MutatingWebhookConfiguration>(
    RESOURCES.mutatingwebhookconfigurations,
    "",
    INJECTOR_CONFIG,
  );
  return Buffer.from(config.webhooks?.[0]?.clientConfig.caBundle ?? "", "base64").toString();
}

async function absentIsFailure<T>(answer: Promise<T>, name: string): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ApiError && error.code === 404) throw new CheckFailure(`${name} does not exist`);
    throw error;
  }
}

function decoded(secret: Secret, key: string): string | undefined {
  const data = secret.data?.[key];
  return data === undefined ? undefined : Buffer.from(data, "base64").toString();
}

function nameOf(certificate: X509Certificate): string {
  return `trust anchor ${certificate.serialNumber} (${certificate.subject.replaceAll("\n", ", ")})`;
}
