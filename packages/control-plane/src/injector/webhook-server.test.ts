import { afterAll, describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type TLSSocket } from "node:tls";
import { type AdmissionRequest, type AdmissionReview, allow } from "./admission.ts";
import { WebhookServer } from "./webhook-server.ts";

const directory = mkdtempSync(join(tmpdir(), "bowline-webhook-"));
const [keyFile, certFile] = [join(directory, "key"), join(directory, "cert")];
const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
const files = ["-subj", "/CN=webhook", "-keyout", keyFile, "-out", certFile];
execFileSync("openssl", ["req", "-x509", ...curve, ...files], { stdio: "pipe" });
const keyPair = { key: readFileSync(keyFile, "utf8"), cert: readFileSync(certFile, "utf8") };

afterAll(() => {
  rmSync(directory, { recursive: true });
});

const REVIEW = JSON.stringify({
  apiVersion: "admission.k8s.io/v1",
  kind: "AdmissionReview",
  request: { uid: "u", kind: { kind: "Pod" } },
});

describe("a webhook server", () => {
  const allowAll = (request: AdmissionRequest): Promise<AdmissionReview> => Promise.resolve(allow(request, []));

  test("lets go of those who never send what they announced, and serves others", async () => {
    const server = await WebhookServer.listen({
      host: "127.0.0.1",
      port: 0,
      keyPair,
      review: allowAll,
      requestTimeoutMs: 100,
    });
    const slow = await open(server.port);
    slow.write("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n{");
    expect(await readAll(slow)).toBe("");
    const other = await open(server.port);
    other.write(`POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: ${REVIEW.length}\r\n\r\n${REVIEW}`);
    expect(await readAll(other)).toContain('"allowed":true');
    await server.close(1000);
  });

  test("holds only so much of what is on its way", async () => {
    const server = await WebhookServer.listen({ host: "127.0.0.1", port: 0, keyPair, review: allowAll });
    const sent = Buffer.alloc(9 << 20, 0x20);
    const answers: Promise<string>[] = [];
    for (let i = 0; i < 8; i++) {
      const socket = await open(server.port);
      socket.write(`POST / HTTP/1.1\r\nhost: a\r\ncontent-length: ${sent.length + 1}\r\n\r\n`);
      socket.write(sent);
      answers.push(readAll(socket));
    }
    expect(await Promise.race(answers)).toStartWith("HTTP/1.1 503 ");
    await server.close(10);
  });
});

describe("a webhook server that is closed", () => {
  test("answers what it was asked, and lets go of idle connections", async () => {
    const asked = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    const server = await WebhookServer.listen({
      host: "127.0.0.1",
      port: 0,
      keyPair,
      review: async (request) => {
        asked.resolve();
        await go.promise;
        return allow(request, []);
      },
    });
    const idle = await open(server.port);
    const busy = await open(server.port);
    busy.write(`POST / HTTP/1.1\r\nhost: a\r\ncontent-length: ${REVIEW.length}\r\n\r\n${REVIEW}`);
    const answer = readAll(busy);
    await asked.promise;
    const closing = server.close(10_000);
    go.resolve();
    await closing;
    expect(await answer).toContain('"uid":"u","allowed":true');
    expect(await readAll(idle)).toBe("");
  });

  test("does not wait for ever", async () => {
    const asked = Promise.withResolvers<void>();
    const never = Promise.withResolvers<never>();
    const review = (): Promise<never> => {
      asked.resolve();
      return never.promise;
    };
    const server = await WebhookServer.listen({ host: "127.0.0.1", port: 0, keyPair, review });
    const busy = await open(server.port);
    busy.write(`POST / HTTP/1.1\r\nhost: a\r\ncontent-length: ${REVIEW.length}\r\n\r\n${REVIEW}`);
    await asked.promise;
    const answer = readAll(busy);
    await server.close(50);
    expect(await answer).toBe("");
  });
});

function open(port: number): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, ca: keyPair.cert, checkServerIdentity: () => undefined }, () => {
      resolve(socket);
    });
    socket.once("error", reject);
  });
}

function readAll(socket: TLSSocket): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    socket.setEncoding("utf8");
    socket.on("data", (chunk: string) => {
      text += chunk;
    });
    // A reset is an end, too, here.
    socket.on("error", () => resolve(text));
    socket.on("close", () => resolve(text));
    if (socket.destroyed) resolve(text);
  });
}
