import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Pod, ServiceAccount } from "@bowline/kube";
import { type Answer, RunningApi } from "../testing/running-api.ts";

let api: RunningApi;

beforeAll(async () => {
  api = await RunningApi.start();
});

afterAll(async () => {
  await api.stop();
});

const MOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

function post(name: string, spec: object): Promise<Answer> {
  const container = { name: "c", image: "i" };
  return api.ask("POST", "/api/v1/namespaces/default/pods", {
    body: { apiVersion: "v1", kind: "Pod", metadata: { name }, spec: { containers: [container], ...spec } },
  });
}

function account(name: string, more: Partial<ServiceAccount> = {}): Promise<ServiceAccount> {
  const metadata = { name, namespace: "default" };
  return api.server.api.create<ServiceAccount>("serviceaccounts", {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata,
    ...more,
  });
}

function mountsOf({ body }: Answer): string[][] {
  const { containers = [], initContainers = [] } = (body as unknown as Pod).spec ?? {};
  return [...initContainers, ...containers].map(({ volumeMounts = [] }) =>
    volumeMounts.map(({ mountPath }) => mountPath),
  );
}

describe("a new pod", () => {
  test("waits for the default account of a new namespace", async () => {
    const spec = { containers: [{ name: "c", image: "i" }] };
    const metadata = { name: "waiting", namespace: "default" };
    const waiting = api.server.api.create<Pod>("pods", { apiVersion: "v1", kind: "Pod", metadata, spec });
    expect(api.server.api.get("serviceaccounts", "default", "default")).toBeUndefined();
    await account("default");
    expect((await waiting).spec?.serviceAccountName).toBe("default");
  });

  test("has the account's token in every container that does not bring its own", async () => {
    await account("own", { imagePullSecrets: [{ name: "pull" }] });
    const own = { name: "mine", image: "i", volumeMounts: [{ name: "v", mountPath: MOUNT }] };
    const containers = [{ name: "c", image: "i" }, own];
    const answer = await post("mounted", {
      serviceAccountName: "own",
      containers,
      initContainers: [{ name: "first", image: "i" }],
      volumes: [{ name: "v", emptyDir: {} }],
    });
    expect(mountsOf(answer)).toEqual([[MOUNT], [MOUNT], [MOUNT]]);
    const { volumes = [], imagePullSecrets } = (answer.body as unknown as Pod).spec ?? {};
    expect(volumes.map(({ name }) => name)).toEqual([
      "v",
      expect.stringMatching(/^kube-api-access-[b-z2-9]{5}$/) as string,
    ]);
    expect(volumes[1]?.projected?.sources?.[0]).toEqual({
      serviceAccountToken: { expirationSeconds: 3607, path: "token" },
    });
    expect(imagePullSecrets).toEqual([{ name: "pull" }]);
  });

  test("goes without a token where the pod or its account says so", async () => {
    await account("quiet", { automountServiceAccountToken: false });
    expect(mountsOf(await post("a", { serviceAccountName: "quiet" }))).toEqual([[]]);
    expect(mountsOf(await post("b", { automountServiceAccountToken: false }))).toEqual([[]]);
    const wanted = { serviceAccountName: "quiet", automountServiceAccountToken: true };
    expect(mountsOf(await post("c", wanted))).toEqual([[MOUNT]]);
  });

  test("of an account that is not there is refused", async () => {
    const { code, body } = await post("lost", { serviceAccountName: "nobody" });
    expect([code, body.message]).toEqual([
      403,
      'pods "lost" is forbidden: error looking up service account default/nobody: serviceaccount "nobody" not found',
    ]);
  });
});
