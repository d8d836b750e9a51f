import { isObject, type JsonObject, objectAt, objectsAt, textAt } from "../schema.ts";
import { validateFieldRef } from "./container.ts";
import type { FieldErrors } from "./field-errors.ts";
import { report } from "./metadata.ts";
import { dnsLabel } from "./names.ts";

/** @returns the names, which mounts may refer to */
export function validateVolumes(volumes: readonly JsonObject[], path: string, errors: FieldErrors): Set<string> {
  const names = new Set<string>();
  volumes.forEach((volume, index) => {
    const at = `${path}[${index}]`;
    const name = textAt(volume, "name");
    if (name !== "") report(errors, `${at}.name`, name, dnsLabel(name));
    if (name !== "" && names.has(name)) errors.duplicate(`${at}.name`, name);
    names.add(name);
    const sources = Object.keys(volume).filter((field) => field !== "name");
    if (sources.length === 0) errors.required(at, "must specify a volume type");
    for (const extra of sources.slice(1)) errors.forbidden(`${at}.${extra}`, "may not specify more than 1 volume type");
    validateSource(volume, at, errors);
  });
  return names;
}

function validateSource(volume: JsonObject, at: string, errors: FieldErrors): void {
  const { configMap, secret, hostPath, downwardAPI, projected } = volume;
  if (isObject(configMap)) {
    if (textAt(configMap, "name") === "") errors.required(`${at}.configMap.name`);
    validateItems(configMap, `${at}.configMap`, errors);
  }
  if (isObject(secret)) {
    if (textAt(secret, "secretName") === "") errors.required(`${at}.secret.secretName`);
    validateItems(secret, `${at}.secret`, errors);
  }
  if (isObject(hostPath)) validateRelative(textAt(hostPath, "path"), `${at}.hostPath.path`, errors, true);
  if (isObject(downwardAPI)) validateDownward(downwardAPI, `${at}.downwardAPI`, errors);
  if (isObject(projected)) validateProjected(projected, `${at}.projected`, errors);
}

function validateProjected(projected: JsonObject, path: string, errors: FieldErrors): void {
  validateMode(projected, path, errors);
  objectsAt(projected, "sources").forEach((source, index) => {
    const at = `${path}.sources[${index}]`;
    if (Object.keys(source).length > 1) errors.forbidden(at, "may not specify more than 1 volume type");
    for (const name of ["configMap", "secret"]) {
      const value = source[name];
      if (!isObject(value)) continue;
      if (textAt(value, "name") === "") errors.required(`${at}.${name}.name`);
      validateItems(value, `${at}.${name}`, errors);
    }
    if (isObject(source["downwardAPI"])) validateDownward(source["downwardAPI"], `${at}.downwardAPI`, errors);
    const token = objectAt(source, "serviceAccountToken");
    const seconds = token["expirationSeconds"];
    if (typeof seconds === "number" && seconds < 600) {
      errors.invalid(
        `${at}.serviceAccountToken.expirationSeconds`,
        seconds,
        "may not specify a duration less than 10 minutes",
      );
    }
    if (typeof token["path"] === "string") validateRelative(token["path"], `${at}.serviceAccountToken.path`, errors);
  });
}

function validateItems(source: JsonObject, path: string, errors: FieldErrors): void {
  validateMode(source, path, errors);
  objectsAt(source, "items").forEach((item, index) => {
    validateRelative(textAt(item, "path"), `${path}.items[${index}].path`, errors);
    validateMode(item, `${path}.items[${index}]`, errors, "mode");
  });
}

function validateDownward(source: JsonObject, path: string, errors: FieldErrors): void {
  validateMode(source, path, errors);
  objectsAt(source, "items").forEach((item, index) => {
    const at = `${path}.items[${index}]`;
    validateRelative(textAt(item, "path"), `${at}.path`, errors);
    validateFieldRef(item["fieldRef"], `${at}.fieldRef`, FILE_FIELDS, errors);
  });
}

const FILE_FIELDS = ["metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"];

function validateMode(source: JsonObject, path: string, errors: FieldErrors, field = "defaultMode"): void {
  const mode = source[field];
  if (typeof mode !== "number" || (mode >= 0 && mode <= 0o777)) return;
  errors.invalid(`${path}.${field}`, mode, "must be a number between 0 and 0777 (octal), both inclusive");
}

function validateRelative(text: string, path: string, errors: FieldErrors, absolute = false): void {
  if (!absolute && text.startsWith("/")) errors.invalid(path, text, "must be a relative path");
  if (text.split("/").includes("..")) errors.invalid(path, text, "must not contain '..'");
}
