import { describe, expect, test } from "bun:test";
import {
  BOWLINE_ENV,
  DIRECTION_ENV,
  IDENTITY_ENV,
  PROXY_ENV,
  PROXY_ENV_2018,
  SERVICE_ENV,
  SPIRE_BACKOFF_ENV,
} from "@bowline/contracts";
import { type Config, type ConfigResult, configOrExit, type Env, readConfig } from "./config.ts";

const CPUS = 8;

/** What the injected container of the article (edge-18.10) is given. */
const ARTICLE: Env = {
  LINKERD2_PROXY_LOG: "warn,linkerd2_proxy=info",
  LINKERD2_PROXY_BIND_TIMEOUT: "10s",
  LINKERD2_PROXY_CONTROL_URL: "tcp://proxy-api.linkerd.svc.cluster.local:8086",
  LINKERD2_PROXY_CONTROL_LISTENER: "tcp://0.0.0.0:4190",
  LINKERD2_PROXY_METRICS_LISTENER: "tcp://0.0.0.0:4191",
  LINKERD2_PROXY_OUTBOUND_LISTENER: "tcp://127.0.0.1:4140",
  LINKERD2_PROXY_INBOUND_LISTENER: "tcp://0.0.0.0:4143",
  LINKERD2_PROXY_POD_NAMESPACE: "emojivoto",
};

/** What today's charts inject, in essence. */
const CHART: Env = {
  LINKERD2_PROXY_CORES: "1",
  LINKERD2_PROXY_CORES_MIN: "1",
  LINKERD2_PROXY_SHUTDOWN_ENDPOINT_ENABLED: "false",
  LINKERD2_PROXY_LOG: "warn,linkerd=info,hickory=error,[{headers}]=off,[{request}]=off",
  LINKERD2_PROXY_LOG_FORMAT: "plain",
  LINKERD2_PROXY_DESTINATION_SVC_ADDR: "linkerd-dst-headless.linkerd.svc.cluster.local.:8086",
  LINKERD2_PROXY_DESTINATION_SVC_NAME: "linkerd-destination.linkerd.serviceaccount.identity.linkerd.cluster.local",
  LINKERD2_PROXY_POLICY_SVC_ADDR: "linkerd-policy.linkerd.svc.cluster.local.:8090",
  LINKERD2_PROXY_POLICY_SVC_NAME: "linkerd-destination.linkerd.serviceaccount.identity.linkerd.cluster.local",
  LINKERD2_PROXY_POLICY_WORKLOAD: '{"ns":"emojivoto", "pod":"web-1"}',
  LINKERD2_PROXY_INBOUND_DEFAULT_POLICY: "cluster-unauthenticated",
  LINKERD2_PROXY_POLICY_CLUSTER_NETWORKS: "10.0.0.0/8,100.64.0.0/10,172.16.0.0/12,192.168.0.0/16,fd00::/8",
  LINKERD2_PROXY_CONTROL_STREAM_INITIAL_TIMEOUT: "3s",
  LINKERD2_PROXY_CONTROL_STREAM_IDLE_TIMEOUT: "5m",
  LINKERD2_PROXY_CONTROL_STREAM_LIFETIME: "1h",
  LINKERD2_PROXY_INBOUND_CONNECT_TIMEOUT: "100ms",
  LINKERD2_PROXY_OUTBOUND_CONNECT_TIMEOUT: "1000ms",
  LINKERD2_PROXY_OUTBOUND_DISCOVERY_IDLE_TIMEOUT: "5s",
  LINKERD2_PROXY_INBOUND_DISCOVERY_IDLE_TIMEOUT: "90s",
  LINKERD2_PROXY_CONTROL_LISTEN_ADDR: "0.0.0.0:4190",
  LINKERD2_PROXY_ADMIN_LISTEN_ADDR: "0.0.0.0:4191",
  LINKERD2_PROXY_OUTBOUND_LISTEN_ADDR: "127.0.0.1:4140",
  LINKERD2_PROXY_OUTBOUND_LISTEN_ADDRS: "127.0.0.1:4140,[::1]:4140",
  LINKERD2_PROXY_INBOUND_LISTEN_ADDR: "0.0.0.0:4143",
  LINKERD2_PROXY_INBOUND_IPS: "10.1.2.3,fd00::3",
  LINKERD2_PROXY_INBOUND_PORTS: "80,801",
  LINKERD2_PROXY_DESTINATION_PROFILE_SUFFIXES: "svc.cluster.local.",
  LINKERD2_PROXY_INBOUND_ACCEPT_KEEPALIVE: "10000ms",
  LINKERD2_PROXY_OUTBOUND_CONNECT_KEEPALIVE: "10000ms",
  LINKERD2_PROXY_INBOUND_ACCEPT_USER_TIMEOUT: "30s",
  LINKERD2_PROXY_OUTBOUND_CONNECT_USER_TIMEOUT: "30s",
  LINKERD2_PROXY_INBOUND_SERVER_HTTP2_KEEP_ALIVE_INTERVAL: "10s",
  LINKERD2_PROXY_INBOUND_SERVER_HTTP2_KEEP_ALIVE_TIMEOUT: "3s",
  LINKERD2_PROXY_INBOUND_PORTS_DISABLE_PROTOCOL_DETECTION: "25,587,3306,4444,5432,6379,9300,11211",
  LINKERD2_PROXY_DESTINATION_CONTEXT: '{"ns":"emojivoto", "nodeName":"node-1", "pod":"web-1"}',
  LINKERD2_PROXY_IDENTITY_DIR: "/var/run/linkerd/identity/end-entity",
  LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS: "-----BEGIN CERTIFICATE-----\n…",
  LINKERD2_PROXY_IDENTITY_TOKEN_FILE: "/var/run/secrets/tokens/linkerd-identity-token",
  LINKERD2_PROXY_IDENTITY_SVC_ADDR: "linkerd-identity-headless.linkerd.svc.cluster.local.:8080",
  LINKERD2_PROXY_IDENTITY_LOCAL_NAME: "web.emojivoto.serviceaccount.identity.linkerd.cluster.local",
  LINKERD2_PROXY_IDENTITY_SVC_NAME: "linkerd-identity.linkerd.serviceaccount.identity.linkerd.cluster.local",
  LINKERD2_PROXY_INBOUND_PORTS_REQUIRE_TLS: "80",
};

function configOf(result: ConfigResult): Config {
  if ("errors" in result) throw new Error(result.errors.join("\n"));
  return result.config;
}

function errorsOf(result: ConfigResult): readonly string[] {
  return "errors" in result ? result.errors : [];
}

/** The configuration of an otherwise empty pod. */
function configWith(env: Env): Config {
  return configOf(
    readConfig({ LINKERD2_PROXY_POD_NAMESPACE: "ns", LINKERD2_PROXY_DESTINATION_CONTEXT: "", ...env }, CPUS),
  );
}

describe("what is required", () => {
  test("today's identity of the pod is enough, and gives today's defaults", () => {
    const config = configOf(readConfig({ LINKERD2_PROXY_DESTINATION_CONTEXT: "{}" }, CPUS));
    expect(config.inbound).toEqual({
      listenAddrs: [{ ip: "0.0.0.0", port: 4143 }],
      listenBacklog: 0,
      acceptKeepaliveMs: 0,
      acceptUserTimeoutMs: 0,
      connectKeepaliveMs: 0,
      connectUserTimeoutMs: 0,
      detectTimeoutMs: 10_000,
      connectTimeoutMs: 300,
      poolIdleTimeoutMs: 3_000,
      poolIdleConnectionsMax: 10_000,
      requestsInFlightMax: 100_000,
      opaquePorts: [],
      failfastTimeoutMs: 1_000,
    });
    expect(config.outbound).toEqual({
      ...config.inbound,
      listenAddrs: [{ ip: "127.0.0.1", port: 4140 }],
      connectTimeoutMs: 1_000,
      failfastTimeoutMs: 3_000,
    });
    expect(config).toMatchObject({
      inboundIps: [],
      inboundForward: null,
      admin: { listenAddr: { ip: "127.0.0.1", port: 4191 }, shutdownEndpoint: false, metricsRetainIdleMs: 600_000 },
      control: { listenAddr: { ip: "0.0.0.0", port: 4190 } },
      tapServiceName: null,
      http1: { headBytesMax: 65_536, fieldsMax: 256, headTimeoutMs: 60_000 },
      http2: { clientInitialStreamWindowBytes: 65_535, clientInitialConnectionWindowBytes: 1_048_576 },
      shutdownGraceMs: 120_000,
      bindTimeoutMs: 10_000,
      dataThreads: 1,
      log: { filter: "warn,linkerd=info,hickory=error", format: "plain" },
      accessLog: null,
      informationalHeaders: { inbound: true, outbound: true },
      podNamespace: null,
      ingressMode: false,
      discoveryIdleTimeoutMs: { inbound: 90_000, outbound: 5_000 },
      destination: {
        service: null,
        contextToken: "{}",
        profileSuffixes: ["svc.cluster.local."],
        profileInitialTimeoutMs: 2_000,
      },
      policy: { service: null, workload: null, inboundDefault: "all-unauthenticated", inboundPorts: [] },
    });
  });

  const starts: { name: string; env: Env }[] = [
    { name: "the article's eight variables", env: ARTICLE },
    { name: "today's chart", env: CHART },
    { name: "only the namespace", env: { LINKERD2_PROXY_POD_NAMESPACE: "ns" } },
    { name: "only the policy workload", env: { LINKERD2_PROXY_POLICY_WORKLOAD: "ns:pod" } },
  ];
  for (const { name, env } of starts) {
    test(`${name} starts`, () => {
      expect(errorsOf(readConfig(env, CPUS))).toEqual([]);
    });
  }

  test("the article's variables mean what they say", () => {
    const config = configOf(readConfig(ARTICLE, CPUS));
    expect(config).toMatchObject({
      inbound: { listenAddrs: [{ ip: "0.0.0.0", port: 4143 }] },
      outbound: { listenAddrs: [{ ip: "127.0.0.1", port: 4140 }] },
      admin: { listenAddr: { ip: "0.0.0.0", port: 4191 } },
      control: { listenAddr: { ip: "0.0.0.0", port: 4190 } },
      destination: { service: { host: "proxy-api.linkerd.svc.cluster.local", port: 8086, tlsName: null } },
      log: { filter: "warn,linkerd2_proxy=info" },
      bindTimeoutMs: 10_000,
      podNamespace: "emojivoto",
    });
    const mailAndMysql = [
      { lo: 25, hi: 25 },
      { lo: 3306, hi: 3306 },
    ];
    expect([config.inbound.opaquePorts, config.outbound.opaquePorts]).toEqual([mailAndMysql, mailAndMysql]);
  });

  test("the chart's variables mean what they say", () => {
    expect(configOf(readConfig(CHART, CPUS))).toMatchObject({
      inbound: {
        acceptKeepaliveMs: 10_000,
        acceptUserTimeoutMs: 30_000,
        connectTimeoutMs: 100,
        opaquePorts: [25, 587, 3306, 4444, 5432, 6379, 9300, 11211].map((port) => ({ lo: port, hi: port })),
      },
      outbound: {
        listenAddrs: [
          { ip: "127.0.0.1", port: 4140 },
          { ip: "::1", port: 4140 },
        ],
        connectKeepaliveMs: 10_000,
        opaquePorts: [],
      },
      inboundIps: ["10.1.2.3", "fd00::3"],
      http2: {
        inboundServer: { keepAlive: { intervalMs: 10_000, timeoutMs: 3_000 } },
        outboundServer: { keepAlive: null },
      },
      policy: { inboundDefault: "cluster-unauthenticated", service: { port: 8090 } },
      identity: { serverName: "web.emojivoto.serviceaccount.identity.linkerd.cluster.local", service: { port: 8080 } },
      controlStreams: { initialTimeoutMs: 3_000, idleTimeoutMs: 300_000, lifetimeMs: 3_600_000 },
    });
  });
});

describe("the configuration object", () => {
  test("is frozen through and through, and can be posted to a thread", () => {
    const config = configOf(readConfig(CHART, CPUS));
    const thawed = (value: unknown): boolean =>
      typeof value === "object" && value !== null && (!Object.isFrozen(value) || Object.values(value).some(thawed));
    expect(thawed(config)).toBe(false);
    expect(structuredClone(config)).toEqual(config);
  });
});

describe("old and new names", () => {
  const rows: { name: string; env: Env; pick: (config: Config) => unknown; want: unknown; notes?: string[] }[] = [
    {
      name: "today's name wins and says so",
      env: { LINKERD2_PROXY_INBOUND_LISTEN_ADDR: "127.0.0.1:1", LINKERD2_PROXY_INBOUND_LISTENER: "tcp://127.0.0.1:2" },
      pick: (config) => config.inbound.listenAddrs,
      want: [{ ip: "127.0.0.1", port: 1 }],
      notes: ["LINKERD2_PROXY_INBOUND_LISTENER is ignored because LINKERD2_PROXY_INBOUND_LISTEN_ADDR is set"],
    },
    {
      name: "an ignored name may say anything",
      env: { LINKERD2_PROXY_ADMIN_LISTEN_ADDR: "127.0.0.1:1", LINKERD2_PROXY_METRICS_LISTENER: "nonsense" },
      pick: (config) => config.admin.listenAddr,
      want: { ip: "127.0.0.1", port: 1 },
      notes: ["LINKERD2_PROXY_METRICS_LISTENER is ignored because LINKERD2_PROXY_ADMIN_LISTEN_ADDR is set"],
    },
    {
      name: "the oldest names",
      env: {
        LINKERD2_PROXY_PRIVATE_LISTENER: "tcp://127.0.0.1:3",
        LINKERD2_PROXY_PRIVATE_FORWARD: "tcp://127.0.0.1:4",
      },
      pick: (config) => [config.outbound.listenAddrs, config.inboundForward],
      want: [[{ ip: "127.0.0.1", port: 3 }], { ip: "127.0.0.1", port: 4 }],
      notes: [],
    },
    {
      name: "today's control plane before 2018's",
      env: { LINKERD2_PROXY_DESTINATION_SVC_ADDR: "127.0.0.1:8086", LINKERD2_PROXY_CONTROL_URL: "tcp://a:1" },
      pick: (config) => config.destination.service,
      want: { host: "127.0.0.1", port: 8086, tlsName: null },
      notes: ["LINKERD2_PROXY_CONTROL_URL is ignored because LINKERD2_PROXY_DESTINATION_SVC_ADDR is set"],
    },
    {
      name: "2018's router age is today's idle timeout",
      env: { LINKERD2_PROXY_OUTBOUND_ROUTER_MAX_IDLE_AGE: "60s" },
      pick: (config) => config.discoveryIdleTimeoutMs,
      want: { inbound: 90_000, outbound: 60_000 },
    },
    {
      name: "2018's opaque ports are no default where today's injector is at work",
      env: { LINKERD2_PROXY_BIND_TIMEOUT: "1s", LINKERD2_PROXY_POLICY_WORKLOAD: "x" },
      pick: (config) => config.inbound.opaquePorts,
      want: [],
    },
  ];
  for (const { name, env, pick, want, notes } of rows) {
    test(name, () => {
      const result = readConfig({ LINKERD2_PROXY_DESTINATION_CONTEXT: "", ...env }, CPUS);
      expect(pick(configOf(result))).toEqual(want);
      if (notes !== undefined) {
        expect(result.notes.filter(({ level }) => level === "warn").map(({ message }) => message)).toEqual(notes);
      }
    });
  }

  test("2018's opaque ports give way to what is set, for each direction", () => {
    const env = { ...ARTICLE, LINKERD2_PROXY_OUTBOUND_PORTS_DISABLE_PROTOCOL_DETECTION: "9000-9001" };
    const { inbound, outbound } = configOf(readConfig(env, CPUS));
    expect(inbound.opaquePorts).toHaveLength(2);
    expect(outbound.opaquePorts).toEqual([{ lo: 9000, hi: 9001 }]);
  });

  test("2018's TLS files with the pod's identity", () => {
    const env = {
      ...ARTICLE,
      LINKERD2_PROXY_TLS_TRUST_ANCHORS: "/a.pem",
      LINKERD2_PROXY_TLS_CERT: "/c.crt",
      LINKERD2_PROXY_TLS_PRIVATE_KEY: "/k.p8",
      LINKERD2_PROXY_TLS_POD_IDENTITY: "emoji.$LINKERD2_PROXY_POD_NAMESPACE.svc",
    };
    expect(configOf(readConfig(env, CPUS)).legacy.tls).toEqual({
      trustAnchorsFile: "/a.pem",
      certFile: "/c.crt",
      privateKeyFile: "/k.p8",
      podIdentity: "emoji.emojivoto.svc",
      controllerIdentity: null,
    });
  });
});

describe("data threads", () => {
  const rows: { env: Env; cpus?: number; want: number }[] = [
    { env: {}, want: 1 },
    { env: { LINKERD2_PROXY_CORES: "3" }, want: 3 },
    { env: { LINKERD2_PROXY_CORES: "3", LINKERD2_PROXY_CORES_MIN: "2" }, want: 2 },
    { env: { LINKERD2_PROXY_CORES_MAX: "4" }, want: 4 },
    { env: { LINKERD2_PROXY_CORES_MAX: "4", LINKERD2_PROXY_CORES_MIN: "6" }, want: 6 },
    { env: { LINKERD2_PROXY_CORES_MAX: "99" }, want: 8 },
    { env: { LINKERD2_PROXY_CORES_MAX_RATIO: "0.5" }, want: 4 },
    { env: { LINKERD2_PROXY_CORES_MAX_RATIO: "0.1" }, cpus: 2, want: 1 },
    { env: { LINKERD2_PROXY_CORES_MAX_RATIO: "1", LINKERD2_PROXY_CORES_MAX: "2" }, want: 2 },
    {
      env: { LINKERD2_PROXY_CORES_MAX: "zero", LINKERD2_PROXY_CORES_MIN: "0", LINKERD2_PROXY_CORES_MAX_RATIO: "2" },
      want: 1,
    },
  ];
  for (const { env, cpus = CPUS, want } of rows) {
    test(`${JSON.stringify(env)} of ${cpus} CPUs is ${want}`, () => {
      expect(configOf(readConfig({ ...ARTICLE, ...env }, cpus)).dataThreads).toBe(want);
    });
  }

  test("a bad value costs a warning only", () => {
    expect(readConfig({ ...ARTICLE, LINKERD2_PROXY_CORES_MAX: "many" }, CPUS).notes).toContainEqual({
      level: "warn",
      message: 'LINKERD2_PROXY_CORES_MAX="many" is ignored: not a whole number',
    });
  });
});

describe("single variables", () => {
  const rows: { env: Env; pick: (config: Config) => unknown; want: unknown }[] = [
    { env: { LINKERD2_PROXY_LOG_FORMAT: "JSON" }, pick: (c) => c.log.format, want: "json" },
    { env: { LINKERD2_PROXY_LOG_FORMAT: "colourful" }, pick: (c) => c.log.format, want: "plain" },
    { env: { LINKERD2_PROXY_ACCESS_LOG: "Apache" }, pick: (c) => c.accessLog, want: "apache" },
    { env: { LINKERD2_PROXY_ACCESS_LOG: "nginx" }, pick: (c) => c.accessLog, want: null },
    { env: { LINKERD2_PROXY_INGRESS_MODE: "true" }, pick: (c) => c.informationalHeaders.outbound, want: false },
    {
      env: { LINKERD2_PROXY_INGRESS_MODE: "true", LINKERD2_PROXY_OUTBOUND_DISABLE_INFORMATIONAL_HEADERS: "false" },
      pick: (c) => c.informationalHeaders.outbound,
      want: true,
    },
    {
      env: { LINKERD2_PROXY_INBOUND_METRICS_AUTHORITY_LABELS: "unsafe" },
      pick: (c) => c.metricLabels.inboundAuthority,
      want: true,
    },
    {
      env: { LINKERD2_PROXY_CONTROL_STREAM_IDLE_TIMEOUT: "" },
      pick: (c) => c.controlStreams.idleTimeoutMs,
      want: null,
    },
    {
      env: { LINKERD2_PROXY_MAX_IDLE_CONNS_PER_ENDPOINT: "7" },
      pick: (c) => c.inbound.poolIdleConnectionsMax,
      want: 7,
    },
    {
      env: {
        LINKERD2_PROXY_INBOUND_CONNECT_EXP_BACKOFF_MIN: "1s",
        LINKERD2_PROXY_INBOUND_CONNECT_EXP_BACKOFF_MAX: "2s",
      },
      pick: (c) => c.connectBackoff,
      want: {
        inbound: { minMs: 1_000, maxMs: 2_000, jitter: 0 },
        outbound: { minMs: 100, maxMs: 60_000, jitter: 0.1 },
      },
    },
    {
      env: {
        LINKERD2_PROXY_IDENTITY_SPIRE_SOCKET: "unix:///run/spire.sock",
        LINKERD2_PROXY_IDENTITY_SERVER_ID: "spiffe://root/web",
        LINKERD2_PROXY_IDENTITY_SERVER_NAME: "web.ns",
      },
      pick: (c) => [c.identity.serverId, c.identity.serverName, c.identity.spire],
      want: [
        "spiffe://root/web",
        "web.ns",
        { workloadApiAddress: "/run/spire.sock", backoff: { minMs: 100, maxMs: 1_000, jitter: 0.1 } },
      ],
    },
    { env: { LINKERD2_PROXY_HTTP1_HEAD_BYTES_MAX: "131072" }, pick: (c) => c.http1.headBytesMax, want: 131_072 },
    { env: { LINKERD2_PROXY_DNS_MIN_TTL: "5s" }, pick: (c) => c.dns, want: { minTtlMs: 5_000, maxTtlMs: null } },
  ];
  for (const { env, pick, want } of rows) {
    test(JSON.stringify(env), () => {
      expect(pick(configWith(env))).toEqual(want);
    });
  }
});

describe("variables that contradict each other or lack a partner", () => {
  const rows: { env: Env; errors: string[] }[] = [
    {
      env: { LINKERD2_PROXY_POLICY_SVC_ADDR: "policy:8090" },
      errors: ["LINKERD2_PROXY_POLICY_SVC_NAME is not set; it is required when LINKERD2_PROXY_POLICY_SVC_ADDR is set"],
    },
    {
      env: { LINKERD2_PROXY_IDENTITY_SVC_NAME: "identity" },
      errors: [
        "LINKERD2_PROXY_IDENTITY_SVC_ADDR is not set; it is required when LINKERD2_PROXY_IDENTITY_SVC_NAME is set",
      ],
    },
    {
      env: {
        LINKERD2_PROXY_INBOUND_SERVER_HTTP2_MAX_SEND_BUF_SIZE: "0",
        LINKERD2_PROXY_OUTBOUND_SERVER_HTTP2_MAX_FRAME_SIZE: "100",
      },
      errors: [
        'LINKERD2_PROXY_INBOUND_SERVER_HTTP2_MAX_SEND_BUF_SIZE="0" is not valid: not between 1 and 4294967295',
        'LINKERD2_PROXY_OUTBOUND_SERVER_HTTP2_MAX_FRAME_SIZE="100" is not valid: not between 16384 and 16777215',
      ],
    },
    {
      env: { LINKERD2_PROXY_INBOUND_DEFAULT_POLICY: "audit" },
      errors: [
        'LINKERD2_PROXY_INBOUND_DEFAULT_POLICY="audit" is not valid: LINKERD2_PROXY_POLICY_CLUSTER_NETWORKS names no network',
      ],
    },
    {
      env: { LINKERD2_PROXY_CONTROL_STREAM_INITIAL_TIMEOUT: "3s", LINKERD2_PROXY_CONTROL_STREAM_LIFETIME: "1s" },
      errors: [
        'LINKERD2_PROXY_CONTROL_STREAM_INITIAL_TIMEOUT="3s" is not valid: longer than LINKERD2_PROXY_CONTROL_STREAM_LIFETIME',
      ],
    },
    {
      env: { LINKERD2_PROXY_CONTROL_STREAM_IDLE_TIMEOUT: "3s", LINKERD2_PROXY_CONTROL_STREAM_LIFETIME: "1s" },
      errors: [
        'LINKERD2_PROXY_CONTROL_STREAM_IDLE_TIMEOUT="3s" is not valid: longer than LINKERD2_PROXY_CONTROL_STREAM_LIFETIME',
      ],
    },
    {
      env: { LINKERD2_PROXY_OUTBOUND_CONNECT_EXP_BACKOFF_MIN: "3s" },
      errors: [
        "LINKERD2_PROXY_OUTBOUND_CONNECT_EXP_BACKOFF_MAX is not set; it is required when LINKERD2_PROXY_OUTBOUND_CONNECT_EXP_BACKOFF_MIN is set",
      ],
    },
    {
      env: {
        LINKERD2_PROXY_OUTBOUND_CONNECT_EXP_BACKOFF_MIN: "3s",
        LINKERD2_PROXY_OUTBOUND_CONNECT_EXP_BACKOFF_MAX: "1s",
      },
      errors: [
        'LINKERD2_PROXY_OUTBOUND_CONNECT_EXP_BACKOFF_MIN="3s" is not valid: longer than LINKERD2_PROXY_OUTBOUND_CONNECT_EXP_BACKOFF_MAX',
      ],
    },
    {
      env: { LINKERD2_PROXY_IDENTITY_SERVER_ID: "a.b", LINKERD2_PROXY_IDENTITY_SERVER_NAME: "c.d" },
      errors: [
        'LINKERD2_PROXY_IDENTITY_SERVER_ID="a.b" is not valid: must equal LINKERD2_PROXY_IDENTITY_SERVER_NAME unless SPIRE is used',
      ],
    },
    {
      env: { LINKERD2_PROXY_IDENTITY_SPIRE_WORKLOAD_API_ADDRESS: "/x", LINKERD2_PROXY_IDENTITY_SERVER_ID: "a.b" },
      errors: ['LINKERD2_PROXY_IDENTITY_SERVER_ID="a.b" is not valid: SPIRE needs a spiffe:// id'],
    },
    {
      env: { LINKERD2_PROXY_TLS_CERT: "/c", LINKERD2_PROXY_TLS_PRIVATE_KEY: "/k" },
      errors: [
        "LINKERD2_PROXY_TLS_TRUST_ANCHORS is not set; it is required when LINKERD2_PROXY_TLS_CERT is set",
        "LINKERD2_PROXY_TLS_POD_IDENTITY is not set; it is required when LINKERD2_PROXY_TLS_CERT is set",
      ],
    },
    {
      env: { LINKERD2_PROXY_POD_NAMESPACE: "" },
      errors: ['LINKERD2_PROXY_POD_NAMESPACE="" is not valid: must not be empty'],
    },
  ];
  for (const { env, errors } of rows) {
    test(JSON.stringify(env), () => {
      expect(errorsOf(readConfig({ LINKERD2_PROXY_POD_NAMESPACE: "ns", ...env }, CPUS))).toEqual(errors);
    });
  }
});

describe("every variable with a bad value is reported in one run", () => {
  const BAD_VALUE = "\u0000 no good";
  /** Take any text, are only warned about, or are covered by a name that wins over them. */
  const TAKE_ANYTHING: readonly string[] = [
    PROXY_ENV.log,
    PROXY_ENV.logFormat,
    PROXY_ENV.accessLog,
    PROXY_ENV.cores,
    PROXY_ENV.coresMin,
    PROXY_ENV.coresMax,
    PROXY_ENV.coresMaxRatio,
    PROXY_ENV.destinationContext,
    PROXY_ENV.policyWorkload,
    PROXY_ENV.traceAttributesPath,
    PROXY_ENV.traceServiceName,
    PROXY_ENV.traceExtraAttributes,
    PROXY_ENV.otelResourceAttributes,
    PROXY_ENV.hostname,
  ];
  /** These are wrong only when empty. */
  const NOT_EMPTY: readonly string[] = [
    IDENTITY_ENV.trustAnchors,
    IDENTITY_ENV.dir,
    IDENTITY_ENV.tokenFile,
    IDENTITY_ENV.spireWorkloadApiAddress,
    IDENTITY_ENV.spireSocket,
    PROXY_ENV_2018.podNamespace,
    PROXY_ENV_2018.tlsTrustAnchors,
    PROXY_ENV_2018.tlsCert,
    PROXY_ENV_2018.tlsPrivateKey,
    PROXY_ENV_2018.controllerNamespace,
    PROXY_ENV_2018.resolvConf,
  ];
  const names = (value: unknown): string[] =>
    typeof value === "string" ? [value] : Object.values(value as Record<string, unknown>).flatMap(names);
  const bad = (list: readonly string[]): Env =>
    Object.fromEntries(list.map((name) => [name, NOT_EMPTY.includes(name) ? "" : BAD_VALUE]));
  const check = (list: readonly string[]): void => {
    const reported = errorsOf(readConfig(bad(list), CPUS)).filter((line) => line.includes("is not valid: "));
    expect(reported.map((line) => line.slice(0, line.indexOf("="))).toSorted()).toEqual(list.toSorted());
  };
  const today = names([PROXY_ENV, DIRECTION_ENV, SERVICE_ENV, IDENTITY_ENV, SPIRE_BACKOFF_ENV, BOWLINE_ENV]).filter(
    (name) => !TAKE_ANYTHING.includes(name),
  );

  test("today's names and Bowline's", () => {
    // OUTBOUND_LISTEN_ADDR, SERVER_ID, SERVER_NAME and SPIRE_SOCKET stand behind names that win; each has its turn below.
    const behind: readonly string[] = [
      DIRECTION_ENV.outbound.listenAddr,
      IDENTITY_ENV.serverId,
      IDENTITY_ENV.serverName,
      IDENTITY_ENV.spireSocket,
    ];
    check(today.filter((name) => !behind.includes(name)));
    check(behind);
  });

  test("the names of 2018", () => {
    const oldest: readonly string[] = [
      PROXY_ENV_2018.privateListener,
      PROXY_ENV_2018.publicListener,
      PROXY_ENV_2018.privateForward,
    ];
    check(names(PROXY_ENV_2018).filter((name) => !oldest.includes(name)));
    check(oldest);
  });
});

class Exited extends Error {}

function runOrExit(env: Env): { stderr: string; code: number | null } {
  let stderr = "";
  let code: number | null = null;
  const exit = (status: number): never => {
    code = status;
    throw new Exited();
  };
  try {
    configOrExit(env, { stderr: (text) => (stderr += text), exit });
  } catch (error) {
    if (!(error instanceof Exited)) throw error;
  }
  return { stderr, code };
}

describe("configOrExit", () => {
  const rows: { name: string; env: Env; stderr: string; code: number | null }[] = [
    {
      name: "the article's run with an empty environment",
      env: {},
      stderr:
        "ERR! linkerd2_proxy::config LINKERD2_PROXY_POD_NAMESPACE is not set\nconfiguration error: InvalidEnvVar\n",
      code: 64,
    },
    {
      name: "several mistakes at once, even with logging off",
      env: {
        LINKERD2_PROXY_LOG: "off",
        LINKERD2_PROXY_BIND_TIMEOUT: "10",
        LINKERD2_PROXY_INBOUND_LISTENER: "http://0.0.0.0:4143",
      },
      stderr:
        "ERR! linkerd2_proxy::config LINKERD2_PROXY_POD_NAMESPACE is not set\n" +
        'ERR! linkerd2_proxy::config LINKERD2_PROXY_INBOUND_LISTENER="http://0.0.0.0:4143" is not valid: the scheme is not tcp\n' +
        'ERR! linkerd2_proxy::config LINKERD2_PROXY_BIND_TIMEOUT="10" is not valid: not a duration such as 500ms, 10s, 5m, 2h or 1d\n' +
        "configuration error: InvalidEnvVar\n",
      code: 64,
    },
    { name: "the article's environment", env: ARTICLE, stderr: "", code: null },
  ];
  for (const { name, env, stderr, code } of rows) {
    test(name, () => {
      expect(runOrExit(env)).toEqual({ stderr, code });
    });
  }

  test("in the JSON format the lines are JSON", () => {
    const { stderr } = runOrExit({ LINKERD2_PROXY_LOG_FORMAT: "json" });
    expect(JSON.parse(stderr.split("\n")[0]!)).toMatchObject({
      level: "ERROR",
      fields: { message: "LINKERD2_PROXY_POD_NAMESPACE is not set" },
      target: "linkerd2_proxy::config",
    });
  });
});
