import { isIP } from "node:net";
import { parseQuantity } from "@bowline/kube";
import { isObject, type JsonObject, numberAt, objectAt, objectsAt, scalarText, textAt } from "../schema.ts";
import { validateContainerDetails } from "./container.ts";
import type { FieldErrors } from "./field-errors.ts";
import { report, validateLabels } from "./metadata.ts";
import { dnsLabel, dnsSubdomain } from "./names.ts";
import { validateVolumes } from "./volumes.ts";

/** A PodSpec, in a pod or in a template. What is required and what are enums was looked at by the schema. */
export function validatePodSpec(spec: JsonObject, path: string, errors: FieldErrors): void {
  const volumes = validateVolumes(objectsAt(spec, "volumes"), `${path}.volumes`, errors);
  validateContainers(spec, path, volumes, errors);
  validateTiming(spec, path, errors);
  validateDns(spec, path, errors);
  for (const field of ["hostname", "subdomain"]) {
    const name = textAt(spec, field);
    if (name !== "") report(errors, `${path}.${field}`, name, dnsLabel(name));
  }
  for (const field of ["serviceAccountName", "nodeName", "priorityClassName", "runtimeClassName"]) {
    const name = textAt(spec, field);
    if (name !== "") report(errors, `${path}.${field}`, name, dnsSubdomain(name));
  }
  validateLabels(spec["nodeSelector"], `${path}.nodeSelector`, errors);
  objectsAt(spec, "hostAliases").forEach((alias, index) => {
    const ip = textAt(alias, "ip");
    if (isIP(ip) === 0) errors.invalid(`${path}.hostAliases[${index}].ip`, ip, "must be a valid IP address");
  });
  validateTolerations(spec, path, errors);
  validateSecurity(objectAt(spec, "securityContext"), `${path}.securityContext`, errors);
}

/** Names are unique over all sorts of containers; ports, mounts and probes are right. */
function validateContainers(spec: JsonObject, path: string, volumes: ReadonlySet<string>, errors: FieldErrors): void {
  const names = new Set<string>();
  const hostPorts = new Set<string>();
  for (const list of ["initContainers", "containers", "ephemeralContainers"]) {
    objectsAt(spec, list).forEach((container, index) => {
      const at = `${path}.${list}[${index}]`;
      const name = textAt(container, "name");
      if (name !== "") report(errors, `${at}.name`, name, dnsLabel(name));
      if (name !== "" && names.has(name)) errors.duplicate(`${at}.name`, name);
      names.add(name);
      validateImage(container, at, errors);
      const sidecar = list === "initContainers" && container["restartPolicy"] === "Always";
      if (container["restartPolicy"] !== undefined && list !== "initContainers") {
        errors.forbidden(`${at}.restartPolicy`, "may not be set for non-init containers");
      }
      if (list === "initContainers" && !sidecar) forbidProbesOfInit(container, at, errors);
      validateContainerDetails(container, at, volumes, hostPorts, errors);
      if (isObject(container["resources"])) validateResources(container["resources"], `${at}.resources`, errors);
    });
  }
}

function validateImage(container: JsonObject, at: string, errors: FieldErrors): void {
  const image = textAt(container, "image");
  if (image === "") errors.required(`${at}.image`);
  else if (image.trim() !== image) errors.invalid(`${at}.image`, image, "must not have leading or trailing whitespace");
}

function forbidProbesOfInit(container: JsonObject, at: string, errors: FieldErrors): void {
  for (const field of ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"]) {
    if (container[field] !== undefined)
      errors.forbidden(`${at}.${field}`, "may not be set for init containers without restartPolicy=Always");
  }
}

function validateResources(resources: JsonObject, path: string, errors: FieldErrors): void {
  const limits = objectAt(resources, "limits");
  for (const list of ["limits", "requests"]) {
    for (const [name, amount] of Object.entries(objectAt(resources, list))) {
      const value = quantityOf(amount);
      if (value === undefined) {
        errors.invalid(
          `${path}.${list}[${name}]`,
          amount,
          "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        );
      } else if (value < 0) errors.invalid(`${path}.${list}[${name}]`, amount, "must be greater than or equal to 0");
      const limit = list === "requests" ? quantityOf(limits[name]) : undefined;
      if (value !== undefined && limit !== undefined && value > limit) {
        errors.invalid(
          `${path}.requests`,
          amount,
          `must be less than or equal to ${name} limit of ${scalarText(limits[name])}`,
        );
      }
    }
  }
}

function quantityOf(amount: unknown): number | undefined {
  if (typeof amount !== "string") return undefined;
  try {
    return parseQuantity(amount);
  } catch {
    return undefined;
  }
}

function validateTiming(spec: JsonObject, path: string, errors: FieldErrors): void {
  const grace = numberAt(spec, "terminationGracePeriodSeconds");
  if (grace !== undefined && grace < 0) {
    errors.invalid(`${path}.terminationGracePeriodSeconds`, grace, "must be greater than or equal to 0");
  }
  const deadline = numberAt(spec, "activeDeadlineSeconds");
  if (deadline !== undefined && (deadline < 1 || deadline > 2 ** 31 - 1)) {
    errors.invalid(`${path}.activeDeadlineSeconds`, deadline, "must be between 1 and 2147483647, inclusive");
  }
}

function validateDns(spec: JsonObject, path: string, errors: FieldErrors): void {
  if (spec["dnsPolicy"] !== "None") return;
  if (!isObject(spec["dnsConfig"])) {
    errors.required(`${path}.dnsConfig`, "must provide `dnsConfig` when `dnsPolicy` is None");
  } else if (!Array.isArray(spec["dnsConfig"]["nameservers"]) || spec["dnsConfig"]["nameservers"].length === 0) {
    errors.required(
      `${path}.dnsConfig.nameservers`,
      "must provide at least one DNS nameserver when `dnsPolicy` is None",
    );
  }
}

function validateTolerations(spec: JsonObject, path: string, errors: FieldErrors): void {
  objectsAt(spec, "tolerations").forEach((toleration, index) => {
    const at = `${path}.tolerations[${index}]`;
    const { operator } = toleration;
    if (textAt(toleration, "key") === "" && operator !== "Exists") {
      errors.invalid(
        `${at}.operator`,
        operator ?? "",
        'operator must be Exists when `key` is empty, which means "match all values and all keys"',
      );
    }
    if (operator === "Exists" && textAt(toleration, "value") !== "") {
      errors.invalid(`${at}.operator`, toleration, "value must be empty when `operator` is 'Exists'");
    }
  });
}

function validateSecurity(security: JsonObject, path: string, errors: FieldErrors): void {
  for (const field of ["runAsUser", "runAsGroup", "fsGroup"]) {
    const id = numberAt(security, field);
    if (id !== undefined && (id < 0 || id > 2 ** 31 - 1))
      errors.invalid(`${path}.${field}`, id, "must be between 0 and 2147483647, inclusive");
  }
}
