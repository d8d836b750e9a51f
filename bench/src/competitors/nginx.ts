import { existsSync } from "node:fs";
import { BACKEND_ADDRESS } from "../addresses.ts";
import type { ProxyMode } from "../cases.ts";
import { writeConfig } from "../lab.ts";
import { nginxPreamble } from "../nginx-preamble.ts";
import type { Competitor } from "./competitor.ts";

/** Where Debian's libnginx-mod-stream puts it; other builds have it built in, which `nginx -V` would tell. */
const STREAM_MODULE = "/usr/lib/nginx/modules/ngx_stream_module.so";

export const nginx: Competitor = {
  name: "nginx",
  configuration: "1 worker; http: proxy_pass, upstream keepalive, buffering in memory only; tcp: stream",
  modes: ["http", "tcp"],
  absence: (mode) =>
    mode === "http" || existsSync(STREAM_MODULE)
      ? null
      : "nginx has no stream module here (Debian: libnginx-mod-stream)",
  command: (lab, { proxyPort, backendPort }, { mode }) => {
    const directory = lab.directory("nginx");
    const body = mode === "http" ? httpBlock(proxyPort, backendPort) : streamBlock(proxyPort, backendPort);
    const config = `${moduleLine(mode)}${nginxPreamble(directory)}${body}`;
    const path = writeConfig(directory, "nginx.conf", config);
    return { argv: ["nginx", "-p", directory, "-e", "stderr", "-c", path], port: proxyPort };
  },
};

function moduleLine(mode: ProxyMode): string {
  return mode === "tcp" ? `load_module ${STREAM_MODULE};\n` : "";
}

/** Buffers as large as the other proxies' and never a file: nginx's defaults would write 1 MiB responses to disk. */
function httpBlock(proxyPort: number, backendPort: number): string {
  return `http {
  access_log off;
  keepalive_timeout 600s;
  keepalive_requests 1000000000;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  upstream backend {
    server ${BACKEND_ADDRESS}:${backendPort};
    keepalive 256;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
  }
  server {
    listen 127.0.0.1:${proxyPort} backlog=4096;
    location / {
      proxy_pass http://backend;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffer_size 16k;
      proxy_buffers 16 16k;
      proxy_busy_buffers_size 64k;
      proxy_max_temp_file_size 0;
    }
  }
}
`;
}

function streamBlock(proxyPort: number, backendPort: number): string {
  return `stream {
  server {
    listen 127.0.0.1:${proxyPort} backlog=4096;
    proxy_pass ${BACKEND_ADDRESS}:${backendPort};
    proxy_buffer_size 64k;
  }
}
`;
}
