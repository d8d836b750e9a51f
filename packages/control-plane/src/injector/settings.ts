import { CONFIG_ANNOTATION, INJECT_ANNOTATION } from "@bowline/contracts";
import type { EnvVarValue, Values } from "../values.ts";
import { ANNOTATION_EFFECTS } from "./annotation-effects.ts";
import { isObject } from "./json-object.ts";

type Writable<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { -readonly [Key in keyof T]: Writable<T[Key]> }
    : T;

/** The values that hold for one pod: the control plane's, changed by annotations. */
export interface Settings {
  readonly values: Values;
  readonly debug: DebugSettings | null;
}

export interface DebugSettings {
  readonly image: string;
  readonly pullPolicy: string;
}

/** What an annotation's effect writes to. */
export interface SettingsDraft {
  readonly values: Writable<Values>;
  /** Names of the pod's container ports. */
  readonly namedPorts: ReadonlyMap<string, number>;
  debug: boolean;
}

export interface SettingsInput {
  readonly values: Values;
  readonly namespaceAnnotations: Readonly<Record<string, string>>;
  readonly podAnnotations: Readonly<Record<string, string>>;
  readonly namedPorts: ReadonlyMap<string, number>;
  /** Told of every annotation whose value can't be used; it then has no effect. */
  readonly warn: (complaint: SettingsComplaint) => unknown;
}

export interface SettingsComplaint {
  readonly annotation: string;
  readonly text: string;
  readonly reason: string;
}

/** The pod's annotations before its namespace's before the control plane's values; only additional env is merged. */
export function settingsOf(input: SettingsInput): Settings {
  const draft: SettingsDraft = {
    values: structuredClone(input.values) as Writable<Values>,
    namedPorts: input.namedPorts,
    debug: false,
  };
  const annotations = { ...input.namespaceAnnotations, ...input.podAnnotations };
  for (const [name, effect] of ANNOTATION_EFFECTS) {
    const text = annotations[name];
    if (text === undefined) continue;
    const reason = effect(draft, text);
    if (reason !== null) input.warn({ annotation: name, text, reason });
  }
  draft.values.proxy.isIngress ||= annotations[INJECT_ANNOTATION] === "ingress";
  draft.values.proxy.additionalEnv = mergedEnv(input);
  return { values: draft.values, debug: draft.debug ? debugSettings(draft.values) : null };
}

/** What annotations would change in the values of any pod, and the complaints about those that can't be used. */
export function valuesWith(
  values: Values,
  podAnnotations: Readonly<Record<string, string>>,
): { readonly values: Values; readonly complaints: readonly SettingsComplaint[] } {
  const complaints: SettingsComplaint[] = [];
  const warn = (complaint: SettingsComplaint): unknown => complaints.push(complaint);
  const settings = settingsOf({ values, namespaceAnnotations: {}, podAnnotations, namedPorts: new Map(), warn });
  return { values: settings.values, complaints };
}

/** The reference of a container's image. */
export function imageReference(image: { readonly name: string; readonly version: string }, values: Values): string {
  // A digest, or a tag within the name, says the version itself.
  if (/@sha256:|:[^/]+$/.test(image.name)) return image.name;
  return `${image.name}:${image.version || values.linkerdVersion}`;
}

function debugSettings(values: Values): DebugSettings {
  const { image } = values.debugContainer;
  return { image: imageReference(image, values), pullPolicy: image.pullPolicy || values.imagePullPolicy };
}

function mergedEnv({ values, namespaceAnnotations, podAnnotations, warn }: SettingsInput): readonly EnvVarValue[] {
  const byName = new Map(values.proxy.additionalEnv.map((variable) => [variable.name, variable]));
  for (const annotations of [namespaceAnnotations, podAnnotations]) {
    const text = annotations[CONFIG_ANNOTATION.proxyAdditionalEnv];
    if (text === undefined) continue;
    const variables = parseEnv(text);
    if (variables === null) {
      const reason = 'not a JSON list of variables such as [{"name":"A","value":"b"}]';
      warn({ annotation: CONFIG_ANNOTATION.proxyAdditionalEnv, text, reason });
    } else for (const variable of variables) byName.set(variable.name, variable);
  }
  return [...byName.values()];
}

function parseEnv(text: string): readonly EnvVarValue[] | null {
  try {
    const parsed: unknown = JSON.parse(text);
    return Array.isArray(parsed) && parsed.every(isEnvVar) ? parsed : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

function isEnvVar(value: unknown): value is EnvVarValue {
  if (!isObject(value) || typeof value["name"] !== "string" || value["name"] === "") return false;
  const plain = value["value"] === undefined || typeof value["value"] === "string";
  return plain && (value["valueFrom"] === undefined || isObject(value["valueFrom"]));
}
