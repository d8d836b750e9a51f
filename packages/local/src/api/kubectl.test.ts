import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RunningApi } from "./testing/running-api.ts";

/** Paths separated by ":", to try other versions than the machine's own. */
const KUBECTLS = (process.env["BOWLINE_TEST_KUBECTLS"] ?? Bun.which("kubectl") ?? "kubectl").split(":");

const WORKLOAD = `
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80}]
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
      containers:
      - name: c
        image: web
        ports: [{containerPort: 80}]
`;

let api: RunningApi;
let home: string;

beforeAll(async () => {
  api = await RunningApi.start();
  api.writeKubeconfig();
  home = mkdtempSync(join(tmpdir(), "bowline-kubectl-"));
});

afterAll(async () => {
  await api.stop();
  rmSync(home, { recursive: true, force: true });
  expect(api.warnings).toEqual([]);
});

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function run(kubectl: string, args: string, input = ""): Promise<Ran> {
  const child = Bun.spawn([kubectl, ...args.split(" ")], {
    // Its cache of discovery must be nobody else's.
    env: { KUBECONFIG: join(api.directory, "kubeconfig"), HOME: home, PATH: process.env["PATH"] ?? "" },
    stdin: new Response(input),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { code, out, err };
}

for (const [i, kubectl] of KUBECTLS.entries()) {
  describe(`${kubectl}`, () => {
    const namespace = `kubectl-${i}`;

    const works: [args: string, says: string | RegExp, input?: string][] = [
      [`create namespace ${namespace}`, "created"],
      ["get namespaces", /^NAME +STATUS +AGE\ndefault +Active /],
      ["api-resources", /deployments +deploy +apps\/v1 +true +Deployment/],
      ["apply -n NS -f -", "service/web created\ndeployment.apps/web created\n", WORKLOAD],
      ["apply -n NS -f -", "service/web unchanged\ndeployment.apps/web unchanged\n", WORKLOAD],
      ["get -n NS deployments", /^NAME +READY +UP-TO-DATE +AVAILABLE +AGE\nweb +0\/2 /],
      ["get -n NS service web -o jsonpath={.spec.clusterIP}", /^10\.96\.\d+\.\d+$/],
      ["get -A deployments -l app=web -o name", "deployment.apps/web"],
      ["scale -n NS deployment web --replicas=3", "deployment.apps/web scaled"],
      ["get -n NS deployment web -o jsonpath={.spec.replicas}", "3"],
      ['patch -n NS deployment web --type=json -p [{"op":"replace","path":"/spec/replicas","value":4}]', "patched"],
      ["annotate -n NS deployment web a=b", "annotated"],
      ["label -n NS deployment web c=d", "labeled"],
      ["rollout restart -n NS deployment web", "restarted"],
      ["describe -n NS deployment web", /Name: +web\n/],
      ["explain deployment.spec.replicas", "Number of desired pods"],
      ["create -n NS configmap cm --from-literal=a=b", "created"],
      ["create -n NS secret generic s --from-literal=a=b", "created"],
      ["get -n NS secret s -o jsonpath={.data.a}", "Yg=="],
      ["create -n NS serviceaccount sa", "created"],
      ["create -n NS role r --verb=get --resource=pods", "created"],
      ["create -n NS rolebinding rb --role=r --serviceaccount=NS:sa", "created"],
      ["auth can-i get pods -n NS --as system:serviceaccount:NS:sa", "yes"],
      ["auth can-i --list -n NS --as system:serviceaccount:NS:sa", /pods +\[\] +\[\] +\[get\]/],
      ["create -n NS job j --image=i", "created"],
      ["create -n NS deployment d --image=i --replicas=2", "created"],
      ["get -n NS deployment d -o jsonpath={.spec.replicas}", "2"],
      ["delete -n NS configmap cm", 'configmap "cm" deleted'],
      ["get events -n NS -o yaml", "items: []"],
    ];
    for (const [args, says, input] of works) {
      test(args, async () => {
        const { code, out, err } = await run(kubectl, args.replaceAll("NS", namespace), input);
        expect([code, err]).toEqual([0, ""]);
        if (typeof says === "string") expect(out).toContain(says);
        else expect(out).toMatch(says);
      });
    }

    const fails: [args: string, says: string, input?: string][] = [
      ["get pod absent", 'Error from server (NotFound): pods "absent" not found'],
      ["create namespace NS", 'Error from server (AlreadyExists): namespaces "NS" already exists'],
      ["apply -f -", "unknown field", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndatum: {}\n"],
      [
        "apply -f -",
        "spec.ports[0].port: Invalid value: 99999",
        "apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {ports: [{port: 99999}]}\n",
      ],
      [
        "get pods --as nobody",
        'Error from server (Forbidden): pods is forbidden: User "nobody" cannot list resource "pods"',
      ],
    ];
    for (const [args, says, input] of fails) {
      test(`${args} fails`, async () => {
        const { code, err } = await run(kubectl, args.replaceAll("NS", namespace), input);
        expect(err).toContain(says.replaceAll("NS", namespace));
        expect(code).toBe(1);
      });
    }
  });
}
