import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";

/**
 * The certificates of a PEM text, in its order.
 * @throws RangeError when there is none, or one that can't be read
 */
export function readCertificates(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) throw new RangeError("there is no certificate in PEM form");
  return blocks.map((block, at) => {
    try {
      return new X509Certificate(block);
    } catch (cause) {
      throw new RangeError(`certificate ${at + 1} cannot be read`, { cause });
    }
  });
}

/** What is wrong with trust anchors; empty when nothing is. */
export function anchorFaults(anchorsPEM: string, now: Date = new Date()): string[] {
  return attempt(() => {
    const faults: string[] = [];
    for (const anchor of readCertificates(anchorsPEM)) {
      const name = commonNameOf(anchor);
      if (!anchor.ca) faults.push(`trust anchor ${name} is not a CA certificate`);
      if (!isP256(anchor) && !isBigRsa(anchor)) {
        faults.push(`trust anchor ${name}: its key is neither ECDSA P-256 nor RSA of 2048 or 4096 bits`);
      }
      faults.push(...validityFaults(anchor, `trust anchor ${name}`, now));
    }
    return faults;
  }, "trust anchors");
}

/**
 * What is wrong with an issuer: it must be a CA with an ECDSA P-256 key, valid now, and lead to one of the anchors by the
 * certificates that follow it. Without a key, that one isn't looked at.
 */
export function issuerFaults(
  crtPEM: string,
  keyPEM: string | null,
  anchorsPEM: string,
  now: Date = new Date(),
): string[] {
  return attempt(() => {
    const [issuer, ...intermediates] = readCertificates(crtPEM);
    if (issuer === undefined) return ["issuer: there is no certificate"];
    const faults = validityFaults(issuer, "issuer certificate", now);
    if (!issuer.ca) faults.push("issuer certificate is not a CA certificate");
    if (!isP256(issuer)) faults.push("issuer certificate: its key is not ECDSA P-256");
    if (keyPEM !== null) faults.push(...keyFaults(issuer, keyPEM));
    if (!leadsTo(issuer, intermediates, readCertificates(anchorsPEM))) {
      faults.push("issuer certificate was not issued by any of the trust anchors");
    }
    return faults;
  }, "issuer");
}

/** What is wrong with the certificate that a server of this name shows, given the authorities that clients know. */
export function serverFaults(crtPEM: string, caPEM: string, name: string, now: Date = new Date()): string[] {
  return attempt(() => {
    const [leaf, ...intermediates] = readCertificates(crtPEM);
    if (leaf === undefined) return ["there is no certificate"];
    const faults = validityFaults(leaf, "certificate", now);
    if (leaf.checkHost(name) === undefined)
      faults.push(`certificate is not for ${name} but ${leaf.subjectAltName ?? ""}`);
    if (!leadsTo(leaf, intermediates, readCertificates(caPEM)))
      faults.push("certificate was not issued by its CA bundle");
    return faults;
  }, "certificate");
}

/** Days from now until the first of the certificates ends. */
export function daysLeft(pem: string, now: Date = new Date()): number {
  const ends = readCertificates(pem).map((certificate) => Date.parse(certificate.validTo));
  return (Math.min(...ends) - now.getTime()) / 86_400_000;
}

/** Whether each certificate was issued by the next and the last by an anchor, or is one itself. */
function leadsTo(
  leaf: X509Certificate,
  intermediates: readonly X509Certificate[],
  anchors: readonly X509Certificate[],
): boolean {
  const isAnchor = (certificate: X509Certificate): boolean =>
    anchors.some((anchor) => anchor.fingerprint256 === certificate.fingerprint256);
  const issuedBy = (certificate: X509Certificate, issuer: X509Certificate): boolean =>
    certificate.issuer === issuer.subject && certificate.verify(issuer.publicKey);
  let at = leaf;
  // Each step takes one intermediate away, so a circle ends.
  for (let left = [...intermediates]; ; ) {
    if (isAnchor(at) || anchors.some((anchor) => issuedBy(at, anchor))) return true;
    const next = left.find((candidate) => issuedBy(at, candidate));
    if (next === undefined) return false;
    left = left.filter((candidate) => candidate !== next);
    at = next;
  }
}

function validityFaults(certificate: X509Certificate, what: string, now: Date): string[] {
  const { validFrom, validTo } = certificate;
  if (now.getTime() < Date.parse(validFrom)) return [`${what} is not valid before ${validFrom}`];
  if (now.getTime() > Date.parse(validTo)) return [`${what} has expired on ${validTo}`];
  return [];
}

function keyFaults(certificate: X509Certificate, keyPEM: string): string[] {
  let key: KeyObject;
  try {
    key = createPrivateKey(keyPEM);
  } catch {
    return ["issuer key is not a private key in PEM form"];
  }
  return certificate.checkPrivateKey(key) ? [] : ["issuer key does not belong to the issuer certificate"];
}

export function isP256({ publicKey }: X509Certificate): boolean {
  return publicKey.asymmetricKeyType === "ec" && publicKey.asymmetricKeyDetails?.namedCurve === "prime256v1";
}

export function isBigRsa({ publicKey }: X509Certificate): boolean {
  const bits = publicKey.asymmetricKeyDetails?.modulusLength;
  return publicKey.asymmetricKeyType === "rsa" && (bits === 2048 || bits === 4096);
}

function commonNameOf({ subject }: X509Certificate): string {
  return /(?:^|\n)CN=([^\n]*)/.exec(subject)?.[1] ?? subject.replaceAll("\n", ", ");
}

function attempt(look: () => string[], what: string): string[] {
  try {
    return look();
  } catch (error) {
    if (error instanceof RangeError) return [`${what}: ${error.message}`];
    throw error;
  }
}
