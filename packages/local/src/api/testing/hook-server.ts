import "reflect-metadata";
import { webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";

/** What a webhook is asked: the request of an AdmissionReview. */
export interface AskedReview {
  readonly uid: string;
  readonly operation: string;
  readonly name?: string;
  readonly namespace?: string;
  readonly subResource?: string;
  readonly resource: { readonly group: string; readonly version: string; readonly resource: string };
  readonly userInfo: { readonly username: string };
  readonly object: Record<string, unknown> | null;
  readonly oldObject: Record<string, unknown> | null;
  readonly dryRun: boolean;
}

/** The response without its uid; a Response to answer something else altogether. */
export type Hook = (asked: AskedReview, path: string) => object | Response | Promise<object | Response>;

/** An HTTPS server of admission webhooks, with a certificate of its own for `name`. */
export class HookServer {
  readonly caBundle: string;
  readonly asked: AskedReview[] = [];
  hook: Hook = () => ({ allowed: true });
  readonly #server: Bun.Server<undefined>;

  private constructor(certificate: string, key: string) {
    this.caBundle = Buffer.from(certificate).toString("base64");
    this.#server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      tls: { cert: certificate, key },
      fetch: async (request) => {
        const { request: asked } = (await request.json()) as { request: AskedReview };
        this.asked.push(asked);
        const answer = await this.hook(asked, new URL(request.url).pathname);
        if (answer instanceof Response) return answer;
        const response = { uid: asked.uid, ...answer };
        return Response.json({ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", response });
      },
    });
  }

  static async start(name: string): Promise<HookServer> {
    x509.cryptoProvider.set(webcrypto as Crypto);
    const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      serialNumber: "01",
      name: `CN=${name}`,
      notBefore: new Date(Date.now() - 60_000),
      notAfter: new Date(Date.now() + 3_600_000),
      signingAlgorithm: algorithm,
      keys,
      extensions: [
        new x509.SubjectAlternativeNameExtension([{ type: "dns", value: name }]),
        new x509.BasicConstraintsExtension(true, undefined, true),
      ],
    });
    const key = x509.PemConverter.encode(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey), "PRIVATE KEY");
    return new HookServer(certificate.toString("pem"), key);
  }

  get port(): number {
    return this.#server.port ?? 0;
  }

  async stop(): Promise<void> {
    await this.#server.stop(true);
  }
}
