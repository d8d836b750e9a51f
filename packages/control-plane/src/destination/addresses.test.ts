import { describe, expect, test } from "bun:test";
import { parseHttp2Params } from "./http2-params.ts";
import * as make from "./testing/objects.ts";
import { type ObjectEntry, World } from "./testing/world.ts";

const SVC = "svc.ns.svc.cluster.local:80";
const ADDRESS = "10.1.0.1:8080";

/** A service with one endpoint, this pod. */
function podCluster(pod: make.PodInit, port = 8080, more: readonly ObjectEntry[] = []): ObjectEntry[] {
  return [
    ["services", make.service("svc")],
    ["endpointslices", make.slice("svc-1", [{ ip: "10.1.0.1", pod: "p1" }], { ports: [{ port }] })],
    ["pods", make.pod("p1", { ip: "10.1.0.1", ...pod })],
    ...more,
  ];
}

describe("labels of a pod", () => {
  const hash = { "pod-template-hash": "abc" };
  const rows: { name: string; pod: make.PodInit; more?: readonly ObjectEntry[]; want: Record<string, string> }[] = [
    { name: "of nobody", pod: {}, want: {} },
    {
      name: "of a Deployment",
      pod: { owner: { kind: "ReplicaSet", name: "web-abc" }, labels: hash },
      more: [["replicasets", make.replicaSet("web-abc", "web")]],
      want: { deployment: "web", pod_template_hash: "abc" },
    },
    {
      name: "of a Deployment whose ReplicaSet is not known yet",
      pod: { owner: { kind: "ReplicaSet", name: "web-abc" }, labels: hash },
      want: { deployment: "web", pod_template_hash: "abc" },
    },
    {
      name: "of a ReplicaSet",
      pod: { owner: { kind: "ReplicaSet", name: "rs" } },
      more: [["replicasets", make.replicaSet("rs")]],
      want: { replicaset: "rs" },
    },
    { name: "of a StatefulSet", pod: { owner: { kind: "StatefulSet", name: "db" } }, want: { statefulset: "db" } },
    { name: "of a DaemonSet", pod: { owner: { kind: "DaemonSet", name: "agent" } }, want: { daemonset: "agent" } },
    {
      name: "of a Job",
      pod: { owner: { kind: "Job", name: "once" } },
      more: [["jobs", make.job("once")]],
      want: { k8s_job: "once" },
    },
    {
      name: "of a CronJob",
      pod: { owner: { kind: "Job", name: "daily-1" } },
      more: [["jobs", make.job("daily-1", "daily")]],
      want: { cronjob: "daily" },
    },
    { name: "with a service account", pod: { serviceAccount: "web" }, want: { serviceaccount: "web" } },
    { name: "that is meshed", pod: { meshed: "elsewhere" }, want: { control_plane_ns: "elsewhere" } },
  ];
  for (const { name, pod, more = [], want } of rows) {
    test(name, () => {
      const client = new World(podCluster(pod, 8080, more)).endpoints(SVC);
      expect(client.labels(ADDRESS)).toEqual({
        namespace: "ns",
        service: "svc",
        pod: "p1",
        serviceaccount: "default",
        zone: "",
        zone_locality: "unknown",
        ...want,
      });
    });
  }

  test("follow the ReplicaSet and the Job that own it", () => {
    const world = new World(podCluster({ owner: { kind: "ReplicaSet", name: "rs" } }));
    const client = world.endpoints(SVC);
    expect(client.labels(ADDRESS)["replicaset"]).toBe("rs");
    world.put(["replicasets", make.replicaSet("rs", "web")]);
    expect(client.labels(ADDRESS)["deployment"]).toBe("web");
    world.put(["pods", make.pod("p1", { owner: { kind: "Job", name: "j" } })], ["jobs", make.job("j", "c")]);
    expect(client.labels(ADDRESS)["cronjob"]).toBe("c");
    world.remove(["jobs", make.job("j")]);
    expect(client.labels(ADDRESS)["k8s_job"]).toBe("j");
  });
});

describe("what a pod's proxy understands", () => {
  const identity = (name: string): object => ({ dnsLikeIdentity: { name }, serverName: { name } });
  const IDENTITY = identity("default.ns.serviceaccount.identity.linkerd.trust.domain");
  interface Row {
    name: string;
    pod: make.PodInit;
    port?: number;
    settings?: ConstructorParameters<typeof World>[1];
    more?: readonly ObjectEntry[];
    hint?: object;
    tls?: object;
  }
  const annotate = (name: string, value: string): make.PodInit => {
    return { meshed: "linkerd", annotations: { [`config.linkerd.io/${name}`]: value } };
  };
  const opaqueServer = (port: number | string, namespace = "ns"): ObjectEntry[] => {
    const spec = { podSelector: { matchLabels: { app: "a" } }, port, proxyProtocol: "opaque" };
    return [["servers", make.server("s", spec, namespace)]];
  };
  const selected: make.PodInit = {
    meshed: "linkerd",
    labels: { app: "a" },
    ports: [{ name: "web", containerPort: 8080 }],
  };
  const OPAQUE = { opaque: {}, opaqueTransport: { inboundPort: 4143 } };
  const rows: Row[] = [
    { name: "nothing, without one", pod: {} },
    { name: "nothing, without one, on an opaque port", pod: {}, port: 3306 },
    { name: "HTTP/2 and TLS", pod: { meshed: "linkerd" }, hint: { h2: {} }, tls: IDENTITY },
    {
      name: "the identity of its service account",
      pod: { meshed: "linkerd", serviceAccount: "web" },
      hint: { h2: {} },
      tls: identity("web.ns.serviceaccount.identity.linkerd.trust.domain"),
    },
    { name: "no TLS, of another control plane", pod: { meshed: "other" }, hint: { h2: {} } },
    {
      name: "no TLS, where there is no identity",
      pod: { meshed: "linkerd" },
      settings: { identityTrustDomain: null },
      hint: { h2: {} },
    },
    {
      name: "no HTTP/2, where that is off",
      pod: { meshed: "linkerd" },
      settings: { h2Upgrade: false },
      hint: {},
      tls: IDENTITY,
    },
    {
      name: "a transport header, where those are used",
      pod: { meshed: "linkerd" },
      settings: { transportHeader: true },
      hint: { h2: {}, opaqueTransport: { inboundPort: 4143 } },
      tls: IDENTITY,
    },
    {
      name: "the same as a native sidecar",
      pod: { meshed: "linkerd", nativeSidecar: true },
      settings: { transportHeader: true },
      hint: { h2: {}, opaqueTransport: { inboundPort: 4143 } },
      tls: IDENTITY,
    },
    {
      name: "nothing of the mesh on the proxy's own ports",
      pod: { meshed: "linkerd" },
      port: 4191,
      settings: { transportHeader: true },
    },
    { name: "opaque bytes on a default port", pod: { meshed: "linkerd" }, port: 3306, hint: OPAQUE, tls: IDENTITY },
    { name: "opaque bytes on an annotated port", pod: annotate("opaque-ports", "1-9000"), hint: OPAQUE, tls: IDENTITY },
    {
      name: "opaque bytes on a port annotated by its name",
      pod: { ...annotate("opaque-ports", "web,nobody"), ports: [{ name: "web", containerPort: 8080 }] },
      hint: OPAQUE,
      tls: IDENTITY,
    },
    {
      name: "HTTP/2 on a default port when others are annotated",
      pod: annotate("opaque-ports", ""),
      port: 3306,
      hint: { h2: {} },
      tls: IDENTITY,
    },
    { name: "opaque bytes by a Server's port", pod: selected, more: opaqueServer(8080), hint: OPAQUE, tls: IDENTITY },
    {
      name: "opaque bytes by a Server's port's name",
      pod: selected,
      more: opaqueServer("web"),
      hint: OPAQUE,
      tls: IDENTITY,
    },
    {
      name: "HTTP/2 by a Server of another port",
      pod: selected,
      more: opaqueServer(8081),
      hint: { h2: {} },
      tls: IDENTITY,
    },
    {
      name: "HTTP/2 by a Server of another namespace",
      pod: selected,
      more: opaqueServer(8080, "x"),
      hint: { h2: {} },
      tls: IDENTITY,
    },
    { name: "nothing on a port that it does not see", pod: annotate("skip-inbound-ports", "8000-8100") },
    {
      name: "HTTP/2 on a port that it sees",
      pod: annotate("skip-inbound-ports", "25"),
      hint: { h2: {} },
      tls: IDENTITY,
    },
  ];
  for (const { name, pod, port = 8080, settings = {}, more = [], hint, tls } of rows) {
    test(name, () => {
      const endpoint = new World(podCluster(pod, port, more), settings).endpoints(SVC).at(`10.1.0.1:${port}`);
      expect({ hint: endpoint["protocolHint"], tls: endpoint["tlsIdentity"] }).toEqual({ hint, tls });
    });
  }

  test("is told anew when a Server selects its pod, and when it does not any more", () => {
    const world = new World(podCluster(selected));
    const client = world.endpoints(SVC);
    const [server] = opaqueServer(8080);
    if (server === undefined) throw new Error("no server");
    world.put(server);
    expect(client.at(ADDRESS)["protocolHint"]).toEqual(OPAQUE);
    const other = { podSelector: { matchLabels: { app: "b" } }, port: 8080, proxyProtocol: "opaque" };
    world.put(["servers", make.server("s", other)]);
    expect(client.at(ADDRESS)["protocolHint"]).toEqual({ h2: {} });
    world.put(server).remove(server);
    expect(client.at(ADDRESS)["protocolHint"]).toEqual({ h2: {} });
  });

  test("2018's variables name its ports, too", () => {
    const pod = make.pod("p1", { meshed: "linkerd" });
    const env = [
      { name: "LINKERD2_PROXY_INBOUND_LISTENER", value: "tcp://0.0.0.0:5143" },
      { name: "LINKERD2_PROXY_METRICS_LISTENER", value: "tcp://0.0.0.0:8080" },
    ];
    const objects: ObjectEntry[] = [
      ...podCluster({}),
      ["pods", { ...pod, spec: { ...pod.spec, containers: [{ name: "linkerd-proxy", env }] } }],
      ["endpointslices", make.slice("svc-2", [{ ip: "10.1.0.1", pod: "p1" }], { ports: [{ port: 80 }] })],
    ];
    const client = new World(objects, { transportHeader: true }).endpoints(SVC);
    expect(client.at("10.1.0.1:80")["protocolHint"]).toEqual({ h2: {}, opaqueTransport: { inboundPort: 5143 } });
    expect(client.at("10.1.0.1:8080")["protocolHint"]).toBeUndefined();
  });

  test("HTTP/2 is set up as configured, between proxies only", () => {
    const text = '{"keep_alive":{"interval":{"seconds":10},"timeout":{"seconds":3},"while_idle":true}}';
    const http2 = parseHttp2Params(text);
    const want = { keepAlive: { interval: "10s", timeout: "3s", whileIdle: true } };
    const of = (pod: make.PodInit): unknown =>
      new World(podCluster(pod), { http2 }).endpoints(SVC).at(ADDRESS)["http2"];
    expect([of({ meshed: "linkerd" }), of({ meshed: "other" }), of({})]).toEqual([want, want, undefined]);
  });
});

describe("what is no pod", () => {
  test("an external workload has the identity that it says", () => {
    const objects: ObjectEntry[] = [
      ["services", make.service("svc")],
      [
        "endpointslices",
        make.slice("svc-1", [{ ip: "10.9.0.1", workload: "w1", zone: "z" }], { ports: [{ port: 3306 }] }),
      ],
      ["externalworkloads", make.externalWorkload("w1", { ip: "10.9.0.1" })],
    ];
    const world = new World(objects, { h2Upgrade: false });
    const client = world.endpoints(SVC);
    expect(client.at("10.9.0.1:3306")).toMatchObject({
      metricLabels: { external_workload: "w1", zone: "z", service: "svc" },
      protocolHint: { opaque: {}, opaqueTransport: { inboundPort: 4143 } },
      tlsIdentity: { uriLikeIdentity: { uri: "spiffe://root/w1" }, serverName: { name: "w1.example" } },
    });
    const ports = [{ name: "mysql", containerPort: 3306 }];
    const annotations = { "config.linkerd.io/opaque-ports": "" };
    world.put(["externalworkloads", make.externalWorkload("w1", { ports, annotations })]);
    expect(client.at("10.9.0.1:3306")["protocolHint"]).toEqual({ h2: {} });
    world.put([
      "externalworkloads",
      make.externalWorkload("w1", { ports, annotations: { "config.linkerd.io/opaque-ports": "mysql" } }),
    ]);
    expect(client.at("10.9.0.1:3306")["protocolHint"]).toMatchObject({ opaque: {} });
  });

  const gateway = (annotations: Record<string, string>): ObjectEntry[] => [
    ["services", make.service("svc")],
    [
      "endpointslices",
      make.slice("svc-1", [{ ip: "10.9.0.1" }], {
        ports: [{ port: 4143 }],
        labels: { "mirror.linkerd.io/cluster-name": "east" },
        annotations: Object.fromEntries(
          Object.entries(annotations).map(([name, value]) => [`mirror.linkerd.io/${name}`, value]),
        ),
      }),
    ],
  ];
  const remote = { "remote-svc-fq-name": "web.prod.svc.east.org" };

  test("another cluster's gateway is asked by the service's name there", () => {
    const world = new World(gateway({ ...remote, "remote-gateway-identity": "gw.example" }));
    expect(world.endpoints(SVC).at("10.9.0.1:4143")).toMatchObject({
      authorityOverride: { authorityOverride: "web.prod.svc.east.org:80" },
      tlsIdentity: { dnsLikeIdentity: { name: "gw.example" } },
      protocolHint: { h2: {} },
      metricLabels: { target_cluster: "east", target_service: "web", target_service_namespace: "prod", service: "svc" },
    });
  });

  test("a gateway without an identity gets no TLS and no HTTP/2", () => {
    const endpoint = new World(gateway(remote)).endpoints(SVC).at("10.9.0.1:4143");
    expect([endpoint["tlsIdentity"], endpoint["protocolHint"]]).toEqual([undefined, undefined]);
    expect(endpoint["authorityOverride"]).toEqual({ authorityOverride: "web.prod.svc.east.org:80" });
  });
});
