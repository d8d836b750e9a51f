import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { RunningProcess } from "@bowline/testkit";
import { BACKEND_ADDRESS, FAR_ADDRESS } from "./addresses.ts";
import { type BenchCase, BODIES, type Http2Answer } from "./cases.ts";
import { type Lab, writeConfig } from "./lab.ts";
import { nginxPreamble } from "./nginx-preamble.ts";

/** Starts what the case's load asks for, listening on the backend port of every route. */
export function startBackend(lab: Lab, benchCase: BenchCase): Promise<RunningProcess> {
  const ports = lab.routes.map(({ backendPort }) => backendPort);
  const address = benchCase.mode === "chain" ? FAR_ADDRESS : BACKEND_ADDRESS;
  const listening = [address, String(ports[0]), String(ports.length)];
  const { load } = benchCase;
  switch (load.kind) {
    case "requests":
    case "held":
      return startWebServer(lab, address, ports);
    case "streams":
      return lab.startBackend([lab.h2Backend, ...listening, load.answer], ports);
    case "idle-streams":
      return lab.startBackend([lab.h2Backend, ...listening, "held" satisfies Http2Answer], ports);
    case "bulk":
      return lab.startBackend([lab.bulk, "source", ...listening], ports);
  }
}

function startWebServer(lab: Lab, address: string, ports: readonly number[]): Promise<RunningProcess> {
  const directory = lab.directory("backend");
  for (const [path, body] of Object.entries(BODIES)) writeFileSync(join(directory, path), body);
  const config = `${nginxPreamble(directory)}
http {
  access_log off;
  sendfile on;
  open_file_cache max=10;
  keepalive_timeout 600s;
  keepalive_requests 1000000000;
  default_type text/plain;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  server {
    ${ports.map((port) => `listen ${address}:${port} backlog=4096;`).join(" ")}
    root ${directory};
    location = /small { return 200 "${BODIES["/small"]?.replace("\n", "\\n")}"; }
  }
}
`;
  return lab.startBackend(
    ["nginx", "-p", directory, "-e", "stderr", "-c", writeConfig(directory, "nginx.conf", config)],
    ports,
  );
}
