import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { RunningProcess } from "@bowline/testkit";
import { BACKEND_ADDRESS } from "./backend-address.ts";
import { type BenchCase, BODIES } from "./cases.ts";
import { type Lab, writeConfig } from "./lab.ts";
import { nginxPreamble } from "./nginx-preamble.ts";

/** Starts what the case's load asks for, listening on the backend port of every route. */
export function startBackend(lab: Lab, benchCase: BenchCase): Promise<RunningProcess> {
  const ports = lab.routes.map(({ backendPort }) => backendPort);
  if (benchCase.load.kind === "bulk")
    return lab.startBackend([lab.bulk, "source", BACKEND_ADDRESS, String(ports[0]), String(ports.length)], ports);
  return startWebServer(lab, ports);
}

function startWebServer(lab: Lab, ports: readonly number[]): Promise<RunningProcess> {
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
    ${ports.map((port) => `listen ${BACKEND_ADDRESS}:${port} backlog=4096;`).join(" ")}
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
