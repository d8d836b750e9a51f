import type { ControllerRevision, Pod, StatefulSet } from "@bowline/kube";
import { templateOf } from "../controller-revisions.ts";
import { podFromTemplate } from "../pod-factory.ts";

const POD_NAME = "statefulset.kubernetes.io/pod-name";
const POD_INDEX = "apps.kubernetes.io/pod-index";
const REVISION = "controller-revision-hash";

/** The number at the end of the pod's name; undefined when it is no name of this set. */
export function ordinalOf(set: StatefulSet, pod: Pod): number | undefined {
  const prefix = `${set.metadata.name}-`;
  if (!pod.metadata.name.startsWith(prefix)) return undefined;
  const digits = pod.metadata.name.slice(prefix.length);
  return /^(0|[1-9][0-9]*)$/.test(digits) ? Number(digits) : undefined;
}

/** The name of the revision the pod was made from. */
export function revisionNameOf(pod: Pod): string {
  return pod.metadata.labels?.[REVISION] ?? "";
}

/** The pod of one ordinal, whose name, host name and claims are the same whenever it is made anew. */
export function statefulPod(set: StatefulSet, ordinal: number, revision: ControllerRevision): Pod {
  const name = `${set.metadata.name}-${ordinal}`;
  const pod = podFromTemplate({
    template: templateOf(revision),
    owner: set,
    name,
    labels: { [POD_NAME]: name, [POD_INDEX]: String(ordinal), [REVISION]: revision.metadata.name },
  });
  if (pod.spec === undefined) return pod;
  pod.spec.hostname = name;
  pod.spec.subdomain = set.spec?.serviceName ?? "";
  const claims = set.spec?.volumeClaimTemplates ?? [];
  const claimed = new Set(claims.map((claim) => claim.metadata?.name));
  const volumes = (pod.spec.volumes ?? []).filter((volume) => !claimed.has(volume.name));
  for (const claim of claims) {
    const claimName = `${claim.metadata?.name}-${name}`;
    volumes.push({ name: claim.metadata?.name ?? "", persistentVolumeClaim: { claimName } });
  }
  if (volumes.length > 0) pod.spec.volumes = volumes;
  return pod;
}
