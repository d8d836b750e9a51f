import { ApiError, type ClusterRole, type ClusterRoleBinding, type KubeObject, type PolicyRule } from "@bowline/kube";
import { type AccessRequest, covers, type Rbac } from "../auth/rbac.ts";
import { type AdmissionAttributes, isMaster, type UserInfo } from "../write/context.ts";
import { resourceName } from "../write/metadata.ts";

const GROUP = "rbac.authorization.k8s.io";
const ROLES: ReadonlySet<string> = new Set([`roles.${GROUP}`, `clusterroles.${GROUP}`]);
const BINDINGS: ReadonlySet<string> = new Set([`rolebindings.${GROUP}`, `clusterrolebindings.${GROUP}`]);

/**
 * Nobody gives away what they do not have: who writes a role, or binds one, must hold its rules, or be allowed to
 * `escalate` or `bind` it. Throws ApiError 403.
 * https://kubernetes.io/docs/reference/access-authn-authz/rbac/#privilege-escalation-prevention-and-bootstrapping
 */
export function checkEscalation(rbac: Rbac, attributes: AdmissionAttributes): void {
  const { type, object, oldObject, operation, context } = attributes;
  if (object === undefined || operation === "DELETE" || isMaster(context.user)) return;
  if (ROLES.has(type.storedAs)) {
    const { rules = [] } = object as ClusterRole;
    if (oldObject !== undefined && Bun.deepEquals((oldObject as ClusterRole).rules, rules)) return;
    if (!mayOnRole(rbac, attributes, "escalate", type.plural, object.metadata.name)) checkHeld(rbac, attributes, rules);
  } else if (BINDINGS.has(type.storedAs)) {
    const { roleRef, subjects } = object as ClusterRoleBinding;
    if (oldObject !== undefined && Bun.deepEquals((oldObject as ClusterRoleBinding).subjects, subjects)) return;
    const plural = roleRef.kind === "ClusterRole" ? "clusterroles" : "roles";
    if (mayOnRole(rbac, attributes, "bind", plural, roleRef.name)) return;
    const rules = rbac.rulesOfRole(roleRef, attributes.namespace);
    // What it will allow once somebody makes it cannot be known.
    if (rules === undefined) throw ApiError.notFound(`${plural}.${GROUP}`, roleRef.name);
    checkHeld(rbac, attributes, rules);
  }
}

function mayOnRole(
  rbac: Rbac,
  { context, namespace }: AdmissionAttributes,
  verb: string,
  resource: string,
  name: string,
): boolean {
  return rbac.allows(context.user, { verb, group: GROUP, resource, namespace, name }) !== undefined;
}

function checkHeld(rbac: Rbac, attributes: AdmissionAttributes, rules: readonly PolicyRule[]): void {
  const { type, object, namespace, context } = attributes;
  const held = [...rbac.rulesOf(context.user, namespace)].map(({ rule }) => rule);
  const missing = rules.filter(
    (rule) => !accessesOf(rule, namespace).every((access) => held.some((own) => covers(own, access))),
  );
  if (missing.length === 0) return;
  const why = `${nameOf(context.user)} is attempting to grant RBAC permissions not currently held:\n${missing.map(textOf).join("\n")}`;
  throw ApiError.forbidden(resourceName(type), (object as KubeObject).metadata.name, why);
}

/** Everything that a rule allows, one by one. */
function accessesOf(rule: PolicyRule, namespace: string): AccessRequest[] {
  const { verbs, apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] } = rule;
  const names = resourceNames.length === 0 ? [""] : resourceNames;
  return verbs.flatMap((verb) => [
    ...nonResourceURLs.map((path) => ({ verb, path })),
    ...apiGroups.flatMap((group) =>
      resources.flatMap((resource) => names.map((name) => ({ verb, group, resource, namespace, name }))),
    ),
  ]);
}

function nameOf({ username, groups }: UserInfo): string {
  return `user ${JSON.stringify(username)} (groups=${JSON.stringify(groups)})`;
}

function textOf({ apiGroups, resources, resourceNames, nonResourceURLs, verbs }: PolicyRule): string {
  const parts: [name: string, list: readonly string[] | undefined][] = [
    ["APIGroups", apiGroups],
    ["Resources", resources],
    ["ResourceNames", resourceNames],
    ["NonResourceURLs", nonResourceURLs],
    ["Verbs", verbs],
  ];
  const told = parts.filter(([, list]) => list !== undefined && list.length > 0);
  return `{${told.map(([name, list]) => `${name}:${JSON.stringify(list)}`).join(", ")}}`;
}
