import type { Competitor } from "./competitor.ts";

/** What it would add to or rewrite in messages is off, as the others do nothing of the kind here. */
const AS_THEY_COME = ["--no-via", "--no-server-rewrite", "--no-location-rewrite"];

export const nghttpx: Competitor = {
  name: "nghttpx",
  configuration: "1 worker; plaintext, proto=h2 where it speaks HTTP/2 to a backend, no access log, no via",
  modes: ["http2", "chain"],
  absence: () => null,
  command: (_lab, { proxyPort, backendAddress, backendPort }, { mode }) => ({
    argv: [
      "nghttpx",
      "--conf=/dev/null",
      "--errorlog-file=/dev/null",
      "--workers=1",
      "--single-process",
      `--frontend=127.0.0.1,${proxyPort};no-tls`,
      `--backend=${backendAddress},${backendPort};;proto=${mode === "http2-to-http" ? "http/1.1" : "h2"}`,
      ...AS_THEY_COME,
    ],
    port: proxyPort,
  }),
};
