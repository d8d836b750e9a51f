import { readFileSync } from "node:fs";
import type { Container, Pod } from "@bowline/kube";
import { ContainerConfigError } from "../environment/config-error.ts";
import type { ImageDefinition } from "../types.ts";
import type { ContainerUser } from "./launch.ts";

interface PasswdEntry {
  readonly gid: number;
  readonly home: string;
}

/** Whom a container runs as. @throws ContainerConfigError when that is root and must not be */
export function containerUser(
  pod: Pod,
  container: Container,
  image: ImageDefinition,
): ContainerUser & { home: string } {
  const [ofPod, own] = [pod.spec?.securityContext ?? {}, container.securityContext ?? {}];
  const uid = own.runAsUser ?? ofPod.runAsUser ?? image.user ?? 0;
  if ((own.runAsNonRoot ?? ofPod.runAsNonRoot) === true && uid === 0) {
    const { name, namespace, uid: podUid } = pod.metadata;
    const where = `(pod: "${name}_${namespace}(${podUid})", container: ${container.name})`;
    throw new ContainerConfigError(`container has runAsNonRoot and image will run as root ${where}`);
  }
  const entry = passwdEntry(uid, readFileSync("/etc/passwd", "utf8"));
  const groups = [...(ofPod.supplementalGroups ?? []), ...(ofPod.fsGroup === undefined ? [] : [ofPod.fsGroup])];
  return {
    uid,
    gid: own.runAsGroup ?? ofPod.runAsGroup ?? entry?.gid ?? 0,
    groups: [...new Set(groups)],
    home: entry?.home ?? "/",
  };
}

export function passwdEntry(uid: number, passwd: string): PasswdEntry | undefined {
  const fields = passwd.split("\n").find((line) => line.split(":")[2] === String(uid));
  const [, , , gid, , home] = fields?.split(":") ?? [];
  return gid === undefined || home === undefined ? undefined : { gid: Number(gid), home: home === "" ? "/" : home };
}
