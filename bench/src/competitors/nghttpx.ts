import { BACKEND_ADDRESS } from "../backend-address.ts";
import type { Competitor } from "./competitor.ts";

/** What it would add to or rewrite in messages is off, as the others do nothing of the kind here. */
const AS_THEY_COME = ["--no-via", "--no-server-rewrite", "--no-location-rewrite"];

export const nghttpx: Competitor = {
  name: "nghttpx",
  configuration: "1 worker; http2: plaintext HTTP/2 on both sides, no access log, no via",
  modes: ["http2"],
  absence: () => null,
  command: (_lab, { proxyPort, backendPort }) => ({
    argv: [
      "nghttpx",
      "--conf=/dev/null",
      "--errorlog-file=/dev/null",
      "--workers=1",
      "--single-process",
      `--frontend=127.0.0.1,${proxyPort};no-tls`,
      `--backend=${BACKEND_ADDRESS},${backendPort};;proto=h2`,
      ...AS_THEY_COME,
    ],
    port: proxyPort,
  }),
};
