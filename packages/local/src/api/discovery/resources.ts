import type { ResourceType } from "../../schema/resource-type.ts";

/** One line of discovery: a resource or subresource, what it speaks and what may be done with it. */
export interface DiscoveredResource {
  /** "pods", "pods/log". */
  readonly name: string;
  readonly singularName: string;
  readonly namespaced: boolean;
  readonly kind: string;
  /** Of the kind, where they are not those of the resource. */
  readonly group?: string;
  readonly version?: string;
  readonly verbs: readonly string[];
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
}

const CHANGED = ["get", "patch", "update"] as const;
const CREATED = ["create"] as const;
const STREAMED = ["create", "get"] as const;
const PROXIED = ["create", "delete", "get", "patch", "update"] as const;

interface Subresource {
  readonly name: string;
  readonly kind: string;
  readonly group?: string;
  readonly version?: string;
  readonly verbs: readonly string[];
}

/** Subresources that are not `status` and `scale`, by stored type. */
const SUBRESOURCES: Readonly<Record<string, readonly Subresource[]>> = {
  pods: [
    { name: "attach", kind: "PodAttachOptions", verbs: STREAMED },
    { name: "binding", kind: "Binding", verbs: CREATED },
    { name: "eviction", kind: "Eviction", group: "policy", version: "v1", verbs: CREATED },
    { name: "exec", kind: "PodExecOptions", verbs: STREAMED },
    { name: "log", kind: "Pod", verbs: ["get"] },
    { name: "portforward", kind: "PodPortForwardOptions", verbs: STREAMED },
    { name: "proxy", kind: "PodProxyOptions", verbs: PROXIED },
  ],
  services: [{ name: "proxy", kind: "ServiceProxyOptions", verbs: PROXIED }],
  namespaces: [{ name: "finalize", kind: "Namespace", verbs: ["update"] }],
  serviceaccounts: [
    { name: "token", kind: "TokenRequest", group: "authentication.k8s.io", version: "v1", verbs: CREATED },
  ],
};

/** Questions, which are posted and not stored, by group. */
const QUESTIONS: Readonly<Record<string, readonly DiscoveredResource[]>> = {
  "authentication.k8s.io": [question("TokenReview"), question("SelfSubjectReview")],
  "authorization.k8s.io": [
    { ...question("LocalSubjectAccessReview"), namespaced: true },
    question("SelfSubjectAccessReview"),
    question("SelfSubjectRulesReview"),
    question("SubjectAccessReview"),
  ],
};

/** A group with its versions, the preferred one first, and what each serves. */
export interface DiscoveredGroup {
  readonly name: string;
  readonly versions: readonly { readonly version: string; readonly resources: readonly DiscoveredResource[] }[];
}

/** Everything that is served, the core group ("") first. */
export function discoveredGroups(types: readonly ResourceType[]): DiscoveredGroup[] {
  const groups = new Map<string, Map<string, DiscoveredResource[]>>([["", new Map([["v1", []]])]]);
  const add = (group: string, version: string, resources: readonly DiscoveredResource[]): void => {
    const versions = groups.get(group) ?? new Map<string, DiscoveredResource[]>();
    groups.set(group, versions);
    versions.set(version, [...(versions.get(version) ?? []), ...resources]);
  };
  for (const type of types) {
    for (const version of type.versions) add(type.group, version, resourcesOf(type));
  }
  for (const [group, resources] of Object.entries(QUESTIONS)) {
    const known = groups.get(group)?.get("v1") ?? [];
    add(
      group,
      "v1",
      resources.filter(({ name }) => !known.some((other) => other.name === name)),
    );
  }
  return [...groups].map(([name, versions]) => ({
    name,
    versions: [...versions]
      .sort(([a], [b]) => byPreference(a, b))
      .map(([version, resources]) => ({ version, resources })),
  }));
}

function resourcesOf(type: ResourceType): DiscoveredResource[] {
  const { plural, singular, kind, namespaced, verbs, shortNames, categories } = type;
  const own: DiscoveredResource = {
    name: plural,
    singularName: singular,
    namespaced,
    kind,
    verbs: [...verbs].sort(),
    ...(shortNames.length === 0 ? {} : { shortNames }),
    ...(categories.length === 0 ? {} : { categories }),
  };
  const sub = ({ name, ...rest }: Subresource): DiscoveredResource => ({
    name: `${plural}/${name}`,
    singularName: "",
    namespaced,
    ...rest,
  });
  const { status, scale } = type.subresources;
  return [
    own,
    ...(SUBRESOURCES[type.storedAs] ?? []).map(sub),
    ...(scale === undefined
      ? []
      : [sub({ name: "scale", kind: "Scale", group: "autoscaling", version: "v1", verbs: CHANGED })]),
    ...(status ? [sub({ name: "status", kind, verbs: CHANGED })] : []),
  ];
}

function question(kind: string): DiscoveredResource {
  const singularName = kind.toLowerCase();
  return { name: `${singularName}s`, singularName, namespaced: false, kind, verbs: CREATED };
}

/** v2 before v1 before v1beta2 before v1beta1 before v1alpha1, then by the alphabet, as Kubernetes orders versions. */
export function byPreference(a: string, b: string): number {
  const [x, y] = [rankOf(a), rankOf(b)];
  for (let i = 0; i < x.length; i++) {
    const difference = (y[i] ?? 0) - (x[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a < b ? -1 : Number(a > b);
}

function rankOf(version: string): readonly [stability: number, major: number, minor: number] {
  const match = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(version);
  if (match === null) return [0, 0, 0];
  const stability = match[2] === undefined ? 3 : match[2] === "beta" ? 2 : 1;
  return [stability, Number(match[1]), Number(match[3] ?? "0")];
}
