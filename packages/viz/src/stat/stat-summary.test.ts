import { expect, test } from "bun:test";
import type { Pod, Service } from "@bowline/kube";
import { MetricsStore } from "../scrape/metrics-store.ts";
import { parseStatQuery, type StatRow, statQuery } from "./stat-request.ts";
import { type ClusterView, statSummary } from "./stat-summary.ts";
import { podStatus, targetLabels } from "./workloads.ts";

const PODS = [
  pod("emojivoto", "web-abc-1", { kind: "ReplicaSet", name: "web-abc" }, true),
  pod("emojivoto", "web-abc-2", { kind: "ReplicaSet", name: "web-abc" }, true),
  pod("emojivoto", "voting-def-1", { kind: "ReplicaSet", name: "voting-def" }, true),
  pod("emojivoto", "plain-1", { kind: "StatefulSet", name: "plain" }, false),
  pod("other", "lonely", undefined, true),
];

const CLUSTER: ClusterView = {
  pods: () => PODS,
  services: () => [service("emojivoto", "web-svc"), service("emojivoto", "voting-svc"), service("other", "x")],
  ownerOf: (kind, _namespace, name) =>
    kind === "ReplicaSet" ? { kind: "Deployment", name: name.split("-")[0] ?? "" } : undefined,
  controlPlaneNamespace: "linkerd",
};

const WEB_OUT =
  'direction="outbound",peer="dst",dst_namespace="emojivoto",dst_deployment="voting",dst_service="voting-svc"';

/** What two scrapes 30 s apart saw: each web pod received 60 requests and sent 30, half of which failed; voting received 60. */
const STORE = ((): MetricsStore => {
  const clock = { ms: 1_000_000 };
  const store = new MetricsStore({ now: () => clock.ms, staleMs: 60_000 });
  const scrape = (sent: number): void => {
    for (const one of PODS.slice(0, 3)) {
      const isWeb = one.metadata.name.startsWith("web");
      const outbound = isWeb
        ? [
            `response_total{${WEB_OUT},classification="failure"} ${sent * 15}`,
            `response_total{${WEB_OUT},classification="success"} ${sent * 15}`,
            `tcp_open_connections{${WEB_OUT}} 2`,
          ]
        : [];
      const page = [
        `response_total{direction="inbound",classification="success"} ${sent * 60}`,
        'tcp_open_connections{direction="inbound",peer="src"} 1',
        ...outbound,
      ];
      store.add(one.metadata.name, targetLabels(one, CLUSTER.ownerOf), `${page.join("\n")}\n`);
    }
  };
  scrape(0);
  clock.ms += 30_000;
  scrape(1);
  return store;
})();

async function stat(query: string): Promise<StatRow[]> {
  return await statSummary(parseStatQuery(new URLSearchParams(query), 600_000), CLUSTER, STORE);
}

/** Rows in short: kind/name meshed success rps connections. */
function brief(rows: readonly StatRow[]): string[] {
  return rows.map(({ namespace, kind, name, meshed, requests, tcp }) =>
    [
      `${namespace}/${kind}/${name}`,
      meshed === undefined ? "-" : `${meshed.meshed}/${meshed.total}`,
      requests === undefined ? "-" : `${requests.success * 100}% ${requests.rps}rps`,
      tcp === undefined ? "-" : tcp.open,
    ].join(" "),
  );
}

const ROWS: readonly [query: string, rows: readonly string[]][] = [
  [
    "resource=deploy&namespace=emojivoto",
    ["emojivoto/deployment/voting 1/1 100% 2rps 1", "emojivoto/deployment/web 2/2 100% 4rps 2"],
  ],
  ["resource=deploy/web&namespace=emojivoto", ["emojivoto/deployment/web 2/2 100% 4rps 2"]],
  ["resource=deploy/none&namespace=emojivoto", []],
  ["resource=deploy&namespace=other", []],
  ["resource=sts&namespace=emojivoto", []],
  ["resource=sts&namespace=emojivoto&unmeshed=true", ["emojivoto/statefulset/plain 0/1 - -"]],
  [
    "resource=po",
    [
      "emojivoto/pod/voting-def-1 1/1 100% 2rps 1",
      "emojivoto/pod/web-abc-1 1/1 100% 2rps 1",
      "emojivoto/pod/web-abc-2 1/1 100% 2rps 1",
      "other/pod/lonely 1/1 - -",
    ],
  ],
  ["resource=ns", ["emojivoto/namespace/emojivoto 3/4 100% 6rps 3", "other/namespace/other 1/1 - -"]],
  [
    "resource=svc&namespace=emojivoto",
    ["emojivoto/service/voting-svc - 50% 2rps 4", "emojivoto/service/web-svc - - -"],
  ],
  ["resource=deploy&namespace=emojivoto&to=deploy/voting", ["emojivoto/deployment/web 2/2 50% 2rps 4"]],
  ["resource=deploy&namespace=emojivoto&to=svc/voting-svc", ["emojivoto/deployment/web 2/2 50% 2rps 4"]],
  ["resource=deploy&namespace=emojivoto&to=deploy/web", []],
  ["resource=deploy&namespace=emojivoto&to_namespace=emojivoto", ["emojivoto/deployment/web 2/2 50% 2rps 4"]],
  ["resource=deploy&namespace=emojivoto&from=deploy/web", ["emojivoto/deployment/voting 1/1 50% 2rps 4"]],
  ["resource=deploy&namespace=emojivoto&from=po/web-abc-1", ["emojivoto/deployment/voting 1/1 50% 1rps 2"]],
  ["resource=deploy&namespace=emojivoto&from=deploy/web&from_namespace=other", []],
  ["resource=deploy&namespace=emojivoto&selector=app=voting", ["emojivoto/deployment/voting 1/1 100% 2rps 1"]],
  [
    "resource=svc/voting-svc&resource=deploy/voting&namespace=emojivoto",
    ["emojivoto/service/voting-svc - 50% 2rps 4", "emojivoto/deployment/voting 1/1 100% 2rps 1"],
  ],
];

test.each(ROWS)("%s", async (query, rows) => {
  expect(brief(await stat(query))).toEqual([...rows]);
});

test("a question survives its way over the wire", () => {
  const query = new URLSearchParams(
    "resource=deployment%2Fweb&resource=pod&namespace=a&window_ms=30000&selector=x%3Dy&to=service%2Fb&to_namespace=c&unmeshed=true",
  );
  expect(statQuery(parseStatQuery(query, 600_000)).toString()).toBe(query.toString());
});

const WRONG: readonly [query: string, message: RegExp][] = [
  ["", /"resource" is missing/],
  ["resource=deploy&window_ms=1000", /time window is 15s to 10m, not 1s/],
  ["resource=deploy&window_ms=x", /time window/],
  ["resource=ingress", /cannot show stats of "ingress"; known are all, daemonset/],
  ["resource=deploy/", /not a resource: write KIND or KIND\/NAME/],
  ["resource=all/web", /`all` goes without a name/],
  ["resource=deploy&to=all", /parameter to: `all` is not one resource/],
  ["resource=deploy&to=po&from=po", /--to and --from exclude each other/],
  ["resource=deploy&nonsense=1", /unknown parameter "nonsense"/],
];

test.each(WRONG)("%s is refused", (query, message) => {
  expect(() => parseStatQuery(new URLSearchParams(query), 600_000)).toThrow(message);
});

function pod(namespace: string, name: string, owner: { kind: string; name: string } | undefined, meshed: boolean): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      namespace,
      name,
      labels: { app: name.split("-")[0] ?? "", ...(meshed ? { "linkerd.io/control-plane-ns": "linkerd" } : {}) },
      ...(owner === undefined
        ? {}
        : { ownerReferences: [{ apiVersion: "apps/v1", uid: "u", controller: true, ...owner }] }),
    },
    status: { phase: "Running" },
  };
}

function service(namespace: string, name: string): Service {
  return { apiVersion: "v1", kind: "Service", metadata: { namespace, name } };
}

test.each([
  [{ phase: "Running" }, "Running"],
  [
    {
      phase: "Pending",
      initContainerStatuses: [waiting("CrashLoopBackOff")],
      containerStatuses: [waiting("PodInitializing")],
    },
    "CrashLoopBackOff",
  ],
  [{ phase: "Running", containerStatuses: [waiting("ErrImagePull")] }, "ErrImagePull"],
  [{}, "Unknown"],
])("a pod of status %j is %s", (status, text) => {
  const one = { apiVersion: "v1", kind: "Pod", metadata: { name: "x" }, status } as Pod;
  expect(podStatus(one)).toBe(text);
  expect(podStatus({ ...one, metadata: { name: "x", deletionTimestamp: "2026-01-01T00:00:00Z" } })).toBe("Terminating");
});

function waiting(reason: string): object {
  return { name: "c", state: { waiting: { reason } } };
}
