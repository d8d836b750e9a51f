import { chmodSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { Container, Pod } from "@bowline/kube";
import { capabilitySets } from "../container/capabilities.ts";
import type { BindMount, ContainerLaunch } from "../container/launch.ts";
import { containerUser } from "../container/user.ts";
import { ContainerConfigError } from "../environment/config-error.ts";
import { containerEnvironment } from "../environment/environment.ts";
import { expandVariables } from "../environment/expand.ts";
import type { PodPlace } from "../environment/pod-field.ts";
import type { ImageDefinition } from "../types.ts";
import { containerMounts } from "../volume/container-mounts.ts";
import type { PodVolumes } from "../volume/pod-volumes.ts";
import { hostnameOf } from "./etc-files.ts";
import type { PodCluster } from "./node-context.ts";

export const TERMINATION_LOG = "/dev/termination-log";

/** What of a pod its containers are made from. */
export interface LaunchSources {
  readonly pod: Pod;
  readonly place: PodPlace;
  readonly cluster: PodCluster;
  readonly volumes: PodVolumes;
  /** The pod's own layer, over those of the image. */
  readonly layer: string;
}

/**
 * Puts together one run of a container.
 * @param directory of that run
 * @throws ContainerConfigError
 */
export function buildLaunch(container: Container, directory: string, sources: LaunchSources): ContainerLaunch {
  const { pod, cluster } = sources;
  const { machine } = cluster.context;
  const image = resolveImage(container, cluster);
  const user = containerUser(pod, container, image);
  const own = container.securityContext ?? {};
  const env = containerEnvironment({
    pod,
    container,
    image,
    place: sources.place,
    hostname: hostnameOf(pod),
    home: user.home,
    configMap: cluster.configMap,
    secret: cluster.secret,
    services: cluster.services(),
    apiService: cluster.apiService(),
  });
  const privileged = own.privileged === true;
  const { add = [], drop = [] } = own.capabilities ?? {};
  return {
    layers: [machine.baseLayer, ...(image.layers ?? []).toReversed(), sources.layer],
    hostMounts: machine.hostMounts,
    fstab: machine.fstab,
    hostname: hostnameOf(pod),
    sysctls: sysctlsOf(pod),
    mounts: [
      ...imageMounts(image),
      ...containerMounts(container, sources.volumes, env),
      ...terminationMount(container, directory),
    ],
    readOnlyRoot: own.readOnlyRootFilesystem === true,
    privileged,
    user,
    capabilities: capabilitySets({ privileged, add, drop, root: user.uid === 0 }, machine.capabilities),
    noNewPrivileges: own.allowPrivilegeEscalation === false && !privileged,
    env,
    workingDir: container.workingDir || image.workingDir || "/",
    argv: commandOf(container, image).map((word) => expandVariables(word, env)),
    stdin: container.stdin === true,
  };
}

/** As an image's ENTRYPOINT and CMD and a container's `command` and `args` go together. */
function commandOf(container: Container, image: ImageDefinition): readonly string[] {
  const { command = [], args = [] } = container;
  if (command.length > 0) return [...command, ...args];
  return [...(image.command ?? []), ...(args.length > 0 ? args : (image.args ?? []))];
}

function resolveImage(container: Container, cluster: PodCluster): ImageDefinition {
  const name = container.image ?? "";
  const image = cluster.context.options.images.resolve(name);
  if (image !== undefined && commandOf(container, image).length > 0) return image;
  if (container.command !== undefined && container.command.length > 0) return image ?? {};
  const problem = image === undefined ? "is not in this cluster's table of images" : "has no command there";
  throw new ContainerConfigError(
    `image ${JSON.stringify(name)} ${problem}: the embedded cluster pulls nothing. Map the image to a command of this machine in ` +
      "the cluster's configuration (images), or give the container a `command`",
    "ErrImagePull",
  );
}

function imageMounts({ mounts = [] }: ImageDefinition): BindMount[] {
  return mounts.map(({ source, target }) => ({
    source,
    target,
    readOnly: true,
    directory: statSync(source).isDirectory(),
  }));
}

/** Like Docker and containerd we let everybody bind to low ports within the pod. */
function sysctlsOf({ spec }: Pod): [name: string, value: string][] {
  if (spec?.hostNetwork === true) return [];
  const given = (spec?.securityContext?.sysctls ?? []).map(({ name, value }): [string, string] => [name, value]);
  return [["net.ipv4.ip_unprivileged_port_start", "0"], ...given];
}

/** The usual path is a file of the base layer, unless nothing can be written there. */
export function hasTerminationMount(container: Container): boolean {
  const path = container.terminationMessagePath ?? TERMINATION_LOG;
  return path !== TERMINATION_LOG || container.securityContext?.readOnlyRootFilesystem === true;
}

function terminationMount(container: Container, directory: string): BindMount[] {
  if (!hasTerminationMount(container)) return [];
  const source = join(directory, basename(TERMINATION_LOG));
  mkdirSync(directory, { recursive: true });
  writeFileSync(source, "");
  chmodSync(source, 0o666);
  return [{ source, target: container.terminationMessagePath ?? TERMINATION_LOG, readOnly: false, directory: false }];
}
