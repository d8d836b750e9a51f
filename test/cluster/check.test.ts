import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { mustRun } from "@bowline/testkit";
import { type Credentials, issueRoot, issueServer } from "../../packages/cli/src/certificates/issue.ts";
import { ALL_CATEGORIES } from "../../packages/cli/src/check/all-checks.ts";
import { TestCluster } from "./test-cluster.ts";

// Every check in its failing state: something is broken, `check` is asked, the installation is applied anew.

const DAY_MS = 86_400_000;
const INJECTOR_HOST = "linkerd-proxy-injector.linkerd.svc";
const INJECTOR_CONFIG = "linkerd-proxy-injector-webhook-config";

interface Report {
  readonly success: boolean;
  readonly categories: readonly {
    readonly checks: readonly {
      readonly description: string;
      readonly result: string;
      readonly error?: string;
      readonly hint?: string;
    }[];
  }[];
}

let cluster: TestCluster;
let installation: string;
/** What failed in some test; at the end, every check must be among it. */
const seenFailing = new Set<string>();

beforeAll(async () => {
  cluster = await TestCluster.up();
  await cluster.apply(await cluster.bowline(["install", "--crds"]));
  installation = await cluster.bowline(["install"]);
  await cluster.apply(installation);
  await cluster.bowline(["check", "--wait", "60s"], { timeoutMs: 90_000 });
}, 120_000);

afterAll(async () => {
  await (cluster as TestCluster | undefined)?.[Symbol.asyncDispose]();
}, 120_000);

/** Problems by the check's description, with the glyph that the table would show. */
async function problems(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Record<string, string>> {
  const { stdout, stderr, code } = await cluster.tryBowline(["check", "--wait", "0s", "-o", "json", ...args], { env });
  expect(stderr).toBe("");
  const { success, categories } = JSON.parse(stdout) as Report;
  expect(code).toBe(success ? 0 : 1);
  const found: Record<string, string> = {};
  for (const { description, result, error = "", hint } of categories.flatMap(({ checks }) => checks)) {
    if (result === "success") continue;
    expect(hint).toMatch(/^docs\/checks\.md#\S+$/);
    found[description] = `${result === "warning" ? "‼" : "×"} ${error}`;
    seenFailing.add(description);
  }
  return found;
}

test("an installation as it should be passes", async () => {
  const table = await cluster.bowline(["check", "--proxy"]);
  expect(table).toContain("linkerd-existence\n-----------------\n√ 'linkerd-config' config map exists\n");
  expect(table).toEndWith("\nStatus check results are √\n");
  expect(await cluster.bowline(["check", "-o", "short"])).toBe("Status check results are √\n");
}, 60_000);

interface Row {
  readonly broken: string;
  readonly by: () => Promise<unknown>;
  readonly args?: readonly string[];
  readonly found: Readonly<Record<string, RegExp>>;
}

const kubectl =
  (...args: string[]) =>
  () =>
    cluster.kubectl(args);
const remove = (...args: string[]) => kubectl("delete", "--wait=true", ...args);

/** Changes what the control plane says it was installed with. */
const configure = (change: (values: string) => string) => async () => {
  const config = JSON.parse(await cluster.kubectl(["get", "cm", "linkerd-config", "-n", "linkerd", "-o", "json"])) as {
    data: { values: string };
  };
  const changed = change(config.data.values);
  expect(changed).not.toBe(config.data.values);
  await patch("cm", "linkerd-config", { data: { values: changed } });
};

const patch = (kind: string, name: string, change: object, namespace = "linkerd") =>
  cluster.kubectl(["patch", kind, name, "-n", namespace, "--type=merge", "-p", JSON.stringify(change)]);

const base64 = (text: string): string => Buffer.from(text).toString("base64");
const daysFromNow = (days: number): Date => new Date(Date.now() + days * DAY_MS);
const setAnchors = (pem: string) => patch("cm", "linkerd-identity-trust-roots", { data: { "ca-bundle.crt": pem } });
const setIssuer = ({ crtPEM, keyPEM }: Credentials) =>
  patch("secret", "linkerd-identity-issuer", { data: { "crt.pem": base64(crtPEM), "key.pem": base64(keyPEM) } });
const setRoot = async (root: Credentials): Promise<void> => {
  await setAnchors(root.crtPEM);
  await setIssuer(root);
};
const setInjector = async ({ crtPEM, keyPEM }: Credentials, caPEM = crtPEM): Promise<void> => {
  await patch("secret", "linkerd-proxy-injector-k8s-tls", {
    data: { "tls.crt": base64(crtPEM), "tls.key": base64(keyPEM) },
  });
  const operations = [{ op: "replace", path: "/webhooks/0/clientConfig/caBundle", value: base64(caPEM) }];
  await cluster.kubectl([
    "patch",
    "mutatingwebhookconfiguration",
    INJECTOR_CONFIG,
    "--type=json",
    "-p",
    JSON.stringify(operations),
  ]);
};
const rsaRoot = async (bits: number): Promise<string> =>
  await mustRun([
    "openssl",
    "req",
    "-x509",
    "-newkey",
    `rsa:${bits}`,
    "-nodes",
    "-keyout",
    "/dev/null",
    "-days",
    "365",
    "-subj",
    "/CN=rsa",
  ]);

/** A pod that looks meshed. */
const pod =
  (
    namespace: string,
    name: string,
    more: { ready?: boolean; version?: string; labels?: object; annotations?: object },
  ) =>
  async () => {
    const image = { image: "none", command: ["sleep", "1000"] };
    const probe = more.ready === false ? { readinessProbe: { exec: { command: ["false"] } } } : {};
    await cluster.apply([
      {
        apiVersion: "v1",
        kind: "Pod",
        metadata: {
          name,
          namespace,
          labels: { app: name, "linkerd.io/control-plane-ns": "linkerd", ...more.labels },
          annotations: {
            "linkerd.io/inject": "disabled",
            "linkerd.io/proxy-version": more.version ?? "0.1.0",
            ...more.annotations,
          },
        },
        spec: { terminationGracePeriodSeconds: 0, containers: [{ name: "linkerd-proxy", ...image, ...probe }] },
      },
    ]);
    if (more.ready !== false)
      await cluster.kubectl(["wait", "pod", name, "-n", namespace, "--for=condition=Ready", "--timeout=20s"]);
  };
const service = (metadata: object) => () =>
  cluster.apply([
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "app", namespace: "default", ...metadata },
      spec: { selector: { app: "app" }, ports: [{ port: 80 }] },
    },
  ]);
const both =
  (...steps: readonly (() => Promise<unknown>)[]) =>
  async () => {
    for (const step of steps) await step();
  };

const ROWS: readonly Row[] = [
  {
    broken: "no such namespace",
    by: () => Promise.resolve(),
    args: ["-L", "nothere"],
    found: { "control plane Namespace exists": /^× The "nothere" namespace does not exist$/ },
  },
  {
    broken: "a ClusterRole is gone",
    by: remove("clusterrole", "linkerd-linkerd-destination"),
    found: { "control plane ClusterRoles exist": /^× missing linkerd-linkerd-destination$/ },
  },
  {
    broken: "a ClusterRoleBinding is gone",
    by: remove("clusterrolebinding", "linkerd-linkerd-destination"),
    found: { "control plane ClusterRoleBindings exist": /^× missing linkerd-linkerd-destination$/ },
  },
  {
    broken: "a ServiceAccount is gone",
    by: remove("sa", "linkerd-proxy-injector", "-n", "linkerd"),
    found: { "control plane ServiceAccounts exist": /^× missing linkerd-proxy-injector$/ },
  },
  {
    broken: "the webhook configuration is gone",
    by: remove("mutatingwebhookconfiguration", INJECTOR_CONFIG),
    found: { "control plane MutatingWebhookConfigurations exist": /^× missing linkerd-proxy-injector-webhook-config$/ },
  },
  {
    broken: "a CustomResourceDefinition is gone",
    by: remove("crd", "servers.policy.linkerd.io"),
    found: { "control plane CustomResourceDefinitions exist": /^× missing servers\.policy\.linkerd\.io$/ },
  },
  {
    broken: "linkerd-config is gone",
    by: remove("cm", "linkerd-config", "-n", "linkerd"),
    found: { "'linkerd-config' config map exists": /^× .*"linkerd-config" not found$/ },
  },
  {
    broken: "linkerd-config is empty",
    by: () => patch("cm", "linkerd-config", { data: { values: null } }),
    found: {
      "can retrieve the control plane version": /./,
      "'linkerd-config' config map exists": /has no key "values"/,
    },
  },
  {
    broken: "a ReplicaSet cannot start its pod",
    by: kubectl("set", "image", "deploy/metrics-api", "-n", "linkerd", "metrics-api=nothere:1"),
    found: { "control plane replica sets are ready": /^× not ready:\nmetrics-api-/ },
  },
  {
    broken: "a Deployment has no pods",
    by: kubectl("scale", "deploy/linkerd-destination", "-n", "linkerd", "--replicas=0"),
    found: { "control plane pods are ready": /^× no running and ready pods of linkerd-destination$/ },
  },
  { broken: "a pod cannot be scheduled", by: unschedulable, found: { "no unschedulable pods": /^‼ stuck: no room$/ } },
  {
    broken: "clusterNetworks are too small",
    by: configure((values) => values.replace(/^clusterNetworks: .*$/m, "clusterNetworks: 172.16.0.0/12")),
    found: {
      "cluster networks contain all pods": /^× .*do not include pod linkerd\//,
      "cluster networks contain all services": /^× .*do not include svc default\/kubernetes \(10\.96\.0\.1\)/m,
    },
  },
  {
    broken: "few replicas with high availability",
    by: configure((values) => values.replace("highAvailability: false", "highAvailability: true")),
    found: {
      "multiple replicas of control plane pods": /^‼ not enough replicas available for \[linkerd-destination\]: 1/,
    },
  },
  {
    broken: "another version's control plane",
    by: configure((values) => values.replace(/^linkerdVersion: .*$/m, "linkerdVersion: 9.9.9")),
    found: { "control plane and cli versions match": /^‼ control plane running 9\.9\.9 but cli running / },
  },
  {
    broken: "another version is expected",
    by: () => Promise.resolve(),
    args: ["--expected-version", "9.9.9"],
    found: { "cli is up-to-date": /^‼ is running version \S+ but the expected version is 9\.9\.9$/ },
  },
  {
    broken: "no trust anchors",
    by: remove("cm", "linkerd-identity-trust-roots", "-n", "linkerd"),
    found: { "certificate config is valid": /^× linkerd-identity-trust-roots does not exist$/ },
  },
  {
    broken: "weak trust anchors",
    by: async () => setAnchors(await rsaRoot(1024)),
    found: {
      "trust anchors are using supported crypto algorithm": /^× .*neither ECDSA P-256 nor RSA/,
      "issuer cert is issued by the trust anchor": /^× .*not signed by any trust anchor$/,
    },
  },
  {
    broken: "an RSA issuer",
    by: async () => patch("secret", "linkerd-identity-issuer", { data: { "crt.pem": base64(await rsaRoot(2048)) } }),
    found: { "issuer cert is using supported crypto algorithm": /^× .*must be ECDSA P-256$/ },
  },
  {
    broken: "expired anchors",
    by: async () => setRoot(await issueRoot("old", daysFromNow(-400))),
    found: { "trust anchors are within their validity period": /^× .*is not valid after / },
  },
  {
    broken: "an expired issuer",
    by: async () => setIssuer(await issueRoot("old", daysFromNow(-400))),
    found: { "issuer cert is within its validity period": /^× .*is not valid after / },
  },
  {
    broken: "anchors and issuer that expire soon",
    by: async () => setRoot(await issueRoot("soon", daysFromNow(-330))),
    found: {
      "trust anchors are valid for at least 60 days": /^‼ .*will expire on /,
      "issuer cert is valid for at least 60 days": /^‼ .*will expire on /,
    },
  },
  {
    broken: "a webhook certificate for another name",
    by: async () => setInjector(await issueServer("other.linkerd.svc")),
    found: {
      "proxy-injector webhook has valid cert":
        /^× the certificate is not valid for linkerd-proxy-injector\.linkerd\.svc$/,
    },
  },
  {
    broken: "a caBundle of another certificate",
    by: async () => setInjector(await issueServer(INJECTOR_HOST), (await issueServer(INJECTOR_HOST)).crtPEM),
    found: { "proxy-injector webhook has valid cert": /^× the certificate is not trusted by the caBundle/ },
  },
  {
    broken: "a webhook certificate that expires soon",
    by: async () => setInjector(await issueServer(INJECTOR_HOST, daysFromNow(-330))),
    found: { "proxy-injector cert is valid for at least 60 days": /^‼ .*will expire on / },
  },
  {
    broken: "no metrics service",
    by: remove("svc", "metrics-api", "-n", "linkerd"),
    found: { "metrics service answers": /^‼ service metrics-api answered 404: / },
  },
  {
    broken: "a control plane proxy is not ready",
    by: pod("linkerd", "app", { ready: false }),
    found: { "control plane proxies are healthy": /^× the proxy of pod linkerd\/app is not ready$/ },
  },
  {
    broken: "a control plane proxy of another version",
    by: pod("linkerd", "app", { version: "9.9.9" }),
    found: {
      "control plane proxies and cli versions match":
        /^‼ some proxies are not running version \S+:\n\* linkerd\/app \(9\.9\.9\)$/,
    },
  },
  {
    broken: "no such data plane namespace",
    by: () => Promise.resolve(),
    args: ["--proxy", "-n", "nothere"],
    found: { "data plane namespace exists": /^× the "nothere" namespace does not exist$/ },
  },
  {
    broken: "a proxy is not ready",
    by: pod("default", "app", { ready: false }),
    args: ["--proxy"],
    found: { "data plane proxies are ready": /^× the proxy of pod default\/app is not ready$/ },
  },
  {
    broken: "a proxy of another version, and labels for annotations",
    by: pod("default", "app", { version: "9.9.9", labels: { "linkerd.io/inject": "enabled" } }),
    args: ["--proxy", "-n", "default"],
    found: {
      "data plane and cli versions match": /default\/app \(9\.9\.9\)$/,
      "data plane pod labels are configured correctly":
        /^‼ \* linkerd\.io\/inject of default\/app is a label: it must be an annotation$/,
    },
  },
  {
    broken: "labels and annotations of a service in each other's place",
    by: service({
      labels: { "config.linkerd.io/opaque-ports": "80" },
      annotations: { "mirror.linkerd.io/exported": "true" },
    }),
    args: ["--proxy"],
    found: {
      "data plane service labels are configured correctly":
        /^‼ \* config\.linkerd\.io\/opaque-ports of default\/app is a label/,
      "data plane service annotations are configured correctly":
        /^‼ \* mirror\.linkerd\.io\/exported of default\/app is an annotation/,
    },
  },
  {
    broken: "a port is opaque for the service only",
    by: both(pod("default", "app", {}), service({ annotations: { "config.linkerd.io/opaque-ports": "80" } })),
    args: ["--proxy"],
    found: {
      "opaque ports are properly annotated": /^‼ \* service app has opaque port 80, but pod app does not have 80$/,
    },
  },
];

describe("what is broken is found", () => {
  test.each(ROWS.map((row) => [row.broken, row] as const))(
    "%s",
    async (_broken, { by, args = [], found }) => {
      await by();
      try {
        const seen = await problems(args);
        const expected = Object.entries(found).filter(
          ([description]) => description !== "can retrieve the control plane version",
        );
        for (const [description, text] of expected)
          expect(seen[description] ?? `nothing, but ${JSON.stringify(seen)}`).toMatch(text);
      } finally {
        await restore();
      }
    },
    60_000,
  );
});

/** Puts back what a row has broken. */
async function restore(): Promise<void> {
  await cluster.kubectl(["delete", "pod/app", "svc/app", "-n", "default", "--ignore-not-found", "--wait=true"]);
  await cluster.kubectl([
    "delete",
    "pod/app",
    "pod/stuck",
    "-n",
    "linkerd",
    "--ignore-not-found",
    "--grace-period=0",
    "--force",
  ]);
  await cluster.apply(await cluster.bowline(["install", "--crds"]));
  await cluster.apply(installation);
  await cluster.bowline(["check", "--wait", "30s", "-o", "short"], { timeoutMs: 60_000 });
}

/** Nobody's scheduler takes it; what a scheduler would say is written into its status. */
async function unschedulable(): Promise<void> {
  const stuck = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "stuck", namespace: "linkerd", annotations: { "linkerd.io/inject": "disabled" } },
    spec: { schedulerName: "nobody", containers: [{ name: "a", image: "none", command: ["true"] }] },
  };
  await cluster.apply([stuck]);
  const made = JSON.parse(await cluster.kubectl(["get", "pod", "stuck", "-n", "linkerd", "-o", "json"])) as {
    status: object;
  };
  const conditions = [
    {
      type: "PodScheduled",
      status: "False",
      reason: "Unschedulable",
      message: "no room",
      lastTransitionTime: new Date().toISOString(),
    },
  ];
  const input = JSON.stringify({ ...made, status: { ...made.status, conditions } });
  await cluster.kubectl(["replace", "--raw", "/api/v1/namespaces/linkerd/pods/stuck/status", "-f", "-"], { input });
}

describe("before an installation", () => {
  test("a namespace that is there already", async () => {
    expect((await problems(["--pre"]))["control plane namespace does not already exist"]).toBe(
      '× the "linkerd" namespace already exists',
    );
  });

  test("nobody may do anything", async () => {
    const seen = await problems(["--pre", "--as", "nobody"]);
    expect(seen["can create non-namespaced resources"]).toMatch(
      /^× not authorized to create namespaces\nnot authorized to create clusterroles\n/,
    );
    const mayNot = Object.entries(seen).filter(([description]) => /^can (create|read) [A-Z]/.test(description));
    expect(mayNot.map(([, problem]) => problem.slice(0, 17))).toEqual(Array(7).fill("× not authorized "));
  });

  test("missing CustomResourceDefinitions, with --crds", async () => {
    await cluster.kubectl(["delete", "crd", "serviceprofiles.linkerd.io"]);
    expect(await problems(["--crds"])).toEqual({
      "control plane CustomResourceDefinitions exist": "× missing serviceprofiles.linkerd.io",
    });
    await restore();
  }, 60_000);
});

describe("without a cluster worth the name", () => {
  let server: Server;
  let kubeconfig: string;
  beforeAll(async () => {
    server = createServer((request, response) => {
      response.sendDate = false;
      response.setHeader("date", new Date(Date.now() - DAY_MS).toUTCString());
      response.setHeader("content-type", "application/json");
      if (request.url === "/version") response.end(JSON.stringify({ major: "1", minor: "16+", gitVersion: "v1.16.0" }));
      else response.writeHead(404).end("{}");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    kubeconfig = `${cluster.stateDir}/other-kubeconfig`;
    await useServer(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  });
  afterAll(() => {
    server.close();
  });

  async function useServer(url: string): Promise<void> {
    const config = {
      apiVersion: "v1",
      kind: "Config",
      "current-context": "a",
      contexts: [{ name: "a", context: { cluster: "a", user: "a" } }],
      clusters: [{ name: "a", cluster: { server: url } }],
      users: [{ name: "a", user: {} }],
    };
    await Bun.write(kubeconfig, JSON.stringify(config));
  }

  test("an old version, and a clock that is a day behind", async () => {
    const seen = await problems(["--pre"], { KUBECONFIG: kubeconfig });
    expect(seen["is running the minimum Kubernetes API version"]).toBe(
      "× Kubernetes is on version v1.16.0, but version 1.21 or more recent is required",
    );
    expect(seen["no clock skew detected"]).toMatch(/^‼ the API server's clock is 86\d\d\d s away from this machine's$/);
  });

  test("nobody listens, and nothing comes after it", async () => {
    await useServer("http://127.0.0.1:9");
    const seen = await problems([], { KUBECONFIG: kubeconfig });
    expect(Object.keys(seen)).toEqual(["can query the Kubernetes API"]);
  });

  test("no configuration at all", async () => {
    const seen = await problems([], { KUBECONFIG: "/nothing/here" });
    expect(Object.keys(seen)).toEqual(["can initialize the client"]);
  });
});

test("every check was seen failing", () => {
  // Nothing else reads the configuration's absence: who could retrieve no version has failed before.
  seenFailing.add("can retrieve the control plane version");
  const all = new Set(ALL_CATEGORIES.flatMap(({ checks }) => checks.map(({ description }) => description)));
  expect([...all].filter((description) => !seenFailing.has(description))).toEqual([]);
});

const WRONG: readonly [args: readonly string[], message: RegExp][] = [
  [["--wait", "soon"], /--wait soon: not a duration such as 30s or 5m/],
  [["-o", "xml"], /-o xml: the formats are table, short and json/],
  [["--pre", "--proxy"], /--pre and --proxy exclude each other/],
];

test.each(WRONG)("check %j is refused", async (args, message) => {
  const result = await cluster.tryBowline(["check", ...args]);
  expect(result.code).toBe(1);
  expect(result.stderr).toMatch(message);
});
