import { ApiError } from "./api-error.ts";
import type { ResourceRef } from "./resources.ts";
import { splitApiVersion } from "./resources.ts";

/** A kind that a server has, as discovery says. */
export interface DiscoveredResource extends ResourceRef {
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly verbs: readonly string[];
  /** Whether this is the version that the server prefers of the group. */
  readonly preferred: boolean;
}

type GetJson = (path: string) => Promise<unknown>;

/**
 * Asks a server for all its kinds, in every version, the preferred version of each group first. Groups that fail, as
 * those of an aggregated API whose server is down, are left out.
 */
export async function discover(get: GetJson): Promise<DiscoveredResource[]> {
  const [core, groups] = await Promise.all([get("/api"), get("/apis")]);
  const versions = [
    ...(core as ApiVersions).versions.map((version, at) => ({ path: `/api/${version}`, preferred: at === 0 })),
    ...(groups as ApiGroups).groups.flatMap((group) =>
      inPreference(group).map((groupVersion, at) => ({ path: `/apis/${groupVersion}`, preferred: at === 0 })),
    ),
  ];
  const found = await Promise.all(versions.map(({ path, preferred }) => resourcesAt(get, path, preferred)));
  return found.flat();
}

interface ApiVersions {
  readonly versions: readonly string[];
}

interface ApiGroups {
  readonly groups: readonly ApiGroup[];
}

interface ApiGroup {
  readonly versions: readonly { readonly groupVersion: string }[];
  readonly preferredVersion?: { readonly groupVersion: string };
}

interface ApiResources {
  readonly groupVersion: string;
  readonly resources: readonly {
    readonly name: string;
    readonly singularName?: string;
    readonly kind: string;
    readonly namespaced: boolean;
    readonly verbs: readonly string[];
    readonly shortNames?: readonly string[];
    readonly categories?: readonly string[];
  }[];
}

function inPreference({ versions, preferredVersion }: ApiGroup): string[] {
  const all = versions.map(({ groupVersion }) => groupVersion);
  const first = preferredVersion?.groupVersion;
  return first === undefined ? all : [first, ...all.filter((version) => version !== first)];
}

async function resourcesAt(get: GetJson, path: string, preferred: boolean): Promise<DiscoveredResource[]> {
  let answer: ApiResources;
  try {
    answer = (await get(path)) as ApiResources;
  } catch (error) {
    if (error instanceof ApiError) return [];
    throw error;
  }
  const groupVersion = splitApiVersion(answer.groupVersion);
  return answer.resources
    .filter(({ name }) => !name.includes("/"))
    .map(({ name, singularName = "", kind, namespaced, verbs, shortNames = [], categories = [] }) => ({
      ...groupVersion,
      plural: name,
      singular: singularName === "" ? kind.toLowerCase() : singularName,
      kind,
      namespaced,
      verbs,
      shortNames,
      categories,
      preferred,
    }));
}
