import type { KubeObject } from "@bowline/kube";
import { isObject, objectAt, sameJson, textAt } from "../schema.ts";
import { isBase64 } from "../structural/formats.ts";
import type { FieldErrors } from "./field-errors.ts";
import { report, validateImmutable } from "./metadata.ts";
import { configKey } from "./names.ts";

const DATA_BYTES_MAX = 1024 * 1024;

export function validateConfigMap(object: KubeObject, errors: FieldErrors): void {
  const [data, binary] = [objectAt(object, "data"), objectAt(object, "binaryData")];
  let bytes = 0;
  for (const [key, value] of Object.entries(data)) {
    report(errors, `data[${key}]`, key, configKey(key));
    if (binary[key] !== undefined) errors.invalid(`data[${key}]`, key, "duplicate of key present in binaryData");
    bytes += typeof value === "string" ? Buffer.byteLength(value) : 0;
  }
  for (const [key, value] of Object.entries(binary)) {
    report(errors, `binaryData[${key}]`, key, configKey(key));
    if (typeof value === "string" && !isBase64(value))
      errors.invalid(`binaryData[${key}]`, value, "illegal base64 data");
    bytes += typeof value === "string" ? (value.length * 3) / 4 : 0;
  }
  if (bytes > DATA_BYTES_MAX) errors.tooLong("", DATA_BYTES_MAX);
}

export function validateSecret(object: KubeObject, errors: FieldErrors): void {
  const data = objectAt(object, "data");
  let bytes = 0;
  for (const [key, value] of Object.entries(data)) {
    report(errors, `data[${key}]`, key, configKey(key));
    if (typeof value !== "string") continue;
    if (!isBase64(value)) errors.invalid(`data[${key}]`, "<secret contents redacted>", "illegal base64 data");
    bytes += (value.length * 3) / 4;
  }
  if (bytes > DATA_BYTES_MAX) errors.tooLong("data", DATA_BYTES_MAX);
  for (const key of KEYS_OF_TYPE[textAt(object, "type")] ?? []) {
    if (data[key] === undefined) errors.required(`data[${key}]`);
  }
  if (object["type"] === "kubernetes.io/service-account-token") {
    const name = object.metadata.annotations?.["kubernetes.io/service-account.name"] ?? "";
    if (name === "") errors.required("metadata.annotations[kubernetes.io/service-account.name]");
  }
}

export function validateConfigMapUpdate(object: KubeObject, old: KubeObject, errors: FieldErrors): void {
  validateFrozen(object, old, ["data", "binaryData"], errors);
}

export function validateSecretUpdate(object: KubeObject, old: KubeObject, errors: FieldErrors): void {
  validateImmutable(object, old, "type", errors);
  validateFrozen(object, old, ["data"], errors);
}

/** Once `immutable` is set, it and the contents stay. */
function validateFrozen(object: KubeObject, old: KubeObject, fields: readonly string[], errors: FieldErrors): void {
  if (old["immutable"] !== true) return;
  const detail = "field is immutable when `immutable` is set";
  if (object["immutable"] !== true) errors.forbidden("immutable", detail);
  for (const field of fields) if (!sameContents(object[field], old[field])) errors.forbidden(field, detail);
}

function sameContents(a: unknown, b: unknown): boolean {
  return sameJson(isObject(a) ? a : {}, isObject(b) ? b : {});
}

const KEYS_OF_TYPE: Readonly<Record<string, readonly string[]>> = {
  "kubernetes.io/tls": ["tls.crt", "tls.key"],
  "kubernetes.io/dockerconfigjson": [".dockerconfigjson"],
  "kubernetes.io/dockercfg": [".dockercfg"],
  "kubernetes.io/ssh-auth": ["ssh-privatekey"],
};
