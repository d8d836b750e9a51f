import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { KubeObject } from "@bowline/kube";
import { RunningApi } from "../testing/running-api.ts";

const RBAC = "rbac.authorization.k8s.io";

let api: RunningApi;
let token: string;

beforeAll(async () => {
  api = await RunningApi.start();
  const make = (type: string, object: KubeObject): Promise<KubeObject> => api.server.api.create(type, object);
  await make("serviceaccounts", {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name: "reader", namespace: "default" },
  });
  await make(`roles.${RBAC}`, {
    apiVersion: `${RBAC}/v1`,
    kind: "Role",
    metadata: { name: "reader", namespace: "default" },
    rules: [
      { apiGroups: [""], resources: ["configmaps"], verbs: ["get", "list", "watch"] },
      { apiGroups: [""], resources: ["secrets"], resourceNames: ["one"], verbs: ["get", "list", "watch"] },
      { apiGroups: [""], resources: ["namespaces"], verbs: ["get", "list"] },
      { apiGroups: ["apps"], resources: ["deployments/scale"], verbs: ["watch"] },
      { apiGroups: ["apps"], resources: ["*/scale"], verbs: ["get"] },
      { apiGroups: ["policy"], resources: ["poddisruptionbudgets"], verbs: ["patch"] },
      { apiGroups: ["authorization.k8s.io"], resources: ["subjectaccessreviews"], verbs: ["create"] },
    ],
  });
  await make(`rolebindings.${RBAC}`, {
    apiVersion: `${RBAC}/v1`,
    kind: "RoleBinding",
    metadata: { name: "reader", namespace: "default" },
    roleRef: { apiGroup: RBAC, kind: "Role", name: "reader" },
    subjects: [{ kind: "ServiceAccount", name: "reader", namespace: "default" }],
  });
  token = (await api.server.serviceAccountToken({ namespace: "default", serviceAccount: "reader" })).token;
});

afterAll(async () => {
  await api.stop();
});

const SELF = 'User "system:serviceaccount:default:reader"';

describe("a service account", () => {
  const rows: [method: string, path: string, code: number, says?: string][] = [
    ["GET", "/api/v1/namespaces/default/configmaps", 200],
    ["GET", "/api/v1/namespaces/default/configmaps/absent", 404],
    ["GET", "/api/v1/namespaces/default/secrets/one", 404],
    ["GET", "/api/v1/namespaces/default/secrets?fieldSelector=metadata.name%3Done", 200],
    ["GET", "/apis/apps/v1/namespaces/default/deployments/d/scale", 404],
    ["GET", "/apis", 200],
    ["GET", "/version", 200],
    [
      "DELETE",
      "/api/v1/namespaces/default/configmaps/x",
      403,
      `configmaps "x" is forbidden: ${SELF} cannot delete resource "configmaps" in API group "" in the namespace "default"`,
    ],
    [
      "DELETE",
      "/api/v1/namespaces/default/configmaps",
      403,
      `configmaps is forbidden: ${SELF} cannot deletecollection resource "configmaps" in API group "" in the namespace "default"`,
    ],
    [
      "GET",
      "/api/v1/configmaps",
      403,
      `configmaps is forbidden: ${SELF} cannot list resource "configmaps" in API group "" at the cluster scope`,
    ],
    [
      "GET",
      "/api/v1/namespaces/kube-system/configmaps?watch=1",
      403,
      `configmaps is forbidden: ${SELF} cannot watch resource "configmaps" in API group "" in the namespace "kube-system"`,
    ],
    // Watching a scale is not writing it, and another name in the selector does not lead past the one that is allowed.
    ["PUT", "/apis/apps/v1/watch/namespaces/default/deployments/d/scale", 403],
    ["DELETE", "/api/v1/watch/namespaces/default/configmaps/x", 403],
    ["GET", "/api/v1/namespaces/default/pods/p/exec?watch=1", 403],
    // A namespace is read in its own name, not in that of another.
    ["GET", "/api/v1/namespaces/default", 200],
    ["GET", "/api/v1/namespaces/default/namespaces/kube-system", 404, "404 page not found\n"],
    ["DELETE", "/api/v1/namespaces/default/namespaces/kube-system", 403],
    ["GET", "/api/v1/namespaces/default/namespaces", 404, "404 page not found\n"],
    ["GET", "/api/v1/namespaces/default/secrets", 403],
    ["GET", "/api/v1/namespaces/default/secrets/two", 403],
    [
      "GET",
      "/apis/apps/v1/namespaces/default/deployments/d",
      403,
      `deployments.apps "d" is forbidden: ${SELF} cannot get resource "deployments" in API group "apps" in the namespace "default"`,
    ],
    [
      "GET",
      "/api/v1/namespaces/default/pods/p/log",
      403,
      `pods "p" is forbidden: ${SELF} cannot get resource "pods/log" in API group "" in the namespace "default"`,
    ],
    ["GET", "/metrics", 403, `forbidden: ${SELF} cannot get path "/metrics"`],
  ];
  for (const [method, path, code, says] of rows) {
    test(`is answered ${code} to ${method} ${path}`, async () => {
      const answer = await api.ask(method, path, { token });
      if (says !== undefined) expect(answer.body.message).toBe(says);
      expect(answer.code).toBe(code);
    });
  }

  test("loses what its role loses, at once", async () => {
    const change = { rules: [{ apiGroups: [""], resources: ["configmaps"], verbs: ["list"] }] };
    const path = `/apis/${RBAC}/v1/namespaces/default/roles/reader`;
    const { body: before } = await api.ask("GET", path);
    await api.ask("PATCH", path, { body: change, headers: { "content-type": "application/merge-patch+json" } });
    expect((await api.ask("GET", "/api/v1/namespaces/default/configmaps/x", { token })).code).toBe(403);
    await api.ask("PUT", path, { body: { ...before, metadata: { name: "reader" } } });
    expect((await api.ask("GET", "/api/v1/namespaces/default/configmaps/x", { token })).code).toBe(404);
  });
});

test("who may watch one object is shown no other, whatever the selector says", async () => {
  for (const name of ["one", "two"]) {
    const secret = { apiVersion: "v1", kind: "Secret", metadata: { name, namespace: "default" } };
    await api.server.api.create("secrets", secret);
  }
  const rows: [selector: string, seen: string[]][] = [
    ["", ["one"]],
    ["metadata.name!=x", ["one"]],
    ["metadata.name=two", []],
    ["metadata.name!=one", []],
  ];
  const seenAt = async (path: string, selector: string): Promise<string[]> => {
    const query = `timeoutSeconds=1&fieldSelector=${encodeURIComponent(selector)}`;
    const seen: string[] = [];
    for await (const { object } of api.watch(`/api/v1/${path}${query}`, { token })) seen.push(object.metadata.name);
    return seen;
  };
  const paths = ["namespaces/default/secrets/one?watch=1&", "watch/namespaces/default/secrets/one?"];
  const asked = paths.flatMap((path) => rows.map(([selector]) => seenAt(path, selector)));
  expect(await Promise.all(asked)).toEqual(paths.flatMap(() => rows.map(([, seen]) => seen)));
});

test("who may patch may not create by applying", async () => {
  const path = "/apis/policy/v1/namespaces/default/poddisruptionbudgets/b?fieldManager=me";
  const budget = { apiVersion: "policy/v1", kind: "PodDisruptionBudget", metadata: { name: "b" }, spec: {} };
  const asked = { body: budget, headers: { "content-type": "application/apply-patch+yaml" } };
  const refused = await api.ask("PATCH", path, { ...asked, token });
  expect([refused.code, refused.body.message]).toEqual([
    403,
    `poddisruptionbudgets.policy "b" is forbidden: ${SELF} cannot create resource "poddisruptionbudgets" in API group "policy" in the namespace "default"`,
  ]);
  expect((await api.ask("PATCH", path, asked)).code).toBe(201);
  expect((await api.ask("PATCH", path, { ...asked, token })).code).toBe(200);
});

test("reviews of others are not for those who may ask in one namespace", async () => {
  const path = "/apis/authorization.k8s.io/v1/namespaces/default/subjectaccessreviews";
  expect((await api.ask("POST", path, { body: {}, token })).code).toBe(404);
});

describe("whoever", () => {
  test("has no token is anonymous, and may see that the server lives", async () => {
    expect((await api.ask("GET", "/healthz", { token: "" })).code).toBe(200);
    const { code, body } = await api.ask("GET", "/api/v1/namespaces", { token: "" });
    expect([code, body.message]).toEqual([
      403,
      'namespaces is forbidden: User "system:anonymous" cannot list resource "namespaces" in API group "" at the cluster scope',
    ]);
  });

  test("has a bad token is nobody", async () => {
    const [head = "", payload = "", signature = ""] = token.split(".");
    const forged = [
      head,
      Buffer.from('{"sub":"system:serviceaccount:kube-system:x"}').toString("base64url"),
      signature,
    ].join(".");
    for (const bad of ["nonsense", `${head}.${payload}.`, forged]) {
      const { code, body } = await api.ask("GET", "/api/v1/namespaces", { token: bad });
      expect([bad, code, body.message]).toEqual([bad, 401, "Unauthorized"]);
    }
  });

  test("stands for another is that one, if allowed", async () => {
    const headers = { "impersonate-user": "system:serviceaccount:default:reader" };
    expect((await api.ask("GET", "/api/v1/namespaces/default/configmaps", { headers })).code).toBe(200);
    expect((await api.ask("GET", "/api/v1/namespaces/default/pods", { headers })).code).toBe(403);
    const groups = { "impersonate-user": "jane", "impersonate-group": "system:masters" };
    expect((await api.ask("GET", "/api/v1/namespaces/default/pods", { headers: groups })).code).toBe(200);
    const refused = await api.ask("GET", "/api/v1/namespaces", { token, headers: { "impersonate-user": "jane" } });
    expect([refused.code, refused.body.message]).toEqual([
      403,
      `users "jane" is forbidden: ${SELF} cannot impersonate resource "users" in API group "" at the cluster scope`,
    ]);
    expect((await api.ask("GET", "/api/v1/namespaces", { headers: { "impersonate-group": "x" } })).code).toBe(400);
  });
});

describe("tokens", () => {
  const path = "/api/v1/namespaces/default/serviceaccounts/reader/token";

  const review = async (text: string, audiences?: string[]): Promise<Record<string, unknown>> => {
    const body = {
      kind: "TokenReview",
      apiVersion: "authentication.k8s.io/v1",
      spec: { token: text, ...(audiences && { audiences }) },
    };
    return (await api.ask("POST", "/apis/authentication.k8s.io/v1/tokenreviews", { body })).body.status;
  };

  test("of a pod are good while it exists", async () => {
    const pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "bound", namespace: "default" },
      spec: { serviceAccountName: "reader", containers: [{ name: "c", image: "i" }] },
    };
    const { metadata } = await api.server.api.create<KubeObject>("pods", pod);
    const bound = await api.server.serviceAccountToken({
      namespace: "default",
      serviceAccount: "reader",
      boundTo: { kind: "Pod", name: "bound", uid: metadata.uid ?? "" },
    });
    expect(await review(bound.token)).toMatchObject({
      authenticated: true,
      user: {
        username: "system:serviceaccount:default:reader",
        groups: ["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"],
        extra: {
          "authentication.kubernetes.io/pod-name": ["bound"],
          "authentication.kubernetes.io/pod-uid": [metadata.uid],
        },
      },
    });
    await api.server.api.delete("pods", "default", "bound");
    expect((await review(bound.token))["authenticated"]).toBeUndefined();
    expect((await api.ask("GET", "/apis", { token: bound.token })).code).toBe(401);
  });

  test("are for their audiences alone", async () => {
    const body = {
      kind: "TokenRequest",
      apiVersion: "authentication.k8s.io/v1",
      spec: { audiences: ["linkerd"], expirationSeconds: 600 },
    };
    const { code, body: made } = await api.ask("POST", path, { body });
    expect(code).toBe(201);
    const text = made.status["token"] as string;
    expect(await review(text, ["other", "linkerd"])).toMatchObject({ authenticated: true, audiences: ["linkerd"] });
    expect((await review(text, ["other"]))["authenticated"]).toBeUndefined();
    expect((await review(text))["authenticated"]).toBeUndefined();
    expect((await api.ask("GET", "/apis", { token: text })).code).toBe(401);
    const expires = Date.parse(made.status["expirationTimestamp"] as string) - Date.now();
    expect(Math.abs(expires - 600_000)).toBeLessThan(5000);
  });

  test("of the administrator is for this server alone", async () => {
    const ask = async (audiences: string[]): Promise<unknown> => {
      const body = {
        kind: "TokenReview",
        apiVersion: "authentication.k8s.io/v1",
        spec: { token: api.server.adminToken, audiences },
      };
      const { status } = (await api.ask("POST", "/apis/authentication.k8s.io/v1/tokenreviews", { body })).body;
      return status["authenticated"];
    };
    expect(await ask([])).toBe(true);
    expect(await ask(["https://kubernetes.default.svc.cluster.local"])).toBe(true);
    expect(await ask(["identity.l5d.io"])).toBeUndefined();
  });

  test("are not given for what is not there, nor for too short a time", async () => {
    const kind = { kind: "TokenRequest", apiVersion: "authentication.k8s.io/v1" };
    const rows: [spec: object, code: number][] = [
      [{ expirationSeconds: 1 }, 422],
      [{ boundObjectRef: { kind: "Pod", name: "absent" } }, 404],
      [{ boundObjectRef: { kind: "Node", name: "x" } }, 422],
    ];
    for (const [spec, code] of rows) {
      expect([spec, (await api.ask("POST", path, { body: { ...kind, spec } })).code]).toEqual([spec, code]);
    }
    expect((await api.ask("POST", path.replace("reader", "absent"), { body: { ...kind, spec: {} } })).code).toBe(404);
  });

  test("outlive a restart, as does the administrator's", async () => {
    const own = await RunningApi.start();
    await own.server.api.create("serviceaccounts", {
      apiVersion: "v1",
      kind: "ServiceAccount",
      metadata: { name: "a", namespace: "default" },
    });
    const { token: before } = await own.server.serviceAccountToken({ namespace: "default", serviceAccount: "a" });
    const { adminToken, caPem } = own.server;
    const again = await own.restart();
    expect([again.server.adminToken, again.server.caPem]).toEqual([adminToken, caPem]);
    expect((await again.ask("GET", "/apis", { token: before })).code).toBe(200);
    await again.stop();
  });
});

describe("who may write roles", () => {
  const roles = `/apis/${RBAC}/v1/namespaces/default/roles`;
  const bindings = `/apis/${RBAC}/v1/namespaces/default/rolebindings`;
  const headers = { "impersonate-user": "deputy" };

  const role = (name: string, rules: object[]): object => ({
    apiVersion: `${RBAC}/v1`,
    kind: "Role",
    metadata: { name, namespace: "default" },
    rules,
  });
  const binding = (name: string, kind: string, roleName: string, user: string): object => ({
    apiVersion: `${RBAC}/v1`,
    kind: "RoleBinding",
    metadata: { name, namespace: "default" },
    roleRef: { apiGroup: RBAC, kind, name: roleName },
    subjects: [{ kind: "User", apiGroup: RBAC, name: user }],
  });

  test("gives away no more than they hold", async () => {
    const own = { apiGroups: [""], resources: ["pods"], verbs: ["get", "list"] };
    const writer = {
      apiGroups: [RBAC],
      resources: ["roles", "rolebindings"],
      verbs: ["create", "update", "patch", "get"],
    };
    await api.ask("POST", roles, { body: role("deputy", [own, writer]) });
    await api.ask("POST", bindings, { body: binding("deputy", "Role", "deputy", "deputy") });
    const less = await api.ask("POST", roles, { body: role("less", [{ ...own, verbs: ["get"] }]), headers });
    expect(less.code).toBe(201);
    const more = await api.ask("POST", roles, { body: role("more", [own, { ...own, verbs: ["delete"] }]), headers });
    expect([more.code, more.body.message]).toEqual([
      403,
      'roles.rbac.authorization.k8s.io "more" is forbidden: user "deputy" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}',
    ]);
    const widened = {
      body: { rules: [{ ...own, verbs: ["*"] }] },
      headers: { ...headers, "content-type": "application/merge-patch+json" },
    };
    expect((await api.ask("PATCH", `${roles}/less`, widened)).code).toBe(403);
    expect((await api.ask("POST", bindings, { body: binding("b1", "Role", "less", "x"), headers })).code).toBe(201);
    expect(
      (await api.ask("POST", bindings, { body: binding("b2", "ClusterRole", "cluster-admin", "deputy"), headers }))
        .code,
    ).toBe(403);
    // Nor what does not exist yet: somebody might make it.
    const early = await api.ask("POST", bindings, { body: binding("b4", "ClusterRole", "not-yet", "deputy"), headers });
    expect([early.code, early.body.message]).toEqual([
      404,
      'clusterroles.rbac.authorization.k8s.io "not-yet" not found',
    ]);
    const bind = { apiGroups: [RBAC], resources: ["clusterroles"], resourceNames: ["view"], verbs: ["bind"] };
    expect((await api.ask("PUT", `${roles}/deputy`, { body: role("deputy", [own, writer, bind]) })).code).toBe(200);
    expect((await api.ask("POST", bindings, { body: binding("b3", "ClusterRole", "view", "x"), headers })).code).toBe(
      201,
    );
  });
});

describe("reviews", () => {
  const post = async (kind: string, plural: string, spec: object, asToken?: string): Promise<KubeObject> => {
    const body = { kind, apiVersion: "authorization.k8s.io/v1", spec };
    const asked = { body, ...(asToken === undefined ? {} : { token: asToken }) };
    return (await api.ask("POST", `/apis/authorization.k8s.io/v1/${plural}`, asked)).body;
  };

  test("of another's access say yes or no, and why", async () => {
    const user = "system:serviceaccount:default:reader";
    const attributes = { namespace: "default", verb: "list", resource: "configmaps" };
    const yes = await post("SubjectAccessReview", "subjectaccessreviews", { user, resourceAttributes: attributes });
    expect(yes["status"]).toEqual({
      allowed: true,
      reason: 'RBAC: allowed by RoleBinding "reader/default" of Role "reader" to ServiceAccount "reader"',
    });
    const no = await post("SubjectAccessReview", "subjectaccessreviews", {
      user,
      resourceAttributes: { ...attributes, verb: "delete" },
    });
    expect(no["status"]).toEqual({ allowed: false });
    const path = await post("SubjectAccessReview", "subjectaccessreviews", {
      user: "x",
      groups: ["system:authenticated"],
      nonResourceAttributes: { verb: "get", path: "/apis/apps" },
    });
    expect(path["status"]).toMatchObject({ allowed: true });
  });

  test("of one's own access are open to everybody who is somebody", async () => {
    const attributes = { namespace: "default", verb: "get", resource: "secrets", name: "one" };
    const own = await post(
      "SelfSubjectAccessReview",
      "selfsubjectaccessreviews",
      { resourceAttributes: attributes },
      token,
    );
    expect(own["status"]).toMatchObject({ allowed: true });
    const rules = await post("SelfSubjectRulesReview", "selfsubjectrulesreviews", { namespace: "default" }, token);
    expect((rules["status"] as { resourceRules: unknown[] }).resourceRules).toContainEqual({
      apiGroups: ["apps"],
      resources: ["*/scale"],
      verbs: ["get"],
    });
    const refused = await post(
      "SubjectAccessReview",
      "subjectaccessreviews",
      { user: "x", resourceAttributes: attributes },
      token,
    );
    expect(refused["code"]).toBe(403);
  });
});
