import type { ConfigMap, Container, Pod, Secret } from "@bowline/kube";
import type { DownwardAPIVolumeFile, KeyToPath, VolumeProjection } from "kubernetes-types/core/v1";
import { type PodPlace, podField, resourceField } from "../environment/pod-field.ts";

interface PayloadFile {
  readonly bytes: Uint8Array;
  readonly mode: number;
}

/** The files of a volume by their paths within it. */
export type Payload = Map<string, PayloadFile>;

/** A volume can't be made of what the cluster has now; it is tried again. The message is for an event. */
export class MountFailure extends Error {}

export const DEFAULT_FILE_MODE = 0o644;

export interface PayloadSources {
  readonly pod: Pod;
  readonly place: PodPlace;
  readonly configMap: (name: string) => ConfigMap | undefined;
  readonly secret: (name: string) => Secret | undefined;
  readonly token: (request: { audience: string | undefined; expirationSeconds: number }) => Promise<string>;
}

interface KeyedSource {
  readonly items?: readonly KeyToPath[];
  readonly optional?: boolean;
}

export function configMapPayload(name: string, source: KeyedSource, mode: number, sources: PayloadSources): Payload {
  const map = sources.configMap(name);
  if (map === undefined && source.optional !== true)
    throw new MountFailure(`configmap ${JSON.stringify(name)} not found`);
  const content = new Map([
    ...Object.entries(map?.data ?? {}).map(([key, text]) => [key, Buffer.from(text)] as const),
    ...Object.entries(map?.binaryData ?? {}).map(([key, base64]) => [key, Buffer.from(base64, "base64")] as const),
  ]);
  return pick(content, source, mode, "configmap", `${sources.pod.metadata.namespace}/${name}`);
}

export function secretPayload(name: string, source: KeyedSource, mode: number, sources: PayloadSources): Payload {
  const secret = sources.secret(name);
  if (secret === undefined && source.optional !== true)
    throw new MountFailure(`secret ${JSON.stringify(name)} not found`);
  const entries = Object.entries(secret?.data ?? {});
  const content = new Map(entries.map(([key, base64]) => [key, Buffer.from(base64, "base64")]));
  return pick(content, source, mode, "secret", `${sources.pod.metadata.namespace}/${name}`);
}

export function downwardPayload(
  items: readonly DownwardAPIVolumeFile[],
  mode: number,
  sources: PayloadSources,
): Payload {
  const { pod, place } = sources;
  return new Map(
    items.map((item) => {
      const text =
        item.fieldRef === undefined ? resourceText(item, pod, place) : podField(pod, item.fieldRef.fieldPath, place);
      return [item.path, { bytes: Buffer.from(text), mode: item.mode ?? mode }];
    }),
  );
}

/** Later sources win over earlier ones that want the same path. */
export async function projectedPayload(
  projections: readonly VolumeProjection[],
  mode: number,
  sources: PayloadSources,
): Promise<Payload> {
  const parts: Payload[] = [];
  for (const { configMap, secret, downwardAPI, serviceAccountToken } of projections) {
    if (configMap !== undefined) parts.push(configMapPayload(configMap.name ?? "", configMap, mode, sources));
    if (secret !== undefined) parts.push(secretPayload(secret.name ?? "", secret, mode, sources));
    if (downwardAPI !== undefined) parts.push(downwardPayload(downwardAPI.items ?? [], mode, sources));
    if (serviceAccountToken !== undefined) {
      const { audience, expirationSeconds = 3600, path } = serviceAccountToken;
      const token = await sources.token({ audience, expirationSeconds });
      parts.push(new Map([[path, { bytes: Buffer.from(token), mode }]]));
    }
  }
  return new Map(parts.flatMap((part) => [...part]));
}

function pick(
  content: ReadonlyMap<string, Uint8Array>,
  { items, optional }: KeyedSource,
  mode: number,
  kind: string,
  name: string,
): Payload {
  if (items === undefined || items.length === 0) {
    return new Map(Array.from(content, ([key, bytes]) => [key, { bytes, mode }]));
  }
  const files: Payload = new Map();
  for (const item of items) {
    const bytes = content.get(item.key);
    if (bytes === undefined && optional === true) continue;
    if (bytes === undefined) throw new MountFailure(`references non-existent ${kind} key: ${item.key} of ${name}`);
    files.set(item.path, { bytes, mode: item.mode ?? mode });
  }
  return files;
}

function resourceText(item: DownwardAPIVolumeFile, pod: Pod, place: PodPlace): string {
  const { containerName, resource, divisor } = item.resourceFieldRef ?? { containerName: "", resource: "" };
  const container: Container | undefined = pod.spec?.containers.find(({ name }) => name === containerName);
  return resourceField(container ?? { name: "" }, resource, divisor, place);
}
