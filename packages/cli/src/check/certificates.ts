import type { X509Certificate } from "node:crypto";
import { readCertificates } from "../certificates/inspect.ts";
import { CheckFailure } from "./check.ts";

const SOON_DAYS = 60;
const DAY_MS = 86_400_000;

/** All certificates of a PEM text. Throws CheckFailure when it holds none, or one that can't be read. */
export function parsePems(pem: string, what: string): X509Certificate[] {
  try {
    return readCertificates(pem);
  } catch (cause) {
    throw new CheckFailure(`${what}: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}

/** Throws CheckFailure unless `nowMs` lies within the certificate's validity. */
export function assertValidNow(certificate: X509Certificate, what: string, nowMs: number): void {
  const { validFromDate, validToDate } = certificate;
  if (nowMs < validFromDate.getTime())
    throw new CheckFailure(`${what} is not valid before ${validFromDate.toISOString()}`);
  if (nowMs > validToDate.getTime()) throw new CheckFailure(`${what} is not valid after ${validToDate.toISOString()}`);
}

/** Throws CheckFailure when less than 60 days are left. */
export function assertValidLong(certificate: X509Certificate, what: string, nowMs: number): void {
  const leftMs = certificate.validToDate.getTime() - nowMs;
  if (leftMs < SOON_DAYS * DAY_MS) {
    throw new CheckFailure(
      `${what} will expire on ${certificate.validToDate.toISOString()}, in less than ${SOON_DAYS} days`,
    );
  }
}

/** Whether one of `anchors` signed it, or is it. */
export function isTrusted(certificate: X509Certificate, anchors: readonly X509Certificate[]): boolean {
  return anchors.some(
    (anchor) => anchor.fingerprint256 === certificate.fingerprint256 || certificate.verify(anchor.publicKey),
  );
}
