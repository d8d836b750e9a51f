import "reflect-metadata";
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";

/** A certificate and its private key (PKCS #8), both PEM. */
export interface Credentials {
  readonly crtPEM: string;
  readonly keyPEM: string;
}

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const DAY_MS = 86_400_000;
/** Of everything that is made here. */
const LIFETIME_DAYS = 365;
// The clocks of a cluster's machines differ a little.
const SKEW_MS = 60_000;

/** A root for a mesh, which is its trust anchor and its issuer in one. */
export async function issueRoot(name: string, now: Date = new Date()): Promise<Credentials> {
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  return selfSigned(name, keys, now, [
    new BasicConstraintsExtension(true, 1, true),
    new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    await SubjectKeyIdentifierExtension.create(keys.publicKey),
  ]);
}

/** A certificate that a TLS server shows for `name`, and that is its own authority. */
export async function issueServer(name: string, now: Date = new Date()): Promise<Credentials> {
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  return selfSigned(name, keys, now, [
    new BasicConstraintsExtension(true, undefined, true),
    new KeyUsagesExtension(
      KeyUsageFlags.digitalSignature | KeyUsageFlags.keyEncipherment | KeyUsageFlags.keyCertSign,
      true,
    ),
    new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
    new SubjectAlternativeNameExtension([{ type: "dns", value: name }]),
  ]);
}

type Extensions = NonNullable<Parameters<typeof X509CertificateGenerator.createSelfSigned>[0]["extensions"]>;

async function selfSigned(name: string, keys: CryptoKeyPair, now: Date, extensions: Extensions): Promise<Credentials> {
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    keys,
    signingAlgorithm: ALGORITHM,
    notBefore: new Date(now.getTime() - SKEW_MS),
    notAfter: new Date(now.getTime() + LIFETIME_DAYS * DAY_MS),
    extensions,
  });
  const key = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
  return {
    crtPEM: `${certificate.toString("pem")}\n`,
    keyPEM: `${PemConverter.encode(key, "PRIVATE KEY")}\n`,
  };
}
