import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { kubectlMinor, TestCluster } from "./test-cluster.ts";

/** Says nothing and runs until it is ended. */
const IDLE = ["sleep", "1000"];

const APP = `
apiVersion: v1
kind: Service
metadata: {name: web, labels: {app: web}}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: 8080}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, labels: {app: web}}
data: {color: red}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - {name: main, image: "web:1", command: ${JSON.stringify(IDLE)}, env: [{name: A, value: "1"}]}
      - {name: side, image: side, command: ${JSON.stringify(IDLE)}}
`;

let cluster: TestCluster;
let dir: string;
let minor: number;

beforeAll(async () => {
  [cluster, minor] = await Promise.all([TestCluster.up(), kubectlMinor()]);
  dir = mkdtempSync(join(tmpdir(), "bowline-objects-"));
  writeFileSync(join(dir, "app.yaml"), APP);
  await cluster.apply(APP);
  await cluster.run("rollout status deploy/web --timeout=30s");
}, 120_000);

afterAll(async () => {
  rmSync(dir, { recursive: true, force: true });
  await (cluster as TestCluster | undefined)?.[Symbol.asyncDispose]();
}, 120_000);

/** What a command must say; a row with `fails` must end with anything but 0 and say it on standard error. */
interface Row {
  readonly args: string | readonly string[];
  readonly says: string | RegExp;
  readonly input?: string;
  readonly fails?: true;
  /** The first minor version of kubectl that has the command. */
  readonly since?: number;
}

async function check({ args, says, input = "", fails, since = 0 }: Row): Promise<void> {
  if (minor < since) return;
  const words = typeof args === "string" ? args.split(" ") : args;
  const { code, stdout, stderr } = await cluster.tryKubectl(words, { input });
  const heard = fails ? stderr : stdout;
  if (typeof says === "string") expect(heard).toContain(says);
  else expect(heard).toMatch(says);
  expect(code === 0).toBe(!fails);
}

function tests(name: string, rows: readonly Row[]): void {
  describe(name, () => {
    for (const row of rows) {
      const args = typeof row.args === "string" ? row.args : row.args.join(" ");
      test(args, () => check(row), 60_000);
    }
  });
}

tests("get", [
  { args: "get deployments", says: /^NAME +READY +UP-TO-DATE +AVAILABLE +AGE\nweb +2\/2 +2 +2 +\d+s\n$/ },
  {
    args: "get deploy web -o wide",
    says: /CONTAINERS +IMAGES +SELECTOR\nweb .* main,side +web:1,side +app=web\n$/,
  },
  { args: "get rs", says: /^NAME +DESIRED +CURRENT +READY +AGE\nweb-\w+ +2 +2 +2 / },
  { args: "get pods", says: /^NAME +READY +STATUS +RESTARTS +AGE\n(web-\w+-\w+ +2\/2 +Running +0 +\d+s\n){2}$/ },
  { args: "get po -o wide", says: /IP +NODE .*\nweb-\S+ .* 10\.244\.\d+\.\d+ +bowline / },
  {
    args: "get svc",
    says: /^NAME +TYPE +CLUSTER-IP +EXTERNAL-IP +PORT\(S\) +AGE\nkubernetes .* 443\/TCP .*\nweb +ClusterIP +10\.96\.\d+\.\d+ +<none> +80\/TCP/,
  },
  {
    args: "get endpointslices -l kubernetes.io/service-name=web",
    says: /web-\w+ +IPv4 +8080 +10\.244\.\d+\.\d+,10\.244/,
  },
  { args: "get nodes", says: /^NAME +STATUS +ROLES +AGE +VERSION\nbowline +Ready +control-plane +\d+s +v1\.\d+/ },
  {
    args: "get cm,sa,ns",
    says: /configmap\/settings +1 .*\n(.*\n)*serviceaccount\/default +0 (.*\n)*namespace\/default +Active/,
  },
  { args: "get all", says: /pod\/web-(.*\n)*service\/web (.*\n)*deployment\.apps\/web (.*\n)*replicaset\.apps\/web-/ },
  {
    args: "get pods -A --show-labels",
    says: /^NAMESPACE +NAME .*LABELS\ndefault +web-.* app=web,pod-template-hash=\w+\n/,
  },
  { args: "get pods -L app --no-headers", says: /^(web-\S+ .* web\n){2}$/ },
  { args: "get deploy/web svc/web -o name", says: "deployment.apps/web\nservice/web\n" },
  {
    args: "get deploy web -o yaml",
    says: /^apiVersion: apps\/v1\nkind: Deployment\n(.*\n)*spec:\n(.*\n)* {2}progressDeadlineSeconds: 600\n/,
  },
  { args: "get deploy web -o json", says: '"kind": "Deployment"' },
  { args: "get deploy web -o jsonpath={.spec.template.spec.containers[*].name}", says: "main side" },
  {
    args: [
      "get",
      "deploy",
      "web",
      "-o",
      'jsonpath={range .spec.template.spec.containers[?(@.name=="side")]}{.image}{end}',
    ],
    says: "side",
  },
  { args: "get deploy -o custom-columns=N:.metadata.name,R:.spec.replicas", says: /^N +R\nweb +2\n$/ },
  {
    args: ["get", "deploy,svc", "web", "-o", "go-template={{range .items}}{{.kind}} {{end}}"],
    says: "Deployment Service ",
  },
  { args: "get cm --sort-by=.metadata.name -o name", says: "configmap/kube-root-ca.crt\nconfigmap/settings\n" },
  { args: ["get", "pods", "-l", "app in (web,other),!absent", "-o", "name"], says: /^(pod\/web-\S+\n){2}$/ },
  { args: "get pods -l app!=web -o name", says: /^$/ },
  {
    args: "get pods --field-selector status.phase=Running,spec.nodeName=bowline -o name",
    says: /^(pod\/web-\S+\n){2}$/,
  },
  { args: "get pods --field-selector status.phase!=Running -o name", says: /^$/ },
  { args: "get cm --field-selector metadata.name=settings -o name", says: /^configmap\/settings\n$/ },
  { args: "get cm --chunk-size=1 -o name", says: "configmap/kube-root-ca.crt\nconfigmap/settings\n" },
  { args: "get --raw /apis/apps/v1/namespaces/default/deployments/web/scale", says: '"kind":"Scale"' },
  { args: "get --raw /readyz", says: "ok" },
  {
    args: ["get", "pods", "--field-selector", "spec.colour=red"],
    says: "field label not supported: spec.colour",
    fails: true,
  },
  { args: "get pod absent", says: 'Error from server (NotFound): pods "absent" not found', fails: true },
  { args: "get colours", says: `the server doesn't have a resource type "colours"`, fails: true },
]);

tests("describe", [
  {
    args: "describe deploy web",
    says: /Replicas: +2 desired \| 2 updated \| 2 total \| 2 available \| 0 unavailable\n(.*\n)*.*ScalingReplicaSet .* Scaled up replica set web-/,
  },
  { args: "describe rs -l app=web", says: /Controlled By: +Deployment\/web\n(.*\n)*.*SuccessfulCreate/ },
  {
    args: "describe pods -l app=web",
    says: /State: +Running\n(.*\n)* {2}Type +Status *\n(.*\n)* {2}Ready +True *\n(.*\n)* {2}Normal +Scheduled .*\n {2}Normal +Pulled .*\n {2}Normal +Created .*\n {2}Normal +Started /,
  },
  { args: "describe svc web", says: /TargetPort: +8080\/TCP\n(.*\n)*Endpoints: +10\.244\.\d+\.\d+:8080,10\.244/ },
  { args: "describe endpointslices -l app=web", says: /TargetRef: +Pod\/web-/, since: 21 },
  { args: "describe ep web", says: /Addresses: +10\.244\.\d+\.\d+,10\.244/ },
  { args: "describe cm settings", says: /color:\n----\nred\n/ },
  { args: "describe sa default", says: /Name: +default\n/ },
  { args: "describe ns default", says: /Status: +Active\n/ },
  { args: "describe node bowline", says: /Ready +True (.*\n)*Non-terminated Pods: +\(2 in total\)/ },
]);

tests("the API itself", [
  { args: "api-versions", says: /admissionregistration\.k8s\.io\/v1\n(.*\n)*apps\/v1\n(.*\n)*v1\n$/ },
  { args: "api-resources", says: /pods +po +v1 +true +Pod\n(.*\n)*deployments +deploy +apps\/v1 +true +Deployment\n/ },
  { args: "api-resources --namespaced=false -o name", says: /^(?!(.*\n)*pods\n)(.*\n)*nodes\n/ },
  {
    args: "explain deployment.spec.strategy.rollingUpdate.maxSurge",
    says: "The maximum number of pods that can be scheduled above the desired number",
  },
  { args: "explain pods --recursive", says: /livenessProbe\s+<\w+>/ },
  { args: "version", says: /Server Version: / },
  { args: "cluster-info", says: "https://127.0.0.1:" },
  { args: "config view --minify", says: /server: https:\/\/127\.0\.0\.1:\d+\n/ },
  { args: "auth can-i create pods", says: "yes" },
  { args: "auth can-i list secrets --as=system:serviceaccount:default:default", says: /^/, fails: true },
  {
    args: "get pods --as=somebody",
    says: 'Forbidden): pods is forbidden: User "somebody" cannot list resource "pods"',
    fails: true,
  },
  { args: "auth whoami", says: /Username +bowline-admin/, since: 28 },
  { args: "top pods", says: "Metrics API not available", fails: true },
]);

tests("create", [
  { args: "create namespace other", says: "namespace/other created" },
  { args: "create namespace other", says: 'namespaces "other" already exists', fails: true },
  { args: "create cm plain --from-literal=a=1 --from-literal=b=2", says: "configmap/plain created" },
  { args: "create cm plain -n absent --from-literal=a=1", says: 'namespaces "absent" not found', fails: true },
  { args: "create secret generic word --from-literal=word=hush", says: "secret/word created" },
  { args: "get secret word -o jsonpath={.data.word}", says: "aHVzaA==" },
  { args: "describe secret word", says: /Type: +Opaque\n(.*\n)*word: +4 bytes/ },
  { args: "create sa robot", says: "serviceaccount/robot created" },
  { args: "create token robot", says: /^ey[\w-]+\.ey[\w-]+\.[\w-]+/, since: 24 },
  { args: "create role reader --verb=get,list --resource=pods", says: "role.rbac.authorization.k8s.io/reader created" },
  { args: "create rolebinding robots --role=reader --serviceaccount=default:robot", says: "created" },
  { args: "get pods -o name --as=system:serviceaccount:default:robot", says: "pod/web-" },
  { args: "delete pods --all --as=system:serviceaccount:default:robot", says: "cannot delete resource", fails: true },
  { args: "describe rolebinding robots", says: /ServiceAccount +robot +default/ },
  { args: "create quota small --hard=pods=100", says: "resourcequota/small created" },
  {
    args: "create pdb web --selector=app=web --min-available=1",
    says: "poddisruptionbudget.policy/web created",
    since: 21,
  },
  { args: "create priorityclass high --value=10", says: "priorityclass.scheduling.k8s.io/high created" },
  {
    args: ["create", "deployment", "made", "--image=made", "--replicas=0", "--port=80"],
    says: "deployment.apps/made created",
    since: 19,
  },
  {
    args: "create job once --image=once --dry-run=client -o yaml -- echo hello",
    says: /kind: Job\n(.*\n)* +- echo\n +- hello\n/,
  },
  { args: "create svc clusterip named --tcp=80:http", says: "service/named created" },
  { args: "expose deploy web --name=exposed --port=81 --target-port=8080", says: "service/exposed exposed" },
  { args: "get svc exposed -o jsonpath={.spec.selector.app}:{.spec.ports[0].targetPort}", says: "web:8080" },
  {
    args: "create -f -",
    says: "configmap/made-",
    input: '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"generateName":"made-"}}',
  },
  { args: "create cm dry --dry-run=server", says: "configmap/dry created (server dry run)" },
  { args: "get cm dry", says: '"dry" not found', fails: true },
]);

tests("change", [
  { args: "label deploy web tier=front", says: "deployment.apps/web labeled" },
  { args: "label deploy web tier=back", says: "already has a value (front)", fails: true },
  { args: "label deploy web tier=back --overwrite", says: "labeled" },
  { args: "get deploy -l tier=back -o name", says: "deployment.apps/web\n" },
  { args: "label deploy web tier-", says: "web " },
  { args: ["annotate", "deploy", "web", "note=with blanks"], says: "deployment.apps/web annotated" },
  { args: "get deploy web -o jsonpath={.metadata.annotations.note}", says: "with blanks" },
  { args: "annotate pods -l app=web checked=yes", says: /^(pod\/web-\S+ annotated\n){2}$/ },
  { args: ["patch", "cm", "settings", "-p", '{"data":{"size":"big"}}'], says: "configmap/settings patched" },
  { args: ["patch", "cm", "settings", "--type=merge", "-p", '{"data":{"color":null}}'], says: "patched" },
  { args: "get cm settings -o jsonpath={.data}", says: /^\{"size":"big"\}$/ },
  {
    args: [
      "patch",
      "cm",
      "settings",
      "--type=json",
      "-p",
      '[{"op":"test","path":"/data/size","value":"big"},{"op":"replace","path":"/data/size","value":"small"}]',
    ],
    says: "patched",
  },
  {
    args: ["patch", "cm", "settings", "--type=json", "-p", '[{"op":"remove","path":"/data/none"}]'],
    says: "The request is invalid",
    fails: true,
  },
  {
    args: [
      "patch",
      "deploy",
      "web",
      "-p",
      '{"spec":{"template":{"spec":{"containers":[{"name":"main","env":[{"name":"B","value":"2"}]}]}}}}',
    ],
    says: "patched",
  },
  {
    args: "get deploy web -o jsonpath={.spec.template.spec.containers[*].name}:{.spec.template.spec.containers[0].env[*].name}",
    says: /^main side:(A B|B A)$/,
  },
  {
    args: ["patch", "deploy", "web", "--subresource=status", "--type=merge", "-p", '{"status":{"collisionCount":3}}'],
    says: "patched",
    since: 24,
  },
  { args: "set image deploy/web main=web:2", says: "deployment.apps/web image updated" },
  { args: "set env deploy/web -c main COLOR=blue", says: "deployment.apps/web env updated" },
  { args: "set env deploy/web --list -c main", says: /COLOR=blue/ },
  { args: "set resources deploy/web -c main --limits=cpu=1,memory=64Mi", says: "resource requirements updated" },
  { args: "set serviceaccount deploy/web robot", says: "serviceaccount updated" },
  { args: "set selector svc/named app=web", says: "selector updated" },
  { args: "scale deploy web --replicas=3 --current-replicas=2", says: "deployment.apps/web scaled" },
  { args: "scale deploy web --replicas=9 --current-replicas=2", says: "Expected replicas to be 2, was 3", fails: true },
  { args: "rollout status deploy/web --timeout=30s", says: "successfully rolled out" },
  { args: "wait deploy/web --for=condition=Available --timeout=30s", says: "condition met" },
  {
    args: ["wait", "deploy/web", "--for=jsonpath={.status.readyReplicas}=3", "--timeout=30s"],
    says: "condition met",
    since: 23,
  },
  {
    args: "wait deploy/web --for=condition=Unheard --timeout=100ms",
    says: "timed out waiting for the condition",
    fails: true,
  },
]);

tests("rollout", [
  { args: "apply -f -", says: "deployment.apps/web configured", input: APP },
  { args: "rollout status deploy/web --timeout=30s", says: "successfully rolled out" },
  { args: "rollout history deploy/web", says: /REVISION +CHANGE-CAUSE\n(\d+ +<none>\n){2,}/ },
  { args: "rollout restart deploy/web", says: "deployment.apps/web restarted" },
  { args: "rollout status deploy/web --timeout=30s", says: "successfully rolled out" },
  { args: "rollout pause deploy/web", says: "deployment.apps/web paused" },
  { args: "rollout pause deploy/web", says: "is already paused", fails: true },
  { args: "set image deploy/web main=web:3", says: "updated" },
  { args: "rollout restart deploy/web", says: "can't restart paused deployment", fails: true },
  { args: "rollout resume deploy/web", says: "deployment.apps/web resumed" },
  { args: "rollout status deploy/web --timeout=30s", says: "successfully rolled out" },
  { args: "get pods -l app=web -o jsonpath={.items[*].spec.containers[0].image}", says: "web:3" },
  { args: "rollout undo deploy/web", says: "deployment.apps/web rolled back" },
  { args: "rollout status deploy/web --timeout=30s", says: "successfully rolled out" },
  { args: "get deploy web -o jsonpath={.spec.template.spec.containers[0].image}", says: /^web:1$/ },
  { args: "rollout undo deploy/web --to-revision=1000", says: "unable to find", fails: true },
]);

tests("apply, diff and replace", [
  {
    args: "apply -f -",
    says: /service\/web unchanged\nconfigmap\/settings configured\n/,
    input: APP.replace("red", "green"),
  },
  { args: "apply -f - --dry-run=server", says: "configmap/settings configured (server dry run)", input: APP },
  { args: "get cm settings -o jsonpath={.data.color}", says: "green" },
  // Ends with 1 when there are differences, which it prints.
  { args: "apply view-last-applied cm settings", says: /color: green/ },
  { args: "apply --server-side -f -", says: "configmap/shared serverside-applied", input: configMap({ a: "1" }) },
  {
    args: "apply --server-side --field-manager=other -f -",
    says: 'conflict with "kubectl"',
    input: configMap({ a: "2" }),
    fails: true,
  },
  { args: "apply --server-side --field-manager=other -f -", says: "serverside-applied", input: configMap({ b: "2" }) },
  {
    args: "apply --server-side --field-manager=other --force-conflicts -f -",
    says: "serverside-applied",
    input: configMap({ a: "3" }),
  },
  { args: "get cm shared -o jsonpath={.data}", says: /^\{"a":"3"\}$/ },
  { args: "replace -f -", says: "configmap/shared replaced", input: configMap({ c: "4" }) },
  { args: "get cm shared -o jsonpath={.data}", says: /^\{"c":"4"\}$/ },
  { args: "replace --force -f -", says: "configmap/shared replaced", input: configMap({ d: "5" }) },
  { args: "replace -f -", says: '"absent" not found', input: configMap({}, "absent"), fails: true },
  { args: "apply --prune -l set=pruned -f -", says: "configmap/one created", input: labelled("one", "two"), since: 21 },
  { args: "apply --prune -l set=pruned -f -", says: "configmap/two pruned", input: labelled("one"), since: 21 },
]);

test("diff shows what apply would change", async () => {
  const { code, stdout } = await cluster.tryKubectl(["diff", "-f", "-"], { input: APP.replace("red", "yellow") });
  expect(code).toBe(1);
  expect(stdout).toMatch(/^- {2}color: \w+\n\+ {2}color: yellow$/m);
}, 60_000);

test("edit", async () => {
  const editor = join(dir, "editor");
  const edit = (script: string, ...args: string[]) => {
    writeFileSync(editor, `#!/bin/sh\nexec sed -i '${script}' "$1"\n`);
    chmodSync(editor, 0o755);
    return cluster.tryKubectl(["edit", ...args], { env: { KUBE_EDITOR: editor } });
  };
  expect((await edit("s/color: .*/color: edited/", "cm", "settings")).stdout).toContain("configmap/settings edited");
  expect(await cluster.run("get cm settings -o jsonpath={.data.color}")).toBe("edited");
  const wrong = await edit("s/  replicas: .*/  replicas: two/", "deploy", "web");
  expect(wrong.code).not.toBe(0);
  expect(wrong.stderr).toContain('deployments.apps "web"');
}, 60_000);

test("a kustomization is applied and deleted", async () => {
  const kustomization = {
    resources: ["app.yaml"],
    namePrefix: "k-",
    namespace: "other",
    configMapGenerator: [{ name: "generated", literals: ["a=b"] }],
  };
  const folder = join(dir, "kustom");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "app.yaml"), APP);
  writeFileSync(join(folder, "kustomization.yaml"), JSON.stringify(kustomization));
  expect(await cluster.run(`apply -k ${folder}`)).toMatch(/configmap\/k-generated-\w+ created/);
  await cluster.run("rollout status deploy/k-web -n other --timeout=30s");
  await cluster.run(`delete -k ${folder}`);
  expect(await cluster.run("get deploy,svc -n other -o name")).toBe("");
}, 60_000);

test("watches print changes as they come", async () => {
  await using watch = cluster.spawnKubectl(["get", "cm", "-w", "-l", "watched=yes", "-o", "name"]);
  await using table = cluster.spawnKubectl(["get", "deploy", "web", "--watch-only"]);
  // A table's watch is quiet until something changes: so something changes until it has begun.
  await cluster.apply(JSON.parse(`[${configMap({}, "watched")}]`));
  await cluster.run("label cm watched watched=yes");
  await watch.waitForOutput("configmap/watched");
  for (let replicas = 3; !/^web +\d\/\d/m.test(table.stdout()); replicas = 5 - replicas) {
    await cluster.run(`scale deploy web --replicas=${replicas}`);
  }
  await cluster.run("label cm watched watched-");
  await cluster.run("delete cm watched");
  expect(table.stdout()).toMatch(/^NAME +READY +UP-TO-DATE +AVAILABLE +AGE\n/);
}, 60_000);

tests("events", [
  {
    args: "get events --field-selector involvedObject.kind=Deployment",
    says: /LAST SEEN +TYPE +REASON +OBJECT +MESSAGE\n.* Normal +ScalingReplicaSet +deployment\/web +Scaled up replica set web-/,
  },
  { args: "get events --sort-by=.lastTimestamp -A", says: /Created pod: web-/ },
  { args: "events --for deploy/web", says: "ScalingReplicaSet", since: 26 },
  { args: "get events.events.k8s.io", says: "ScalingReplicaSet" },
]);

tests("delete", [
  { args: "delete cm absent", says: '"absent" not found', fails: true },
  { args: "delete cm absent --ignore-not-found", says: /^$/ },
  { args: "delete cm plain shared", says: 'configmap "plain" deleted\nconfigmap "shared" deleted' },
  { args: "delete cm -l none=such", says: "No resources found" },
  { args: "delete deploy web --cascade=orphan", says: 'deployment.apps "web" deleted', since: 20 },
  { args: "delete deploy web --ignore-not-found", says: /^/ },
  { args: "delete rs -l app=web", says: "deleted" },
  { args: "wait pods -l app=web --for=delete --timeout=30s", says: /^/, since: 21 },
  { args: "delete deploy,svc -l app=web", says: 'service "web" deleted' },
  { args: ["run", "box", "--image=box", "--restart=Never", "--command", "--", ...IDLE], says: "pod/box created" },
  { args: "wait pod/box --for=condition=Ready --timeout=30s", says: "met" },
  { args: "delete pod box --force --grace-period=0", says: 'pod "box" force deleted' },
  { args: "get pod box", says: "not found", fails: true },
  { args: "create cm inside -n other", says: "created" },
  { args: "delete namespace other", says: 'namespace "other" deleted' },
  { args: "get namespace other", says: "not found", fails: true },
  { args: "get cm inside -n other", says: "not found", fails: true },
  { args: "delete namespace default", says: "forbidden", fails: true },
]);

function configMap(data: Readonly<Record<string, string>>, name = "shared"): string {
  return JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data });
}

function labelled(...names: string[]): string {
  return names
    .map((name) =>
      JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name, labels: { set: "pruned" } } }),
    )
    .join("\n");
}
