import { lstatSync, mkdirSync, realpathSync, statSync } from "node:fs";
import { join, normalize } from "node:path";
import type { Container, VolumeMount } from "@bowline/kube";
import type { BindMount } from "../container/launch.ts";
import { ContainerConfigError } from "../environment/config-error.ts";
import { expandVariables } from "../environment/expand.ts";
import type { PodVolumes } from "./pod-volumes.ts";

/** Where a container's volumes go, outer ones before those within them. @throws ContainerConfigError */
export function containerMounts(
  container: Container,
  volumes: PodVolumes,
  env: ReadonlyMap<string, string>,
): BindMount[] {
  const mounts = (container.volumeMounts ?? []).map((mount) => bindMount(mount, volumes, env));
  return mounts.toSorted((a, b) => (a.target < b.target ? -1 : 1));
}

function bindMount(mount: VolumeMount, volumes: PodVolumes, env: ReadonlyMap<string, string>): BindMount {
  const root = volumes.path(mount.name);
  if (root === undefined)
    throw new ContainerConfigError(`volume ${JSON.stringify(mount.name)} is not one of the pod's`);
  const subPath = mount.subPathExpr === undefined ? mount.subPath : expandVariables(mount.subPathExpr, env);
  const source = subPath === undefined || subPath === "" ? root : resolveSubPath(root, subPath);
  const target = normalize(`/${mount.mountPath}`).replace(/(?<=.)\/$/, "");
  return {
    source,
    target,
    readOnly: mount.readOnly === true || volumes.isReadOnly(mount.name),
    directory: statSync(source).isDirectory(),
  };
}

/** A link within a volume must not lead out of it, or a pod could mount what it may not see. */
function resolveSubPath(root: string, subPath: string): string {
  const wanted = join(root, subPath);
  const fail = (why: string) =>
    new ContainerConfigError(`failed to prepare subPath ${JSON.stringify(subPath)}: ${why}`, "CreateContainerError");
  if (!isWithin(wanted, root)) throw fail("it leads out of the volume");
  if (!exists(wanted)) {
    mkdirSync(wanted, { recursive: true });
  }
  const real = realpathSync(wanted);
  if (!isWithin(real, realpathSync(root))) throw fail("it leads out of the volume");
  return real;
}

function isWithin(path: string, root: string): boolean {
  return path === root || path.startsWith(`${root}/`);
}

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}
