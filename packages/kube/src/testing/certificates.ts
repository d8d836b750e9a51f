import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface KeyPair {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
}

/** A certificate that signed itself, for the names of `subjectAltName` ("IP:127.0.0.1", "DNS:example.org"). */
export function selfSigned(commonName: string, subjectAltName: string): KeyPair {
  const directory = mkdtempSync(join(tmpdir(), "bowline-kube-"));
  const [key, cert] = [join(directory, "key.pem"), join(directory, "cert.pem")];
  try {
    const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    const subject = ["-subj", `/CN=${commonName}`, "-addext", `subjectAltName=${subjectAltName}`];
    const args = ["req", "-x509", ...curve, "-days", "2", ...subject, "-keyout", key, "-out", cert];
    execFileSync("openssl", args, { stdio: "pipe" });
    return { cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") };
  } finally {
    rmSync(directory, { recursive: true });
  }
}
