import { chmodSync, chownSync, existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Pod, parseQuantity, type Volume } from "@bowline/kube";
import type { HostPathVolumeSource } from "kubernetes-types/core/v1";
import { AtomicDirectory } from "./atomic-directory.ts";
import { isMounted, mountTmpfs } from "./mount-table.ts";
import {
  configMapPayload,
  DEFAULT_FILE_MODE,
  downwardPayload,
  MountFailure,
  type Payload,
  type PayloadSources,
  projectedPayload,
  secretPayload,
} from "./payload.ts";
import { TokenCache } from "./token-cache.ts";

/** Makes the payload of a volume whose files come out of the cluster; undefined for other kinds. */
type PayloadOf = (() => Promise<Payload> | Payload) | undefined;

/** A pod's volumes as paths of the machine, below `directory` or, of hostPath volumes, anywhere. */
export class PodVolumes {
  #pod: Pod;
  readonly #directory: string;
  readonly #cluster: Omit<PayloadSources, "pod">;
  readonly #tokens: TokenCache;
  readonly #projections = new Map<string, { directory: AtomicDirectory; payload: NonNullable<PayloadOf> }>();
  readonly #paths = new Map<string, string>();

  constructor(pod: Pod, directory: string, cluster: Omit<PayloadSources, "pod">) {
    this.#pod = pod;
    this.#directory = directory;
    this.#tokens = new TokenCache(cluster.token);
    this.#cluster = { ...cluster, token: (request) => this.#tokens.get(request) };
  }

  /** Where a volume is; undefined for a name that the pod has none of. */
  path(name: string): string | undefined {
    return this.#paths.get(name);
  }

  /** Whether only the node writes to a volume, whatever a container asks for: as in Kubernetes, all that comes out of the cluster. */
  isReadOnly(name: string): boolean {
    return this.#projections.has(name);
  }

  /** When a service account token must be renewed; undefined without any. */
  get refreshAtMs(): number | undefined {
    return this.#tokens.refreshAtMs;
  }

  /** Makes what is not there yet. @throws MountFailure for what the cluster or the machine does not have */
  async prepare(): Promise<void> {
    for (const volume of this.#pod.spec?.volumes ?? []) {
      if (this.#paths.has(volume.name)) continue;
      try {
        this.#paths.set(volume.name, await this.#make(volume));
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        throw new MountFailure(`MountVolume.SetUp failed for volume ${JSON.stringify(volume.name)} : ${why}`);
      }
    }
  }

  /** Writes again what has changed in the cluster or is about to expire. What has vanished from the cluster stays. */
  async refresh(pod: Pod): Promise<void> {
    this.#pod = pod;
    for (const { directory, payload } of this.#projections.values()) {
      try {
        await directory.write(await payload());
      } catch (error) {
        if (!(error instanceof MountFailure)) throw error;
      }
    }
  }

  async #make(volume: Volume): Promise<string> {
    const path = join(this.#directory, volume.name);
    const payload = this.#payloadOf(volume);
    if (payload !== undefined) {
      const directory = new AtomicDirectory(path, this.#pod.spec?.securityContext?.fsGroup);
      await directory.write(await payload());
      this.#projections.set(volume.name, { directory, payload });
      return path;
    }
    if (volume.emptyDir !== undefined) {
      makeEmptyDirectory(path, volume.emptyDir, this.#pod.spec?.securityContext?.fsGroup);
      return path;
    }
    if (volume.hostPath !== undefined) return checkHostPath(volume.hostPath);
    const kind = Object.keys(volume).find((key) => key !== "name") ?? "emptyDir";
    throw new MountFailure(`the embedded cluster has no ${kind} volumes`);
  }

  /** Each call asks the pod and the cluster anew. */
  #payloadOf({ configMap, secret, downwardAPI, projected }: Volume): PayloadOf {
    const sources = () => ({ ...this.#cluster, pod: this.#pod });
    const mode = (given?: number) => given ?? DEFAULT_FILE_MODE;
    if (configMap !== undefined) {
      return () => configMapPayload(configMap.name ?? "", configMap, mode(configMap.defaultMode), sources());
    }
    if (secret !== undefined) {
      return () => secretPayload(secret.secretName ?? "", secret, mode(secret.defaultMode), sources());
    }
    if (downwardAPI !== undefined) {
      return () => downwardPayload(downwardAPI.items ?? [], mode(downwardAPI.defaultMode), sources());
    }
    if (projected !== undefined) {
      return () => projectedPayload(projected.sources ?? [], mode(projected.defaultMode), sources());
    }
    return undefined;
  }
}

function makeEmptyDirectory(
  path: string,
  source: { medium?: string; sizeLimit?: string },
  group: number | undefined,
): void {
  if (!existsSync(path)) mkdirSync(path, { recursive: true });
  if (source.medium === "Memory" && !isMounted(path)) {
    mountTmpfs(path, source.sizeLimit === undefined ? undefined : parseQuantity(source.sizeLimit));
  }
  if (group !== undefined) chownSync(path, 0, group);
  chmodSync(path, group === undefined ? 0o777 : 0o2777);
}

/** @throws MountFailure in kubelet's words */
function checkHostPath({ path, type = "" }: HostPathVolumeSource): string {
  if (type === "DirectoryOrCreate" && !existsSync(path)) mkdirSync(path, { recursive: true, mode: 0o755 });
  if (type === "FileOrCreate" && !existsSync(path)) writeFileSync(path, "");
  const found = existsSync(path) ? statSync(path) : undefined;
  const fail = (what: string) => new MountFailure(`hostPath type check failed: ${path} is not ${what}`);
  if (type.startsWith("Directory") && found?.isDirectory() !== true) throw fail("a directory");
  if (type.startsWith("File") && found?.isFile() !== true) throw fail("a file");
  if (type === "Socket" && found?.isSocket() !== true) throw fail("a socket file");
  if (type === "CharDevice" && found?.isCharacterDevice() !== true) throw fail("a character device");
  if (type === "BlockDevice" && found?.isBlockDevice() !== true) throw fail("a block device");
  if (found === undefined) throw new MountFailure(`hostPath ${path} does not exist`);
  return path;
}
