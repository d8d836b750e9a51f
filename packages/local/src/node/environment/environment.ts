import type { ConfigMap, Container, EnvVar, Pod, Secret, Service } from "@bowline/kube";
import type { EnvFromSource } from "kubernetes-types/core/v1";
import { DEFAULT_PATH } from "../container/script.ts";
import type { ImageDefinition } from "../types.ts";
import { ContainerConfigError } from "./config-error.ts";
import { expandVariables } from "./expand.ts";
import { type PodPlace, podField, resourceField } from "./pod-field.ts";
import { serviceVariables } from "./service-variables.ts";

export interface EnvironmentSources {
  readonly pod: Pod;
  readonly container: Container;
  readonly image: ImageDefinition;
  readonly place: PodPlace;
  readonly hostname: string;
  readonly home: string;
  /** Of the pod's namespace. */
  readonly configMap: (name: string) => ConfigMap | undefined;
  readonly secret: (name: string) => Secret | undefined;
  readonly services: readonly Service[];
  /** `default/kubernetes`, which every pod is told of. */
  readonly apiService: Service | undefined;
}

/**
 * The variables of a container, from the weakest source to the strongest: image, services, envFrom, env.
 * @throws ContainerConfigError for a ConfigMap, Secret or key that is needed and absent
 */
export function containerEnvironment(sources: EnvironmentSources): Map<string, string> {
  const { pod, container, image } = sources;
  const variables = new Map([
    ["PATH", DEFAULT_PATH],
    ["HOSTNAME", sources.hostname],
    ["HOME", sources.home],
    ...Object.entries(image.env ?? {}),
  ]);
  const linked = pod.spec?.enableServiceLinks === false ? [] : sources.services;
  for (const service of sources.apiService === undefined ? linked : [...linked, sources.apiService]) {
    for (const [name, value] of serviceVariables(service)) variables.set(name, value);
  }
  for (const from of container.envFrom ?? []) {
    for (const [name, value] of envFrom(from, sources)) variables.set(name, value);
  }
  for (const variable of container.env ?? []) {
    const value = variableValue(variable, variables, sources);
    if (value !== undefined) variables.set(variable.name, value);
  }
  return variables;
}

function envFrom(from: EnvFromSource, sources: EnvironmentSources): [name: string, value: string][] {
  const { configMapRef, secretRef, prefix = "" } = from;
  let entries: [string, string][] = [];
  if (configMapRef !== undefined) {
    const name = configMapRef.name ?? "";
    const map = sources.configMap(name);
    if (map === undefined && configMapRef.optional !== true) throw absent("configmap", name);
    entries = Object.entries(map?.data ?? {});
  } else if (secretRef !== undefined) {
    const name = secretRef.name ?? "";
    const secret = sources.secret(name);
    if (secret === undefined && secretRef.optional !== true) throw absent("secret", name);
    entries = Object.entries(secret?.data ?? {}).map(([key, value]) => [key, decode(value)]);
  }
  // No process can be given a variable with such a name.
  return entries.flatMap(([key, value]) => (/[=\0]/.test(key) ? [] : [[prefix + key, value]]));
}

function variableValue(
  variable: EnvVar,
  before: ReadonlyMap<string, string>,
  sources: EnvironmentSources,
): string | undefined {
  const from = variable.valueFrom;
  if (from === undefined) return expandVariables(variable.value ?? "", before);
  if (from.fieldRef !== undefined) return podField(sources.pod, from.fieldRef.fieldPath, sources.place);
  if (from.resourceFieldRef !== undefined) {
    const { containerName, resource, divisor } = from.resourceFieldRef;
    const named = sources.pod.spec?.containers.find(({ name }) => name === containerName);
    return resourceField(named ?? sources.container, resource, divisor, sources.place);
  }
  const namespace = sources.pod.metadata.namespace ?? "";
  if (from.configMapKeyRef !== undefined) {
    const { name = "", key, optional } = from.configMapKeyRef;
    const map = sources.configMap(name);
    if (map === undefined && optional !== true) throw absent("configmap", name);
    const value = map?.data?.[key];
    if (value === undefined && optional !== true) throw absentKey(key, "ConfigMap", `${namespace}/${name}`);
    return value;
  }
  if (from.secretKeyRef !== undefined) {
    const { name = "", key, optional } = from.secretKeyRef;
    const secret = sources.secret(name);
    if (secret === undefined && optional !== true) throw absent("secret", name);
    const value = secret?.data?.[key];
    if (value === undefined && optional !== true) throw absentKey(key, "Secret", `${namespace}/${name}`);
    return value === undefined ? undefined : decode(value);
  }
  return "";
}

function absent(kind: string, name: string): ContainerConfigError {
  return new ContainerConfigError(`${kind} ${JSON.stringify(name)} not found`);
}

function absentKey(key: string, kind: string, name: string): ContainerConfigError {
  return new ContainerConfigError(`couldn't find key ${key} in ${kind} ${name}`);
}

function decode(base64: string): string {
  return Buffer.from(base64, "base64").toString("utf8");
}
