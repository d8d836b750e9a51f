import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mustRun, type Pod, type TwoPods, twoPods, waitFor } from "@bowline/testkit";
import { APP_UID, counted, initPod, type RunningProxy, startProxy } from "./mesh.ts";

const AS_APP = { as: { uid: APP_UID } };
const NGINX = 8080;
const PYTHON = 8000;
const ECHO = 8090;
const HTTP2 = 8091;
const TLS = 8443;
const SMTP = 2525;
/** Larger than any buffer on the way. */
const BIG_BYTES = 20_000_003;

/** Apps in a few lines: what one is sent comes back as a hash, the other speaks first. */
const APPS = `
const net = require("node:net");
Bun.serve({ hostname: "0.0.0.0", port: ${ECHO}, async fetch(r) {
  const bytes = new Uint8Array(await r.arrayBuffer());
  return Response.json({ method: r.method, bytes: bytes.length, hash: String(Bun.hash(bytes)), agent: r.headers.get("user-agent") });
} });
net.createServer((socket) => {
  socket.write("220 mail.example ESMTP\\r\\n");
  socket.on("data", (line) => String(line).startsWith("QUIT") ? socket.end("221 bye\\r\\n") : socket.write("250 ok\\r\\n"));
}).listen(${SMTP}, "0.0.0.0", () => console.log("serving"));
`;

let pods: TwoPods;
let client: Pod;
let server: Pod;
let outbound: RunningProxy;
let inbound: RunningProxy;
let directory: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "bowline-apps-"));
  writeFiles();
  pods = await twoPods();
  ({ client, server } = pods);
  // As the article runs them: init as root, then the proxy as 2102, then the app as somebody else.
  await Promise.all([initPod(client.namespace), initPod(server.namespace)]);
  [outbound, inbound] = await Promise.all([startProxy(client), startProxy(server)]);
  const { namespace } = server;
  namespace.spawn(["nginx", "-p", directory, "-e", "stderr", "-c", join(directory, "nginx.conf")], AS_APP);
  const www = ["--directory", join(directory, "www")];
  namespace.spawn(["/usr/bin/python3", "-u", "-m", "http.server", String(PYTHON), ...www], AS_APP);
  await namespace.spawn([process.execPath, "-e", APPS], AS_APP).waitForOutput("serving");
  const tls = ["-cert", join(directory, "cert.pem"), "-key", join(directory, "key.pem"), "-www", "-quiet"];
  await mustRun(openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"));
  chmodSync(join(directory, "key.pem"), 0o644);
  namespace.spawn(["openssl", "s_server", "-accept", String(TLS), ...tls], AS_APP);
  for (const port of [NGINX, HTTP2, PYTHON, TLS]) {
    await waitFor(async () => (await namespace.exec(["ss", "-Hltn", `sport = :${port}`])).stdout !== "", {
      what: `the app on port ${port}`,
      timeoutMs: 10_000,
    });
  }
}, 60_000);

afterAll(async () => {
  // The tests must not wait for connections of apps that a graceful end would wait for.
  for (const proxy of [outbound, inbound]) proxy?.process.kill("SIGKILL");
  await pods?.[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

function writeFiles(): void {
  chmodSync(directory, 0o777);
  mkdirSync(join(directory, "www"));
  writeFileSync(join(directory, "www", "index.html"), "<p>unmodified</p>\n");
  const big = new Uint8Array(BIG_BYTES);
  for (let i = 0; i < big.length; i++) big[i] = (i ^ (i >>> 11)) & 0xff;
  writeFileSync(join(directory, "www", "big"), big);
  writeFileSync(
    join(directory, "nginx.conf"),
    `daemon off; pid ${directory}/pid; error_log stderr crit; events {} http { access_log off; default_type text/plain;
    client_body_temp_path ${directory}/a; proxy_temp_path ${directory}/b; fastcgi_temp_path ${directory}/c;
    uwsgi_temp_path ${directory}/d; scgi_temp_path ${directory}/e; gzip on; gzip_min_length 1; gzip_types text/plain;
    server { listen ${NGINX}; root ${directory}/www;
      location /status { return 503 "busy\\n"; }
      location /addr { return 200 "$remote_addr $server_addr $http_host $http_connection\\n"; } }
    server { listen ${HTTP2} http2; location / { return 200 "$server_protocol $request_uri\\n"; } } }`,
  );
}

function openssl(...args: string[]): string[] {
  const files = ["-keyout", join(directory, "key.pem"), "-out", join(directory, "cert.pem")];
  return ["openssl", ...args, ...files, "-days", "2", "-subj", "/CN=app.example"];
}

/** curl as the app's user of the client's pod; what it prints. */
function curl(...args: string[]): Promise<string> {
  return client.namespace.run(["curl", "-sS", "--max-time", "20", ...args], AS_APP);
}

function url(port: number, path = "/"): string {
  return `http://${server.v4}:${port}${path}`;
}

function requests(proxy: RunningProxy, port: number): Promise<number> {
  return counted(proxy, "request_total", { target_port: port });
}

describe("nginx and curl", () => {
  test("several URLs go over one connection, kept alive through both proxies", async () => {
    const urls = [url(NGINX), url(NGINX), url(NGINX, "/nowhere"), url(NGINX)];
    const printed = await curl("-w", "%{http_code} %{num_connects}\n", ...urls.flatMap((u) => ["-o", "/dev/null", u]));
    expect(printed).toBe("200 1\n200 0\n404 0\n200 0\n");
    for (const proxy of [outbound, inbound]) expect(await requests(proxy, NGINX)).toBe(4);
    const opened = await counted(inbound, "tcp_open_total", { peer: "src", target_port: NGINX });
    expect(opened).toBe(1);
  });

  test("the app sees its own address, the Host as sent and no trace of the proxies' connections", async () => {
    // Inbound connects from within the pod, so the app's peer is the pod itself.
    expect(await curl("-H", "Host: shop.example", "-H", "Connection: keep-alive", url(NGINX, "/addr"))).toBe(
      `${server.v4} ${server.v4} shop.example \n`,
    );
  });

  test("compressed, ranged, conditional and failing answers pass", async () => {
    expect(await curl("--compressed", url(NGINX))).toBe("<p>unmodified</p>\n");
    expect(await curl("-r", "3-12", url(NGINX))).toBe("unmodified");
    const since = `If-Modified-Since: ${statSync(join(directory, "www", "index.html")).mtime.toUTCString()}`;
    expect(await curl("-o", "/dev/null", "-w", "%{http_code}", "-H", since, url(NGINX))).toBe("304");
    expect(await curl("-w", "%{http_code}", url(NGINX, "/status"))).toBe("busy\n503");
    expect(await curl("-I", "-o", "/dev/null", "-w", "%{http_code} %header{content-length}", url(NGINX, "/big"))).toBe(
      `200 ${BIG_BYTES}`,
    );
  });

  test("20 MB download, whole", async () => {
    const path = join(directory, "downloaded");
    writeFileSync(path, "");
    chmodSync(path, 0o666);
    await curl("-o", path, url(NGINX, "/big"));
    expect(await mustRun(["cmp", path, join(directory, "www", "big")])).toBe("");
  }, 30_000);

  test("20 MB upload with and without a length, after 100-continue, whole", async () => {
    const file = join(directory, "www", "big");
    const hash = String(Bun.hash(await Bun.file(file).bytes()));
    for (const header of ["Expect: 100-continue", "Transfer-Encoding: chunked"]) {
      const answer = JSON.parse(await curl("-T", file, "-H", header, url(ECHO, "/upload")));
      expect(answer).toMatchObject({ method: "PUT", bytes: BIG_BYTES, hash });
    }
  }, 40_000);

  test("HTTP/1.0", async () => {
    expect(await curl("--http1.0", "-w", "%{http_version}", url(NGINX))).toStartWith("<p>unmodified</p>\n");
  });
});

test("python's http.server, which closes after each response", async () => {
  const printed = await curl(...Array.from({ length: 5 }, () => url(PYTHON)));
  expect(printed).toBe("<p>unmodified</p>\n".repeat(5));
  expect(await requests(inbound, PYTHON)).toBe(5);
  expect(await counted(inbound, "response_total", { target_port: PYTHON, classification: "failure" })).toBe(0);
});

test("HTTP/2 with prior knowledge passes, and is counted as such", async () => {
  expect(await curl("--http2-prior-knowledge", url(HTTP2, "/a"))).toBe("HTTP/2.0 /a\n");
  expect(await counted(outbound, "outbound_tcp_protocol_connections_total", { protocol: "http/2" })).toBe(1);
  const found = { result: "http/2", srv_port: HTTP2 };
  expect(await counted(inbound, "inbound_tcp_detect_http_results_total", found)).toBe(1);
  expect(await requests(inbound, HTTP2)).toBe(1);
});

test("a server that speaks first, spoken to by curl", async () => {
  // curl ends with 8 (weird server reply) after VRFY's 250, or 0; what counts is how soon it heard the greeting.
  const started = performance.now();
  const result = await client.namespace.exec(["curl", "-sv", "--max-time", "5", `smtp://${server.v4}:${SMTP}`], AS_APP);
  expect(result.stderr).toContain("220 mail.example ESMTP");
  expect(performance.now() - started).toBeLessThan(3_000);
});

describe("TLS", () => {
  const opened = (proxy: RunningProxy, labels: Record<string, string>): Promise<number> =>
    counted(proxy, "tcp_open_total", { peer: "src", target_port: TLS, ...labels });

  test("passes to the app, its server name in the metrics", async () => {
    const connect = ["--connect-to", `app.example:${TLS}:${server.v4}:${TLS}`, "-k", "-w", "%{http_code}"];
    expect(await curl(...connect, "-o", "/dev/null", `https://app.example:${TLS}/`)).toBe("200");
    expect(await opened(inbound, { tls: "opaque", sni: "app.example" })).toBe(1);
    // Linkerd's outbound side names no server, and knows of no identity on the way from the app.
    expect(await opened(outbound, { tls: "no_identity", no_tls_reason: "loopback" })).toBe(1);
    expect(await counted(outbound, "outbound_tcp_protocol_connections_total", { protocol: "tls" })).toBe(1);
  });

  test("a post-quantum hello of more than 1.7 KB, in several segments", async () => {
    // The key share takes 1,216 bytes, the protocols' names the rest; the small segments come from the socket's.
    const code = `
      const names = Array.from({ length: 20 }, (_, i) => "protocol-with-a-long-name-" + i);
      const raw = require("node:net").connect(${TLS}, "${server.v4}", () => {
        const counted = new (require("node:stream").Duplex)({
          read() {},
          write(bytes, _, done) {
            sent += bytes.length;
            if (first === 0) first = bytes.length;
            raw.write(bytes.subarray(0, 700));
            setTimeout(() => raw.write(bytes.subarray(700), done), 5);
          },
        });
        raw.on("data", (bytes) => counted.push(bytes));
        const socket = require("node:tls").connect({
          socket: counted, servername: "pq.example", rejectUnauthorized: false,
          ecdhCurve: "X25519MLKEM768:X25519", ALPNProtocols: names,
        }, () => { console.log(JSON.stringify({ first, protocol: socket.getProtocol() })); process.exit(0); });
      });
      let sent = 0, first = 0;`;
    const printed = await client.namespace.run([process.execPath, "-e", code], AS_APP);
    const { first, protocol } = JSON.parse(printed) as { first: number; protocol: string };
    expect(first).toBeGreaterThan(1_700);
    expect(protocol).toBe("TLSv1.3");
    expect(await opened(inbound, { tls: "opaque", sni: "pq.example" })).toBe(1);
    expect(await counted(outbound, "outbound_tcp_protocol_connections_total", { protocol: "tls" })).toBe(2);
  }, 20_000);
});
