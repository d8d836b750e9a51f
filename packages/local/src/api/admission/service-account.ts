import { ApiError, type Pod, type ServiceAccount } from "@bowline/kube";
import type { Container, Volume } from "kubernetes-types/core/v1";
import type { Store } from "../storage/store.ts";
import { generateName } from "../write/metadata.ts";

const MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount";
const VOLUME_PREFIX = "kube-api-access-";
/** An hour and a few seconds, by which Kubernetes tells its own tokens from asked-for ones. */
const TOKEN_SECONDS = 3607;
/** 0644. */
const FILE_MODE = 0o644;

/**
 * Gives a new pod its service account, and every container the account's token, unless pod or account does not want it.
 * Doing so twice changes only containers that came in between.
 */
export function mountServiceAccount(store: Store, namespace: string, pod: Pod): void {
  const { spec } = pod;
  if (spec === undefined) return;
  const name = spec.serviceAccountName || spec.serviceAccount || "default";
  spec.serviceAccountName = name;
  spec.serviceAccount = name;
  const account = store.get("serviceaccounts", namespace, name) as ServiceAccount | undefined;
  if (account === undefined) {
    const why = `error looking up service account ${namespace}/${name}: serviceaccount ${JSON.stringify(name)} not found`;
    throw ApiError.forbidden("pods", pod.metadata.name ?? "", why);
  }
  if (spec.imagePullSecrets === undefined && account.imagePullSecrets !== undefined) {
    spec.imagePullSecrets = structuredClone(account.imagePullSecrets);
  }
  if (!(spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true)) return;
  const without = [...(spec.initContainers ?? []), ...spec.containers].filter((container) => !hasMount(container));
  if (without.length === 0) return;
  const volumes = spec.volumes ?? [];
  let volume = volumes.find((each) => each.name.startsWith(VOLUME_PREFIX));
  if (volume === undefined) {
    volume = tokenVolume(generateName(VOLUME_PREFIX));
    spec.volumes = [...volumes, volume];
  }
  for (const container of without) {
    const mount = { name: volume.name, readOnly: true, mountPath: MOUNT_PATH };
    container.volumeMounts = [...(container.volumeMounts ?? []), mount];
  }
}

function hasMount(container: Container): boolean {
  return container.volumeMounts?.some(({ mountPath }) => mountPath === MOUNT_PATH) ?? false;
}

function tokenVolume(name: string): Volume {
  return {
    name,
    projected: {
      defaultMode: FILE_MODE,
      sources: [
        { serviceAccountToken: { expirationSeconds: TOKEN_SECONDS, path: "token" } },
        { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
        {
          downwardAPI: {
            items: [{ path: "namespace", fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } }],
          },
        },
      ],
    },
  };
}
