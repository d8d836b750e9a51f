import { type KubeObject, type MutatingWebhook, matchesSelector, type ValidatingWebhook } from "@bowline/kube";
import type { Store } from "../storage/store.ts";
import type { AdmissionAttributes } from "../write/context.ts";

/** RuleWithOperations; the published type leaves out what it has of Rule. */
interface Rule {
  readonly operations?: readonly string[];
  readonly apiGroups?: readonly string[];
  readonly apiVersions?: readonly string[];
  readonly resources?: readonly string[];
  readonly scope?: string;
}

/** Configurations of webhooks are beyond the reach of webhooks, so that a bad one can be removed. */
const EXEMPT: ReadonlySet<string> = new Set([
  "mutatingwebhookconfigurations.admissionregistration.k8s.io",
  "validatingwebhookconfigurations.admissionregistration.k8s.io",
]);

/**
 * The version in which a webhook wants to see a write; undefined when it does not want to. Rules that name another served version
 * than the stored one match as well (matchPolicy Equivalent, the default; Exact is treated alike).
 */
export function matchedVersion(
  store: Store,
  webhook: MutatingWebhook | ValidatingWebhook,
  attributes: AdmissionAttributes,
): string | undefined {
  const { type } = attributes;
  if (EXEMPT.has(type.storedAs)) return undefined;
  const versions = [type.version, ...type.versions.filter((version) => version !== type.version)];
  const version = versions.find((each) => webhook.rules?.some((rule) => matchesRule(rule, attributes, each)));
  if (version === undefined) return undefined;
  return inNamespace(store, webhook, attributes) && onObject(webhook, attributes) ? version : undefined;
}

function matchesRule(rule: Rule, { operation, type, subresource }: AdmissionAttributes, version: string): boolean {
  if (!has(rule.operations, operation) || !has(rule.apiGroups, type.group) || !has(rule.apiVersions, version))
    return false;
  const scope = rule.scope ?? "*";
  if (scope !== "*" && (scope === "Namespaced") !== type.namespaced) return false;
  return rule.resources?.some((resource) => matchesResource(resource, type.plural, subresource)) ?? false;
}

// Of "pods" (without its subresources), "pods/status", "pods/*", "*" (likewise without), "*/scale", "*/*".
function matchesResource(rule: string, plural: string, subresource: string): boolean {
  const [resource = "", sub = ""] = rule.split("/");
  if (resource !== "*" && resource !== plural) return false;
  return sub === subresource || sub === "*";
}

function has(list: readonly string[] | undefined, wanted: string): boolean {
  return list !== undefined && (list.includes("*") || list.includes(wanted));
}

function inNamespace(
  store: Store,
  { namespaceSelector }: MutatingWebhook | ValidatingWebhook,
  { type, namespace, object, oldObject }: AdmissionAttributes,
): boolean {
  if (namespaceSelector === undefined) return true;
  // A namespace is judged by its own labels, other objects without a namespace not at all.
  if (type.storedAs === "namespaces") return matchesSelector(namespaceSelector, labelsOf(object ?? oldObject));
  return !type.namespaced || matchesSelector(namespaceSelector, labelsOf(store.get("namespaces", "", namespace)));
}

function onObject(
  { objectSelector }: MutatingWebhook | ValidatingWebhook,
  { object, oldObject }: AdmissionAttributes,
): boolean {
  if (objectSelector === undefined) return true;
  return [object, oldObject].some((each) => each !== undefined && matchesSelector(objectSelector, labelsOf(each)));
}

function labelsOf(object: KubeObject | undefined): Record<string, string> {
  return object?.metadata.labels ?? {};
}
