import { afterAll, beforeAll, expect, test } from "bun:test";
import { daemonPid, untilGone } from "./node-processes.ts";
import { kubectlMinor, TestCluster } from "./test-cluster.ts";

interface Stored {
  readonly metadata: { readonly name: string; readonly resourceVersion: string; readonly uid: string };
  readonly [field: string]: unknown;
}

interface WatchLine {
  readonly type: string;
  readonly object: Stored;
}

const CONFIG_MAPS = "/api/v1/namespaces/default/configmaps";

let cluster: TestCluster;

beforeAll(async () => {
  cluster = await TestCluster.up();
}, 120_000);

afterAll(async () => {
  await (cluster as TestCluster | undefined)?.[Symbol.asyncDispose]();
}, 120_000);

test.concurrent("a write from an old version is a conflict, and so is one to another object of the name", async () => {
  await cluster.run("create cm contended --from-literal=a=1");
  const old = await cluster.run("get cm contended -o json");
  await cluster.run("label cm contended changed=yes");
  const stale = await cluster.tryKubectl(["replace", "-f", "-"], { input: old });
  expect(stale.code).toBe(1);
  expect(stale.stderr).toContain(
    'Error from server (Conflict): error when replacing "STDIN": Operation cannot be fulfilled on configmaps "contended": the object has been modified; please apply your changes to the latest version and try again',
  );
  const { metadata, ...rest } = JSON.parse(old) as Stored;
  const { resourceVersion: _, ...unversioned } = metadata;
  const other = JSON.stringify({ ...rest, metadata: { ...unversioned, uid: "00000000-0000-4000-8000-000000000000" } });
  const foreign = await cluster.tryKubectl(["replace", "-f", "-"], { input: other });
  expect(foreign.stderr).toContain(
    "Precondition failed: UID in precondition: 00000000-0000-4000-8000-000000000000, UID in object meta: ",
  );
  await cluster.kubectl(["replace", "-f", "-"], { input: JSON.stringify({ ...rest, metadata: unversioned }) });
}, 60_000);

test.concurrent("a watch from a version tells all that came after it, in order, and ends with its time", async () => {
  const { metadata } = await list();
  for (const name of ["watched-1", "watched-2"]) await cluster.run(`create cm ${name}`);
  await cluster.run("annotate cm watched-1 a=b");
  await cluster.run("delete cm watched-2");
  const lines = await watch(`resourceVersion=${metadata.resourceVersion}&timeoutSeconds=1`);
  const told = lines
    .filter(({ object }) => object.metadata.name.startsWith("watched-"))
    .map(({ type, object }) => `${type} ${object.metadata.name}`);
  expect(told).toEqual(["ADDED watched-1", "ADDED watched-2", "MODIFIED watched-1", "DELETED watched-2"]);
  const versions = lines.map(({ object }) => Number(object.metadata.resourceVersion));
  expect(versions).toEqual(versions.toSorted((a, b) => a - b));
}, 60_000);

test.concurrent("a watch with bookmarks begins with what there is and says when that is all", async () => {
  await cluster.run("create cm marked");
  const lines = await watch(
    "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=1",
  );
  const bookmark = lines.findIndex(({ type }) => type === "BOOKMARK");
  expect(lines.slice(0, bookmark).map(({ type, object }) => `${type} ${object.metadata.name}`)).toContain(
    "ADDED marked",
  );
  expect(lines[bookmark]?.object.metadata).toMatchObject({ annotations: { "k8s.io/initial-events-end": "true" } });
}, 60_000);

test.concurrent("lists come in pieces, all of one version", async () => {
  for (const name of ["piece-a", "piece-b", "piece-c"]) await cluster.run(`create cm ${name}`);
  const names: string[] = [];
  const versions = new Set<string>();
  let next = "";
  do {
    const page = await list(`limit=2${next === "" ? "" : `&continue=${encodeURIComponent(next)}`}`);
    expect(page.items.length).toBeLessThanOrEqual(2);
    names.push(...page.items.map(({ metadata }) => metadata.name));
    versions.add(page.metadata.resourceVersion);
    next = page.metadata.continue ?? "";
  } while (next !== "");
  expect(names.filter((name) => name.startsWith("piece-"))).toEqual(["piece-a", "piece-b", "piece-c"]);
  expect(names).toEqual([...new Set(names)].toSorted());
  expect(versions.size).toBe(1);
}, 60_000);

test.concurrent("a Lease is held by whoever wrote last of what they had read", async () => {
  const lease = (holderIdentity: string, metadata: object) =>
    JSON.stringify({
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: { name: "leader", ...metadata },
      spec: { holderIdentity, leaseDurationSeconds: 15, renewTime: "2026-01-01T00:00:00.000000Z" },
    });
  await cluster.kubectl(["create", "-f", "-"], { input: lease("one", {}) });
  const { metadata } = JSON.parse(await cluster.run("get lease leader -o json")) as Stored;
  const { resourceVersion } = metadata;
  const won = await Promise.all(
    ["two", "three", "four"].map((holder) =>
      cluster.tryKubectl(["replace", "-f", "-"], { input: lease(holder, { resourceVersion }) }),
    ),
  );
  expect(won.filter(({ code }) => code === 0)).toHaveLength(1);
  expect(await cluster.run("get lease leader --no-headers")).toMatch(/^leader +(two|three|four) +\d+s\n$/);
  expect(await cluster.run("get lease -n kube-node-lease -o name")).toBe("lease.coordination.k8s.io/bowline\n");
}, 60_000);

test.concurrent("finalizers hold an object until they are gone", async () => {
  const held = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "held", finalizers: ["example.com/hold"] } };
  await cluster.apply([held]);
  await cluster.run("delete cm held --wait=false");
  expect(await cluster.run("get cm held -o jsonpath={.metadata.deletionTimestamp}")).toMatch(/^20/);
  await using waiting = cluster.spawnKubectl(["delete", "cm", "held"]);
  await cluster.kubectl(["patch", "cm", "held", "--type=merge", "-p", '{"metadata":{"finalizers":null}}']);
  expect((await waiting.exited).code).toBeLessThan(2);
  expect((await cluster.tryKubectl(["get", "cm", "held"])).stderr).toContain("not found");
}, 60_000);

test.concurrent("owners take what they own along, in the background or before they go", async () => {
  for (const cascade of ["background", "foreground"]) {
    await cluster.run(`create cm owner-${cascade}`);
    const { metadata } = JSON.parse(await cluster.run(`get cm owner-${cascade} -o json`)) as Stored;
    const ownerReferences = [
      { apiVersion: "v1", kind: "ConfigMap", name: metadata.name, uid: metadata.uid, blockOwnerDeletion: true },
    ];
    await cluster.apply([
      { apiVersion: "v1", kind: "Secret", metadata: { name: `owned-${cascade}`, ownerReferences } },
    ]);
    await cluster.run(`delete cm owner-${cascade} --cascade=${cascade}`);
    const owned = `get secret owned-${cascade} --ignore-not-found -o name`;
    if (cascade === "foreground") expect(await cluster.run(owned)).toBe("");
    else while ((await cluster.run(owned)) !== "") await Bun.sleep(20);
  }
}, 60_000);

test.concurrent("who may do what is asked and told", async () => {
  await cluster.run("create sa asker");
  await cluster.run("create clusterrole looker --verb=get,list,watch --resource=pods,services");
  await cluster.run("create rolebinding asker-looks --clusterrole=looker --serviceaccount=default:asker");
  const can = async (args: string) =>
    (
      await cluster.tryKubectl(["auth", "can-i", ...args.split(" "), "--as=system:serviceaccount:default:asker"])
    ).stdout.trim();
  expect(await Promise.all(["list pods", "delete pods", "list pods -n kube-system", "get nodes"].map(can))).toEqual([
    "yes",
    "no",
    "no",
    "no",
  ]);
  const review = {
    apiVersion: "authorization.k8s.io/v1",
    kind: "SubjectAccessReview",
    spec: {
      user: "system:serviceaccount:default:asker",
      resourceAttributes: { namespace: "default", verb: "get", resource: "pods" },
    },
  };
  const reviewed = await cluster.kubectl(["create", "-o", "jsonpath={.status.allowed}", "-f", "-"], {
    input: JSON.stringify(review),
  });
  expect(reviewed).toBe("true");
  // kubectl up to 1.23 cannot ask for tokens.
  if ((await kubectlMinor()) < 24) return;
  const token = (await cluster.run("create token asker --duration=10m")).trim();
  const server = await cluster.run("config view --minify -o jsonpath={.clusters[0].cluster.server}");
  const asked = (path: string, authorization: string) =>
    fetch(server + path, { headers: { authorization }, tls: { rejectUnauthorized: false } });
  expect((await asked("/api/v1/namespaces/default/pods", `Bearer ${token}`)).status).toBe(200);
  expect((await asked("/api/v1/namespaces/default/secrets", `Bearer ${token}`)).status).toBe(403);
  expect((await asked("/api/v1/namespaces/default/pods", `Bearer ${token}x`)).status).toBe(401);
  await cluster.run("delete sa asker");
  expect((await asked("/api/v1/namespaces/default/pods", `Bearer ${token}`)).status).toBe(401);
}, 60_000);

test("a watch from before a restart is told to begin anew, and lists go on from the last version", async () => {
  const { metadata } = await list();
  const daemon = daemonPid(cluster);
  process.kill(daemon, "SIGKILL");
  await untilGone(daemon);
  await cluster.local("up");
  const old = Number(metadata.resourceVersion) - 1;
  const told = await cluster.tryKubectl(["get", "--raw", `${CONFIG_MAPS}?watch=true&resourceVersion=${old}`]);
  expect(told.stderr).toContain("Error from server (Expired): too old resource version");
  const after = await list();
  expect(Number(after.metadata.resourceVersion)).toBeGreaterThanOrEqual(Number(metadata.resourceVersion));
  await watch(`resourceVersion=${after.metadata.resourceVersion}&timeoutSeconds=1`);
}, 60_000);

async function list(
  query = "",
): Promise<{ metadata: { resourceVersion: string; continue?: string }; items: Stored[] }> {
  return JSON.parse(await cluster.run(`get --raw ${CONFIG_MAPS}?${query}`)) as Awaited<ReturnType<typeof list>>;
}

async function watch(query: string): Promise<WatchLine[]> {
  const text = await cluster.run(`get --raw ${CONFIG_MAPS}?watch=true&${query}`);
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as WatchLine);
}
