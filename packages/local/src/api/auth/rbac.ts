import type {
  ClusterRole,
  ClusterRoleBinding,
  KubeObject,
  PolicyRule,
  Role,
  RoleBinding,
  Subject,
} from "@bowline/kube";
import type { Store } from "../storage/store.ts";
import { isMaster, type UserInfo } from "../write/context.ts";

/** What somebody wants to do: to an object or a path. */
export type AccessRequest = ResourceAccess | PathAccess;

interface ResourceAccess {
  readonly verb: string;
  readonly group: string;
  /** Plural, with the subresource: "pods", "pods/log". */
  readonly resource: string;
  /** "" for cluster-scoped requests, and for all namespaces. */
  readonly namespace: string;
  /** "" for requests about no object in particular. */
  readonly name: string;
}

interface PathAccess {
  readonly verb: string;
  readonly path: string;
}

/** A rule that holds for someone, in a namespace or ("") everywhere. */
export interface EffectiveRule {
  readonly namespace: string;
  readonly rule: PolicyRule;
  /** The binding it comes by, for the reason given: `RoleBinding "default/reader"`. */
  readonly binding: string;
}

const SOURCES = [
  "roles.rbac.authorization.k8s.io",
  "rolebindings.rbac.authorization.k8s.io",
  "clusterroles.rbac.authorization.k8s.io",
  "clusterrolebindings.rbac.authorization.k8s.io",
] as const;

/** Role-based access control over the stored roles and bindings. */
export class Rbac {
  readonly #store: Store;
  /** Rules by subject ("User/x", "Group/x"); made when first asked for, forgotten when a role or binding changes. */
  #rules: Map<string, EffectiveRule[]> | undefined;
  readonly #unlisten: (() => void)[];

  constructor(store: Store) {
    this.#store = store;
    this.#unlisten = SOURCES.map((type) =>
      store.listen(type, () => {
        this.#rules = undefined;
      }),
    );
  }

  stop(): void {
    for (const unlisten of this.#unlisten) unlisten();
  }

  /** Why the user may; undefined when not. */
  allows(user: UserInfo, access: AccessRequest): string | undefined {
    if (isMaster(user)) return "system:masters";
    for (const rule of this.rulesOf(user, "namespace" in access ? access.namespace : "")) {
      if (covers(rule.rule, access)) return `RBAC: allowed by ${rule.binding}`;
    }
    return undefined;
  }

  /** What holds for the user in a namespace, rules that hold everywhere included. */
  *rulesOf(user: UserInfo, namespace: string): Generator<EffectiveRule> {
    this.#rules ??= this.#collect();
    const subjects = [`User/${user.username}`, ...user.groups.map((group) => `Group/${group}`)];
    for (const subject of subjects) {
      for (const rule of this.#rules.get(subject) ?? []) {
        if (rule.namespace === "" || rule.namespace === namespace) yield rule;
      }
    }
  }

  /** The rules of the role that a binding names; undefined when there is no such role. */
  rulesOfRole(
    roleRef: { readonly kind: string; readonly name: string },
    namespace: string,
  ): readonly PolicyRule[] | undefined {
    const role =
      roleRef.kind === "ClusterRole"
        ? this.#store.get("clusterroles.rbac.authorization.k8s.io", "", roleRef.name)
        : this.#store.get("roles.rbac.authorization.k8s.io", namespace, roleRef.name);
    return role === undefined ? undefined : ((role as ClusterRole | Role).rules ?? []);
  }

  #collect(): Map<string, EffectiveRule[]> {
    const rules = new Map<string, EffectiveRule[]>();
    for (const binding of this.#store.list("clusterrolebindings.rbac.authorization.k8s.io"))
      this.#add(rules, binding, "");
    for (const binding of this.#store.list("rolebindings.rbac.authorization.k8s.io")) {
      this.#add(rules, binding, binding.metadata.namespace ?? "");
    }
    return rules;
  }

  #add(rules: Map<string, EffectiveRule[]>, object: KubeObject, namespace: string): void {
    const { roleRef, subjects = [] } = object as ClusterRoleBinding | RoleBinding;
    const { name } = object.metadata;
    const label = namespace === "" ? `ClusterRoleBinding "${name}"` : `RoleBinding "${name}/${namespace}"`;
    for (const rule of this.rulesOfRole(roleRef, namespace) ?? []) {
      for (const subject of subjects) {
        const key = keyOf(subject, namespace);
        const binding = `${label} of ${roleRef.kind} "${roleRef.name}" to ${subject.kind} "${subject.name}"`;
        const effective = { namespace, rule, binding };
        const known = rules.get(key);
        if (known === undefined) rules.set(key, [effective]);
        else known.push(effective);
      }
    }
  }
}

/** Whether one rule is enough for a request. */
export function covers(rule: PolicyRule, access: AccessRequest): boolean {
  if (!has(rule.verbs, access.verb)) return false;
  if ("path" in access) return (rule.nonResourceURLs ?? []).some((pattern) => coversPath(pattern, access.path));
  if (!has(rule.apiGroups, access.group)) return false;
  if (!(rule.resources ?? []).some((resource) => coversResource(resource, access.resource))) return false;
  const names = rule.resourceNames ?? [];
  return names.length === 0 || names.includes(access.name);
}

function has(list: readonly string[] | undefined, wanted: string): boolean {
  return list !== undefined && (list.includes("*") || list.includes(wanted));
}

// A rule says "*", "pods", "pods/log", or "*/scale", which is that subresource of everything.
function coversResource(rule: string, resource: string): boolean {
  if (rule === "*" || rule === resource) return true;
  return rule.startsWith("*/") && resource.endsWith(rule.slice(1));
}

function coversPath(pattern: string, path: string): boolean {
  return pattern === "*" || pattern === path || (pattern.endsWith("*") && path.startsWith(pattern.slice(0, -1)));
}

function keyOf(subject: Subject, namespace: string): string {
  if (subject.kind !== "ServiceAccount") return `${subject.kind}/${subject.name}`;
  return `User/system:serviceaccount:${subject.namespace ?? namespace}:${subject.name}`;
}
