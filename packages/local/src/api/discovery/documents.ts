import type { DiscoveredGroup, DiscoveredResource } from "./resources.ts";

/** GET /api. */
export function apiVersions(address: string): unknown {
  const serverAddressByClientCIDRs = [{ clientCIDR: "0.0.0.0/0", serverAddress: address }];
  return { kind: "APIVersions", versions: ["v1"], serverAddressByClientCIDRs };
}

/** GET /apis. */
export function groupList(groups: readonly DiscoveredGroup[]): unknown {
  return { kind: "APIGroupList", apiVersion: "v1", groups: groups.filter(({ name }) => name !== "").map(groupEntry) };
}

/** GET /apis/GROUP. */
export function group(found: DiscoveredGroup): unknown {
  return { kind: "APIGroup", apiVersion: "v1", ...groupEntry(found) };
}

/** GET /api/v1 and /apis/GROUP/VERSION. */
export function resourceList(groupVersion: string, resources: readonly DiscoveredResource[]): unknown {
  return { kind: "APIResourceList", apiVersion: "v1", groupVersion, resources };
}

/**
 * GET /api and /apis, aggregated: all in one answer.
 * @param version of apidiscovery.k8s.io, "v2" or "v2beta1", which are alike
 */
export function aggregated(groups: readonly DiscoveredGroup[], version: string): unknown {
  const items = groups.map(({ name, versions }) => ({
    metadata: { ...(name === "" ? {} : { name }), creationTimestamp: null },
    versions: versions.map(({ version: each, resources }) => ({
      version: each,
      resources: aggregatedResources(name, each, resources),
      freshness: "Current",
    })),
  }));
  return { kind: "APIGroupDiscoveryList", apiVersion: `apidiscovery.k8s.io/${version}`, metadata: {}, items };
}

function groupEntry({ name, versions }: DiscoveredGroup): Record<string, unknown> {
  const entries = versions.map(({ version }) => ({ groupVersion: `${name}/${version}`, version }));
  return { name, versions: entries, preferredVersion: entries[0] };
}

function aggregatedResources(group: string, version: string, resources: readonly DiscoveredResource[]): unknown[] {
  const kindOf = (resource: DiscoveredResource): unknown => ({
    group: resource.group ?? group,
    version: resource.version ?? version,
    kind: resource.kind,
  });
  return resources
    .filter(({ name }) => !name.includes("/"))
    .map((resource) => {
      const { name, singularName, namespaced, verbs, shortNames, categories } = resource;
      const below = resources.filter((other) => other.name.startsWith(`${name}/`));
      return {
        resource: name,
        responseKind: kindOf(resource),
        scope: namespaced ? "Namespaced" : "Cluster",
        singularResource: singularName,
        verbs,
        ...(shortNames === undefined ? {} : { shortNames }),
        ...(categories === undefined ? {} : { categories }),
        ...(below.length === 0
          ? {}
          : {
              subresources: below.map((sub) => ({
                subresource: sub.name.slice(name.length + 1),
                responseKind: kindOf(sub),
                verbs: sub.verbs,
              })),
            }),
      };
    });
}
