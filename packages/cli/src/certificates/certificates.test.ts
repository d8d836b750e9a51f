import { beforeAll, describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { anchorFaults, daysLeft, issuerFaults, readCertificates, serverFaults } from "./inspect.ts";
import { type Credentials, issueRoot, issueServer } from "./issue.ts";

const P256 = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];

let root: Credentials;
let other: Credentials;
let server: Credentials;
beforeAll(async () => {
  root = await issueRoot("identity.linkerd.cluster.local");
  other = await issueRoot("identity.other.cluster.local");
  server = await issueServer("linkerd-proxy-injector.linkerd.svc");
});

test("a root is an ECDSA P-256 CA of a year", () => {
  const certificate = new X509Certificate(root.crtPEM);
  expect(certificate.ca).toBe(true);
  expect(certificate.subject).toBe("CN=identity.linkerd.cluster.local");
  expect(certificate.publicKey.asymmetricKeyDetails?.namedCurve).toBe("prime256v1");
  expect(daysLeft(root.crtPEM)).toBeCloseTo(365, 1);
  expect(root.keyPEM).toStartWith("-----BEGIN PRIVATE KEY-----");
});

test("what is issued here has no faults", () => {
  expect(anchorFaults(root.crtPEM)).toEqual([]);
  expect(anchorFaults(root.crtPEM + other.crtPEM)).toEqual([]);
  expect(issuerFaults(root.crtPEM, root.keyPEM, other.crtPEM + root.crtPEM)).toEqual([]);
  expect(serverFaults(server.crtPEM, server.crtPEM, "linkerd-proxy-injector.linkerd.svc")).toEqual([]);
});

test("a server's certificate is one that TLS clients take", async () => {
  using listening = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    tls: { cert: server.crtPEM, key: server.keyPEM },
    fetch: () => new Response("ok"),
  });
  const ask = (ca: string): Promise<Response> =>
    fetch(`https://127.0.0.1:${listening.port}/`, {
      tls: { ca, serverName: "linkerd-proxy-injector.linkerd.svc" },
    } as RequestInit);
  expect((await ask(server.crtPEM)).status).toBe(200);
  expect(await ask(root.crtPEM).catch((error: unknown) => error)).toBeInstanceOf(Error);
});

describe("faults are named", () => {
  const inYears = (years: number): Date => new Date(Date.now() + years * 365 * 86_400_000);
  const rows: [name: string, faults: () => string[], want: RegExp][] = [
    ["no anchors", () => anchorFaults(""), /^trust anchors: there is no certificate/],
    ["a damaged anchor", () => anchorFaults(root.crtPEM.replace(/\n[A-Za-z0-9]{20}/, "\n!!!!")), /cannot be read/],
    ["an expired anchor", () => anchorFaults(root.crtPEM, inYears(2)), /linkerd\.cluster\.local has expired on/],
    ["an anchor of the future", () => anchorFaults(root.crtPEM, inYears(-1)), /not valid before/],
    [
      "an expired issuer",
      () => issuerFaults(root.crtPEM, null, root.crtPEM, inYears(2)),
      /issuer certificate has expired/,
    ],
    ["another's issuer", () => issuerFaults(root.crtPEM, null, other.crtPEM), /not issued by any of the trust anchors/],
    ["another's key", () => issuerFaults(root.crtPEM, other.keyPEM, root.crtPEM), /does not belong/],
    ["no key", () => issuerFaults(root.crtPEM, "x", root.crtPEM), /not a private key/],
    ["another name", () => serverFaults(server.crtPEM, server.crtPEM, "a.b.svc"), /is not for a\.b\.svc/],
    ["another CA", () => serverFaults(server.crtPEM, root.crtPEM, "linkerd-proxy-injector.linkerd.svc"), /CA bundle/],
  ];
  test.each(rows)("%s", (_name, faults, want) => {
    expect(faults().join("; ")).toMatch(want);
  });

  test("keys and chains of other kinds", () => {
    using openssl = new Openssl();
    const rsa = openssl.root("rsa", ["-newkey", "rsa:2048"]);
    expect(anchorFaults(rsa)).toEqual([]);
    expect(issuerFaults(rsa, null, rsa).join()).toMatch(/not ECDSA P-256/);
    const p384 = openssl.root("p384", ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"]);
    expect(anchorFaults(p384).join()).toMatch(/neither ECDSA P-256 nor RSA/);
    expect(anchorFaults(openssl.root("leaf", P256, false)).join()).toMatch(/not a CA/);
  });

  test("an issuer may be under an anchor, by way of others", () => {
    using openssl = new Openssl();
    const anchor = openssl.root("anchor", P256);
    const intermediate = openssl.under("anchor", "intermediate");
    const second = openssl.under("intermediate", "second");
    expect(issuerFaults(intermediate, null, anchor)).toEqual([]);
    expect(issuerFaults(second + intermediate, null, anchor)).toEqual([]);
    expect(issuerFaults(second, null, anchor).join()).toMatch(/not issued by/);
    expect(issuerFaults(second + other.crtPEM, null, anchor).join()).toMatch(/not issued by/);
  });
});

test("all certificates of a text are read", () => {
  expect(readCertificates(`junk\n${root.crtPEM}\n${other.crtPEM}`)).toHaveLength(2);
});

/** Makes certificates as other tools do, each a PEM text. */
class Openssl implements Disposable {
  readonly #directory = mkdtempSync(join(tmpdir(), "bowline-certificates-"));

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true });
  }

  root(name: string, key: readonly string[], ca = true): string {
    const extension = ["-addext", `basicConstraints=critical,CA:${ca ? "true" : "false"}`];
    this.#run("req", "-x509", ...this.#request(name, key), "-out", `${name}.crt`, "-days", "9", ...extension);
    return this.#certificate(name);
  }

  under(issuer: string, name: string): string {
    this.#run("req", "-new", ...this.#request(name, P256), "-out", `${name}.csr`);
    writeFileSync(join(this.#directory, "extensions"), "basicConstraints=critical,CA:true\n");
    const by = ["-CA", `${issuer}.crt`, "-CAkey", `${issuer}.key`, "-CAcreateserial", "-extfile", "extensions"];
    this.#run("x509", "-req", "-in", `${name}.csr`, ...by, "-days", "9", "-out", `${name}.crt`);
    return this.#certificate(name);
  }

  #request(name: string, key: readonly string[]): string[] {
    return ["-nodes", ...key, "-subj", `/CN=${name}`, "-keyout", `${name}.key`];
  }

  #certificate(name: string): string {
    return readFileSync(join(this.#directory, `${name}.crt`), "utf8");
  }

  #run(...args: string[]): void {
    execFileSync("openssl", args, { cwd: this.#directory, stdio: "pipe" });
  }
}
