import { randomBytes, webcrypto } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The cluster's own certificate authority and the API server's certificate, PEM. */
export interface ServerCertificates {
  readonly caPem: string;
  readonly certificatePem: string;
  readonly keyPem: string;
}

const KEY = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const DAY_MS = 86_400_000;
const AUTHORITY_DAYS = 3650;
const SERVER_DAYS = 3650;

/** Names under which pods know the API server. */
const NAMES = [
  "kubernetes",
  "kubernetes.default",
  "kubernetes.default.svc",
  "kubernetes.default.svc.cluster.local",
  "localhost",
];
/** Loopback, the service's address, the node's, in both families. */
const ADDRESSES = ["127.0.0.1", "::1", "10.96.0.1", "10.244.0.1", "fd00:10:96::1", "fd00:10:244::1"];

/** What is kept in `directory`; made when it is not there, whole or in part. */
export async function loadCertificates(directory: string): Promise<ServerCertificates> {
  const paths = {
    ca: join(directory, "ca.crt"),
    certificate: join(directory, "server.crt"),
    key: join(directory, "server.key"),
  };
  // The last one written says that all are there.
  if (existsSync(paths.certificate)) {
    const [caPem, certificatePem, keyPem] = [paths.ca, paths.certificate, paths.key].map((path) =>
      readFileSync(path, "utf8"),
    );
    if (caPem !== undefined && certificatePem !== undefined && keyPem !== undefined) {
      return { caPem, certificatePem, keyPem };
    }
  }
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const made = await makeCertificates();
  writePrivate(paths.ca, made.caPem);
  writePrivate(paths.key, made.keyPem);
  writePrivate(paths.certificate, made.certificatePem);
  return made;
}

/** Writes a file that only its owner may read, so that it is either whole or not there. */
export function writePrivate(path: string, text: string): void {
  const draft = `${path}.${randomBytes(4).toString("hex")}`;
  writeFileSync(draft, text, { mode: 0o600 });
  renameSync(draft, path);
}

async function makeCertificates(): Promise<ServerCertificates> {
  // Only a new cluster needs it; and it needs the other one before it, also where a bundler has its own mind about order.
  await import("reflect-metadata");
  const x509 = await import("@peculiar/x509");
  x509.cryptoProvider.set(webcrypto as Crypto);
  const authorityKeys = await webcrypto.subtle.generateKey(KEY, false, ["sign", "verify"]);
  const serverKeys = await webcrypto.subtle.generateKey(KEY, true, ["sign", "verify"]);
  const notBefore = new Date(Date.now() - DAY_MS);
  // Nothing else is ever signed by it, so the authority's key is forgotten at once.
  const authority = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: "CN=bowline-local",
    notBefore,
    notAfter: new Date(Date.now() + AUTHORITY_DAYS * DAY_MS),
    signingAlgorithm: KEY,
    keys: authorityKeys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(authorityKeys.publicKey),
    ],
  });
  const server = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: "CN=kube-apiserver",
    issuer: authority.subject,
    notBefore,
    notAfter: new Date(Date.now() + SERVER_DAYS * DAY_MS),
    signingAlgorithm: KEY,
    publicKey: serverKeys.publicKey,
    signingKey: authorityKeys.privateKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      await x509.AuthorityKeyIdentifierExtension.create(authorityKeys.publicKey),
      new x509.SubjectAlternativeNameExtension([
        ...NAMES.map((value) => ({ type: "dns" as const, value })),
        ...ADDRESSES.map((value) => ({ type: "ip" as const, value })),
      ]),
    ],
  });
  const pkcs8 = await webcrypto.subtle.exportKey("pkcs8", serverKeys.privateKey);
  return {
    caPem: `${authority.toString("pem")}\n`,
    certificatePem: `${server.toString("pem")}\n`,
    keyPem: `${x509.PemConverter.encode(pkcs8, "PRIVATE KEY")}\n`,
  };
}

/** Positive, and of 64 random bits, as RFC 5280 §4.1.2.2 and the CA/Browser Forum have it. */
function serialNumber(): string {
  const bytes = randomBytes(9);
  bytes[0] = 1;
  return bytes.toString("hex");
}
