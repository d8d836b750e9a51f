import { expect, test } from "bun:test";
import { createServer } from "node:net";
import { judgeHttp1, loadHttp1Corpus } from "@bowline/testkit";
import { startNginx } from "./competitors.ts";
import { RawBackend } from "./raw-backend.ts";
import { requestsNotRefused } from "./refusal.ts";

const corpus = loadHttp1Corpus();

/** The least a proxy can do: answer what the codec says and pass nothing on. */
async function startRefuser(status: (reason: string) => number): Promise<{ port: number; stop: () => Promise<void> }> {
  const server = createServer((socket) => {
    let held = Buffer.alloc(0);
    socket.on("error", () => socket.destroy());
    socket.on("data", (bytes) => {
      held = Buffer.concat([held, typeof bytes === "string" ? Buffer.from(bytes) : bytes]);
      const { reason } = judgeHttp1(held, "request");
      if (reason !== "incomplete") socket.end(`HTTP/1.1 ${status(reason)} Refused\r\nContent-Length: 0\r\n\r\n`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the listener has no port");
  return { port: address.port, stop: () => new Promise((resolve) => server.close(() => resolve())) };
}

test("a proxy that refuses as it should passes", async () => {
  await using backend = await RawBackend.start();
  const refuser = await startRefuser((reason) => (/^(?:head-too-large|too-many-fields)$/.test(reason) ? 431 : 400));
  try {
    expect(await requestsNotRefused(refuser.port, backend, corpus)).toEqual([]);
  } finally {
    await refuser.stop();
  }
});

test("a wrong status and bytes that reach the backend are found", async () => {
  await using backend = await RawBackend.start();
  await using nginx = await startNginx(backend.port);
  const some = corpus.filter((row) => ["cl-and-te", "te-xchunked", "chunk-size-bare-lf", "host-at"].includes(row.name));
  const failures = await requestsNotRefused(nginx.port, backend, some);
  expect(failures.map((line) => line.replace(/(answered \d+|the backend got).*/, "$1"))).toEqual([
    "chunk-size-bare-lf: answered 200",
    "chunk-size-bare-lf: the backend got",
    "host-at: answered 200",
    "host-at: the backend got",
    "te-xchunked: answered 501",
  ]);
});
