import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { freePort, mustRun, runCommand, spawnProcess, waitFor } from "@bowline/testkit";
import { exchange } from "./exchange.ts";

export interface Competitor extends AsyncDisposable {
  readonly name: "nginx" | "haproxy";
  readonly port: number;
  /** `1.22.1` */
  readonly version: string;
}

/** How long both wait for the rest of a request and for the next one, so that every exchange ends. */
const PATIENCE_S = 1;
const PROBE = Buffer.from("GET / HTTP/1.1\r\nHost: probe\r\n\r\n");

/** Debian's nginx as a proxy for the backend, as its defaults have it. */
export async function startNginx(backendPort: number): Promise<Competitor> {
  const { stderr } = await runCommand(["nginx", "-v"]);
  const config = (port: number, dir: string): string => `
    daemon off;
    master_process off;
    pid ${dir}/pid;
    error_log stderr crit;
    events { worker_connections 64; }
    http {
      access_log off;
      keepalive_timeout ${PATIENCE_S}s;
      client_header_timeout ${PATIENCE_S}s;
      client_body_timeout ${PATIENCE_S}s;
      client_body_temp_path ${dir}/body;
      proxy_temp_path ${dir}/proxy;
      fastcgi_temp_path ${dir}/fastcgi;
      uwsgi_temp_path ${dir}/uwsgi;
      scgi_temp_path ${dir}/scgi;
      server {
        listen 127.0.0.1:${port};
        location / {
          proxy_pass http://127.0.0.1:${backendPort};
          proxy_http_version 1.1;
          proxy_set_header Host $http_host;
          proxy_read_timeout ${PATIENCE_S}s;
        }
      }
    }`;
  return start("nginx", versionIn(stderr), config, (file, dir) => ["nginx", "-p", dir, "-e", "stderr", "-c", file]);
}

/** Debian's haproxy in http mode. */
export async function startHaproxy(backendPort: number): Promise<Competitor> {
  const stdout = await mustRun(["haproxy", "-v"]);
  const config = (port: number): string =>
    `
    defaults
      mode http
      timeout http-request ${PATIENCE_S}s
      timeout http-keep-alive ${PATIENCE_S}s
      timeout client ${PATIENCE_S}s
      timeout connect ${PATIENCE_S}s
      timeout server ${PATIENCE_S}s
      option http-server-close
    frontend front
      bind 127.0.0.1:${port}
      default_backend back
    backend back
      server backend 127.0.0.1:${backendPort}
  `.replaceAll(/^ {4}/gm, "");
  return start("haproxy", versionIn(stdout), config, (file) => ["haproxy", "-db", "-f", file]);
}

async function start(
  name: Competitor["name"],
  version: string,
  config: (port: number, dir: string) => string,
  command: (file: string, dir: string) => string[],
): Promise<Competitor> {
  const dir = await mkdtemp(`${tmpdir()}/bowline-smuggling-`);
  const port = await freePort();
  const file = `${dir}/config`;
  await writeFile(file, `${config(port, dir)}\n`);
  const process = spawnProcess(command(file, dir));
  const stop = async (): Promise<void> => {
    await process.stop();
    await rm(dir, { recursive: true, force: true });
  };
  try {
    await waitFor(
      async () => {
        const ended = process.result();
        if (ended !== null) throw new Error(`it ended: ${ended.stderr}${ended.stdout}`);
        return (await exchange(port, PROBE, false)).status === 200;
      },
      { what: `${name} to pass on a request` },
    );
  } catch (error) {
    await stop();
    throw error;
  }
  return { name, port, version, [Symbol.asyncDispose]: stop };
}

function versionIn(text: string): string {
  return /\d+\.\d+\.\d+/.exec(text)?.[0] ?? "unknown";
}
