import type { ConfigMap, KubeObject, Namespace, ServiceAccount } from "@bowline/kube";
import { type Condition, withCondition, withoutCondition } from "./conditions.ts";
import { type Controller, type ControllerContext, type ReconcileTarget, startController } from "./controller.ts";
import type { ResourceTypes } from "./resource-types.ts";

const NAME = "namespace-controller";
const ROOT_CA = "kube-root-ca.crt";
const ROOT_CA_NOTE =
  "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.";
/** While pods take their time to end, how often it is looked whether a namespace is empty. Their events come sooner. */
const EMPTYING_MS = 250;

export interface NamespaceOptions {
  readonly types: ResourceTypes;
  readonly caPem: string;
}

/**
 * The life of namespaces: each has its default ServiceAccount and the cluster's CA, and one
 * that is deleted is emptied before it goes.
 */
export function startNamespaces(context: ControllerContext, options: NamespaceOptions): Controller {
  return startController(context, {
    name: NAME,
    watch(on) {
      on<Namespace>("namespaces", (event) => [`/${event.object.metadata.name}`]);
      on<ServiceAccount>("serviceaccounts", ({ object: { metadata } }) =>
        metadata.name === "default" ? [`/${metadata.namespace}`] : [],
      );
      on<ConfigMap>("configmaps", ({ object: { metadata } }) =>
        metadata.name === ROOT_CA ? [`/${metadata.namespace}`] : [],
      );
    },
    async reconcile(target) {
      const namespace = context.api.get<Namespace>("namespaces", "", target.name);
      if (namespace === undefined) return;
      if (namespace.metadata.deletionTimestamp === undefined) await furnish(context, options.caPem, target.name);
      else await empty(context, options.types, namespace, target);
    },
  });
}

async function furnish({ api }: ControllerContext, caPem: string, namespace: string): Promise<void> {
  if (api.get("serviceaccounts", namespace, "default") === undefined) {
    const account: ServiceAccount = {
      apiVersion: "v1",
      kind: "ServiceAccount",
      metadata: { name: "default", namespace },
    };
    await api.create("serviceaccounts", account);
  }
  const data = { "ca.crt": caPem };
  const map = api.get<ConfigMap>("configmaps", namespace, ROOT_CA);
  if (map === undefined) {
    const annotations = { "kubernetes.io/description": ROOT_CA_NOTE };
    const metadata = { name: ROOT_CA, namespace, annotations };
    await api.create<ConfigMap>("configmaps", { apiVersion: "v1", kind: "ConfigMap", metadata, data });
  } else if (map.data?.["ca.crt"] !== caPem) {
    await api.change<ConfigMap>("configmaps", namespace, ROOT_CA, (draft) => {
      draft.data = data;
    });
  }
}

async function empty(
  context: ControllerContext,
  types: ResourceTypes,
  namespace: Namespace,
  target: ReconcileTarget,
): Promise<void> {
  const { api } = context;
  const { name, uid } = namespace.metadata;
  const failures: string[] = [];
  for (const { storedAs, namespaced } of types.types()) {
    if (!namespaced) continue;
    for (const { metadata } of api.list(storedAs, { namespace: name })) {
      if (metadata.deletionTimestamp !== undefined) continue;
      try {
        await api.delete(storedAs, name, metadata.name, { propagation: "Background" });
      } catch (error) {
        failures.push(`${storedAs}/${metadata.name}: ${String(error)}`);
      }
    }
  }
  const remaining = types.types().filter((type) => type.namespaced);
  const objects = remaining.flatMap(({ storedAs }) => {
    return api.list(storedAs, { namespace: name }).map((object) => ({ storedAs, object }));
  });
  await writeConditions(context, namespace, objects, failures);
  if (objects.length > 0) {
    target.after(EMPTYING_MS);
    return;
  }
  await api.change<Namespace>("namespaces", "", name, (draft) => {
    if (draft.metadata.uid !== uid || draft.spec === undefined) return false;
    draft.spec.finalizers = (draft.spec.finalizers ?? []).filter((finalizer) => finalizer !== "kubernetes");
    return undefined;
  });
}

async function writeConditions(
  context: ControllerContext,
  namespace: Namespace,
  objects: readonly { storedAs: string; object: KubeObject }[],
  failures: readonly string[],
): Promise<void> {
  const counts = new Map<string, number>();
  const held = new Map<string, number>();
  for (const { storedAs, object } of objects) {
    counts.set(storedAs, (counts.get(storedAs) ?? 0) + 1);
    for (const finalizer of object.metadata.finalizers ?? []) held.set(finalizer, (held.get(finalizer) ?? 0) + 1);
  }
  const content = Array.from(counts, ([type, count]) => `${type} has ${count} resource instances`).join(", ");
  const finalizers = Array.from(held, ([finalizer, count]) => `${finalizer} in ${count} resource instances`).join(", ");
  const conditions: Condition[] = [
    condition("NamespaceDeletionContentFailure", "ContentDeletionFailed", failures.join("; ")),
    condition(
      "NamespaceContentRemaining",
      "SomeResourcesRemain",
      content && `Some resources are remaining: ${content}`,
    ),
    condition(
      "NamespaceFinalizersRemaining",
      "SomeFinalizersRemain",
      finalizers && `Some content in the namespace has finalizers remaining: ${finalizers}`,
    ),
  ].filter((each) => each.status === "True");
  const { name, uid } = namespace.metadata;
  const nowMs = context.now();
  await context.api.change<Namespace>(
    "namespaces",
    "",
    name,
    (draft) => {
      if (draft.metadata.uid !== uid) return false;
      let all: Condition[] = draft.status?.conditions ?? [];
      for (const { type } of all) if (!conditions.some((each) => each.type === type)) all = withoutCondition(all, type);
      for (const each of conditions) all = withCondition(all, each, nowMs);
      draft.status = { ...draft.status, phase: "Terminating", conditions: all };
      return undefined;
    },
    "status",
  );
}

/** True where there is something to say. */
function condition(type: string, reason: string, message: string): Condition {
  return { type, status: message === "" ? "False" : "True", reason, message };
}
