import { afterAll, beforeAll, expect, test } from "bun:test";
import { waitFor } from "@bowline/testkit";
import { httpProgram } from "./http-program.ts";
import { TestCluster } from "./test-cluster.ts";

const IDLE = ["sleep", "1000"];

let cluster: TestCluster;

beforeAll(async () => {
  cluster = await TestCluster.up();
  await cluster.apply([
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "settings" },
      data: { color: "red", "app.conf": "a=1\n" },
      binaryData: { raw: "AAE=" },
    },
    { apiVersion: "v1", kind: "Secret", metadata: { name: "hidden" }, stringData: { word: "hush" } },
    { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "robot" } },
  ]);
}, 120_000);

afterAll(async () => {
  await (cluster as TestCluster | undefined)?.[Symbol.asyncDispose]();
}, 120_000);

test.concurrent("environment from everything there is", async () => {
  const fields = {
    POD: "metadata.name",
    NS: "metadata.namespace",
    IP: "status.podIP",
    HOST: "status.hostIP",
    NODE: "spec.nodeName",
    SA: "spec.serviceAccountName",
    LABEL: "metadata.labels['tier']",
    NOTE: "metadata.annotations['note']",
  };
  const env = [
    { name: "PLAIN", value: "1" },
    { name: "MADE", value: "$(PLAIN)-$(COLOR)-$$(PLAIN)-$(NONE)" },
    { name: "COLOR", valueFrom: { configMapKeyRef: { name: "settings", key: "color" } } },
    { name: "WORD", valueFrom: { secretKeyRef: { name: "hidden", key: "word" } } },
    { name: "MAYBE", valueFrom: { configMapKeyRef: { name: "absent", key: "x", optional: true } } },
    { name: "CPU", valueFrom: { resourceFieldRef: { resource: "limits.cpu" } } },
    { name: "MEMORY", valueFrom: { resourceFieldRef: { resource: "requests.memory", divisor: "1Mi" } } },
    ...Object.entries(fields).map(([name, fieldPath]) => ({ name, valueFrom: { fieldRef: { fieldPath } } })),
  ];
  const container = {
    env: [...env.slice(0, 1), ...env.slice(2), ...env.slice(1, 2)],
    envFrom: [
      { prefix: "CM_", configMapRef: { name: "settings" } },
      { secretRef: { name: "hidden" } },
      { configMapRef: { name: "absent", optional: true } },
    ],
    resources: { limits: { cpu: "2" }, requests: { memory: "64Mi" } },
    args: ["$(COLOR)"],
    command: ["sh", "-c", 'echo "ARG=$0"; env'],
  };
  const said = await output(
    "environment",
    container,
    { serviceAccountName: "robot" },
    { labels: { tier: "front" }, annotations: { note: "a b" } },
  );
  const { POD, NS, IP, HOST, NODE, SA, LABEL, NOTE, ...rest } = Object.fromEntries(
    said
      .trim()
      .split("\n")
      .map((line) => line.split(/=(.*)/s)),
  );
  expect({ POD, NS, HOST, NODE, SA, LABEL, NOTE }).toEqual({
    POD: "environment",
    NS: "default",
    HOST: "10.244.0.1",
    NODE: "bowline",
    SA: "robot",
    LABEL: "front",
    NOTE: "a b",
  });
  expect(IP).toMatch(/^10\.244\./);
  expect(rest).toMatchObject({
    PLAIN: "1",
    MADE: "1-red-$(PLAIN)-$(NONE)",
    COLOR: "red",
    WORD: "hush",
    CPU: "2",
    MEMORY: "64",
    CM_color: "red",
    word: "hush",
    ARG: "red",
    HOSTNAME: "environment",
    KUBERNETES_SERVICE_HOST: "10.96.0.1",
    KUBERNETES_SERVICE_PORT: "443",
  });
  expect(rest["MAYBE"]).toBeUndefined();
}, 60_000);

test.concurrent("a missing key is told of, and the container starts when it is there", async () => {
  await cluster.apply([
    pod("waits", { command: IDLE, env: [{ name: "A", valueFrom: { configMapKeyRef: { name: "later", key: "a" } } }] }),
  ]);
  await waitFor(async () => (await cluster.run("get pod waits")).includes("CreateContainerConfigError"), {
    what: "CreateContainerConfigError",
    timeoutMs: 20_000,
  });
  expect(await cluster.run("describe pod waits")).toContain('configmap "later" not found');
  await cluster.run("create cm later --from-literal=a=1");
  await cluster.run("wait pod/waits --for=condition=Ready --timeout=30s");
  await cluster.run("delete pod waits");
}, 60_000);

test.concurrent("volumes of every kind", async () => {
  const volumes = [
    { name: "empty", emptyDir: {} },
    { name: "memory", emptyDir: { medium: "Memory", sizeLimit: "1Mi" } },
    { name: "settings", configMap: { name: "settings", items: [{ key: "app.conf", path: "conf/app" }] } },
    { name: "hidden", secret: { secretName: "hidden", defaultMode: 0o400 } },
    { name: "about", downwardAPI: { items: [{ path: "labels", fieldRef: { fieldPath: "metadata.labels" } }] } },
    {
      name: "all",
      projected: {
        sources: [
          { configMap: { name: "settings", items: [{ key: "color", path: "color" }] } },
          { secret: { name: "hidden" } },
          { serviceAccountToken: { path: "token", audience: "somebody", expirationSeconds: 600 } },
        ],
      },
    },
    { name: "machine", hostPath: { path: "/etc", type: "Directory" } },
  ];
  const volumeMounts = [
    ...volumes.map(({ name }) => ({ name, mountPath: `/v/${name}`, readOnly: name === "machine" })),
    { name: "settings", mountPath: "/v/file", subPath: "conf/app" },
  ];
  const script = `cd /v; echo x >empty/x; cat conf 2>/dev/null settings/conf/app file all/color; cat hidden/word all/word; echo; stat -Lc %a hidden/word
    cat about/labels; echo; df --output=fstype memory | tail -1; touch machine/x 2>/dev/null || echo readonly; touch all/x 2>/dev/null || echo readonly; cut -d. -f2 all/token`;
  const said = await output(
    "volumes",
    { command: ["sh", "-c", script], volumeMounts },
    { volumes },
    { labels: { a: "b" } },
  );
  const token = said.trim().split("\n").at(-1) ?? "";
  expect(said).toBe(`a=1\na=1\nredhushhush\n400\na="b"\ntmpfs\nreadonly\nreadonly\n${token}\n`);
  const claims = JSON.parse(Buffer.from(token, "base64url").toString()) as Record<string, unknown>;
  expect(claims).toMatchObject({ aud: ["somebody"], sub: "system:serviceaccount:default:default" });
}, 60_000);

test.concurrent("a changed ConfigMap appears in the volume of a running pod", async () => {
  await cluster.run("create cm changing --from-literal=a=before");
  await cluster.apply([
    pod(
      "reads",
      { command: IDLE, volumeMounts: [{ name: "v", mountPath: "/v" }] },
      { volumes: [{ name: "v", configMap: { name: "changing" } }] },
    ),
  ]);
  await cluster.run("wait pod/reads --for=condition=Ready --timeout=30s");
  const read = () => cluster.run("exec reads -- cat /v/a");
  expect(await read()).toBe("before");
  await cluster.kubectl(["patch", "cm", "changing", "-p", '{"data":{"a":"after"}}']);
  await waitFor(async () => (await read()) === "after", { what: "the new value", timeoutMs: 20_000 });
  await cluster.run("delete pod reads");
}, 60_000);

test.concurrent("a pod's token is known to the API server as the pod's", async () => {
  const dir = "/var/run/secrets/kubernetes.io/serviceaccount";
  const script = `cat ${dir}/token; echo; cat ${dir}/namespace; echo; curl -s --cacert ${dir}/ca.crt -H "Authorization: Bearer $(cat ${dir}/token)" https://kubernetes.default.svc/api/v1/namespaces/default/pods`;
  const [token = "", namespace, ...answer] = (
    await output("robot", { command: ["sh", "-c", script] }, { serviceAccountName: "robot" })
  ).split("\n");
  expect(namespace).toBe("default");
  expect(answer.join("\n")).toContain('User \\"system:serviceaccount:default:robot\\" cannot list resource \\"pods\\"');
  const review = { apiVersion: "authentication.k8s.io/v1", kind: "TokenReview", spec: { token } };
  const reviewed = await cluster.kubectl(["create", "-o", "json", "-f", "-"], { input: JSON.stringify(review) });
  expect((JSON.parse(reviewed) as { status: object }).status).toMatchObject({
    authenticated: true,
    user: {
      username: "system:serviceaccount:default:robot",
      groups: expect.arrayContaining(["system:serviceaccounts"]),
      extra: { "authentication.kubernetes.io/pod-name": ["robot"] },
    },
  });
  const wrong = await cluster.kubectl(["create", "-o", "json", "-f", "-"], {
    input: JSON.stringify({ ...review, spec: { token: `${token.slice(0, -8)}AAAAAAAA` } }),
  });
  expect((JSON.parse(wrong) as { status: { authenticated?: boolean } }).status.authenticated ?? false).toBe(false);
}, 60_000);

test.concurrent("users, capabilities and read-only roots are as asked for", async () => {
  const status =
    "id -u; id -g; id -G; grep -E '^(CapEff|CapBnd|NoNewPrivs)' /proc/self/status; touch /x 2>/dev/null || echo readonly; touch /v/x && stat -c %g /v/x";
  const said = await output(
    "user",
    {
      command: ["sh", "-c", status],
      volumeMounts: [{ name: "v", mountPath: "/v" }],
      securityContext: {
        runAsUser: 1234,
        readOnlyRootFilesystem: true,
        allowPrivilegeEscalation: false,
        capabilities: { drop: ["ALL"], add: ["NET_BIND_SERVICE"] },
      },
    },
    { securityContext: { runAsGroup: 2345, fsGroup: 3456 }, volumes: [{ name: "v", emptyDir: {} }] },
  );
  const bit = (1n << 10n).toString(16).padStart(16, "0");
  expect(said.replaceAll("\t", " ").split("\n").slice(0, 8)).toEqual([
    "1234",
    "2345",
    "2345 3456",
    expect.stringMatching(/^CapEff: /),
    `CapBnd: ${bit}`,
    "NoNewPrivs: 1",
    "readonly",
    "3456",
  ]);
  await cluster.apply([pod("root", { command: IDLE }, { securityContext: { runAsNonRoot: true } })]);
  await waitFor(
    async () =>
      (await cluster.run("describe pod root")).includes("container has runAsNonRoot and image will run as root"),
    { what: "root is refused", timeoutMs: 20_000 },
  );
  await cluster.run("delete pod root");
}, 60_000);

test.concurrent("probes of all kinds: startup holds off liveness, liveness restarts, readiness takes from service", async () => {
  const http = { httpGet: { path: "/", port: "http", httpHeaders: [{ name: "X", value: "y" }] }, periodSeconds: 1 };
  await cluster.apply([
    pod("probed", {
      command: httpProgram(8080),
      ports: [{ name: "http", containerPort: 8080 }],
      startupProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 },
      readinessProbe: {
        exec: { command: ["test", "!", "-e", "/tmp/not-ready"] },
        periodSeconds: 1,
        failureThreshold: 1,
      },
      livenessProbe: http,
    }),
    pod("unhealthy", {
      command: IDLE,
      startupProbe: { exec: { command: ["true"] }, periodSeconds: 1 },
      livenessProbe: { tcpSocket: { port: 1 }, periodSeconds: 1, failureThreshold: 1 },
    }),
  ]);
  await cluster.run("wait pod/probed --for=condition=Ready --timeout=30s");
  await cluster.run("exec probed -- touch /tmp/not-ready");
  await cluster.run("wait pod/probed --for=condition=Ready=false --timeout=30s");
  expect(await cluster.run("get pod probed")).toMatch(/probed +0\/1 +Running +0 /);
  expect(await cluster.run("describe pod probed")).toMatch(/Warning +Unhealthy .*Readiness probe failed/);
  await cluster.run("exec probed -- rm /tmp/not-ready");
  await cluster.run("wait pod/probed --for=condition=Ready --timeout=30s");
  await waitFor(async () => /unhealthy +\d\/1 +\w+ +[1-9]/.test(await cluster.run("get pod unhealthy")), {
    what: "a restart",
    timeoutMs: 20_000,
  });
  const told = await cluster.run("describe pod unhealthy");
  expect(told).toMatch(/Warning +Unhealthy .*Liveness probe failed: dial tcp/);
  expect(told).toMatch(/Normal +Killing .*failed liveness probe, will be restarted/);
  await cluster.run("delete pod probed unhealthy");
}, 60_000);

test.concurrent("exit reasons are kept", async () => {
  const ends = (name: string, script: string, more: object = {}) =>
    pod(name, { command: ["sh", "-c", script], ...more }, { restartPolicy: "Never" });
  await cluster.apply([
    ends("completed", "exit 0"),
    ends("message", "echo why >/dev/termination-log; exit 2"),
    ends("lastwords", "echo the last words; exit 2", { terminationMessagePolicy: "FallbackToLogsOnError" }),
  ]);
  const state = (name: string) =>
    waitFor(() => cluster.run(`get pod ${name} -o jsonpath={.status.containerStatuses[0].state.terminated}`), {
      what: `${name} has ended`,
      timeoutMs: 20_000,
    });
  expect(JSON.parse(await state("completed"))).toMatchObject({ exitCode: 0, reason: "Completed" });
  expect(JSON.parse(await state("message"))).toMatchObject({ exitCode: 2, reason: "Error", message: "why\n" });
  expect(JSON.parse(await state("lastwords"))).toMatchObject({ exitCode: 2, message: "the last words\n" });
  await cluster.run("delete pod completed message lastwords");
}, 60_000);

/** What a container says until it ends, well or not. */
async function output(name: string, container: object, spec: object = {}, metadata: object = {}): Promise<string> {
  await cluster.apply([pod(name, container, { restartPolicy: "Never", ...spec }, metadata)]);
  await waitFor(async () => /Succeeded|Failed/.test(await cluster.run(`get pod ${name} -o jsonpath={.status.phase}`)), {
    what: `${name} has ended`,
    timeoutMs: 30_000,
    intervalMs: 50,
  });
  return await cluster.run(`logs ${name}`);
}

function pod(name: string, container: object, spec: object = {}, metadata: object = {}): object {
  const containers = [{ name: "main", image: name, ...container }];
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, ...metadata },
    spec: { terminationGracePeriodSeconds: 0, ...spec, containers },
  };
}
