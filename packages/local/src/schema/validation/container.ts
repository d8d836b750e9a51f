import { isObject, type JsonObject, numberAt, objectAt, objectsAt, scalarText, textAt } from "../schema.ts";
import type { FieldErrors } from "./field-errors.ts";
import { report } from "./metadata.ts";
import { configKey, envVarName, portName } from "./names.ts";

/**
 * Ports, environment, mounts, probes and hooks of one container.
 * @param hostPorts those of the pod's containers so far, which this adds to
 */
export function validateContainerDetails(
  container: JsonObject,
  at: string,
  volumes: ReadonlySet<string>,
  hostPorts: Set<string>,
  errors: FieldErrors,
): void {
  validatePorts(container, at, hostPorts, errors);
  validateEnv(container, at, errors);
  validateMounts(container, at, volumes, errors);
  for (const field of ["livenessProbe", "readinessProbe", "startupProbe"]) {
    const probe = container[field];
    if (isObject(probe)) validateProbe(probe, `${at}.${field}`, field, errors);
  }
  for (const hook of ["postStart", "preStop"]) {
    const handler = objectAt(container, "lifecycle")[hook];
    if (isObject(handler)) validateHandler(handler, `${at}.lifecycle.${hook}`, errors);
  }
  validateSecurityContext(objectAt(container, "securityContext"), `${at}.securityContext`, errors);
}

/** Also used for the ports of services. */
export function validatePortNumber(port: unknown, path: string, errors: FieldErrors): void {
  if (typeof port === "number" && port >= 1 && port <= 65535) return;
  errors.invalid(path, port, "must be between 1 and 65535, inclusive");
}

/** A number, or the name of a container's port. */
export function validatePortReference(port: unknown, path: string, errors: FieldErrors): void {
  if (typeof port === "string") report(errors, path, port, portName(port));
  else if (port !== undefined) validatePortNumber(port, path, errors);
}

function validatePorts(container: JsonObject, at: string, hostPorts: Set<string>, errors: FieldErrors): void {
  const names = new Set<string>();
  objectsAt(container, "ports").forEach((port, index) => {
    const path = `${at}.ports[${index}]`;
    const name = textAt(port, "name");
    if (name !== "") {
      report(errors, `${path}.name`, name, portName(name));
      if (names.has(name)) errors.duplicate(`${path}.name`, name);
      names.add(name);
    }
    if (port["containerPort"] !== undefined) validatePortNumber(port["containerPort"], `${path}.containerPort`, errors);
    const { hostPort } = port;
    if (hostPort === undefined || hostPort === 0) return;
    validatePortNumber(hostPort, `${path}.hostPort`, errors);
    const key = `${textAt(port, "protocol")}/${textAt(port, "hostIP")}/${scalarText(hostPort)}`;
    if (hostPorts.has(key)) errors.duplicate(`${path}.hostPort`, key);
    hostPorts.add(key);
  });
}

function validateEnv(container: JsonObject, at: string, errors: FieldErrors): void {
  objectsAt(container, "env").forEach((variable, index) => {
    const path = `${at}.env[${index}]`;
    const name = textAt(variable, "name");
    if (name !== "") report(errors, `${path}.name`, name, envVarName(name));
    const { valueFrom } = variable;
    if (!isObject(valueFrom)) return;
    const sources = Object.keys(valueFrom);
    if (textAt(variable, "value") !== "")
      errors.invalid(`${path}.valueFrom`, "", "may not be specified when `value` is not empty");
    else if (sources.length === 0)
      errors.invalid(
        `${path}.valueFrom`,
        "",
        "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`",
      );
    else if (sources.length > 1)
      errors.invalid(`${path}.valueFrom`, "", "may not have more than one field specified at a time");
    validateFieldRef(valueFrom["fieldRef"], `${path}.valueFrom.fieldRef`, ENV_FIELDS, errors);
    for (const source of ["configMapKeyRef", "secretKeyRef"])
      validateKeyRef(valueFrom[source], `${path}.valueFrom.${source}`, errors);
  });
  objectsAt(container, "envFrom").forEach((source, index) => {
    const path = `${at}.envFrom[${index}]`;
    const [configMap, secret] = [source["configMapRef"], source["secretRef"]];
    if (configMap === undefined && secret === undefined)
      errors.invalid(path, "", "must specify one of: `configMapRef` or `secretRef`");
    if (configMap !== undefined && secret !== undefined)
      errors.invalid(path, "", "may not have more than one field specified at a time");
  });
}

function validateKeyRef(reference: unknown, path: string, errors: FieldErrors): void {
  if (!isObject(reference)) return;
  if (textAt(reference, "name") === "") errors.required(`${path}.name`);
  const key = textAt(reference, "key");
  if (key !== "") report(errors, `${path}.key`, key, configKey(key));
}

/** A field of the pod that may become a variable or a file. */
export function validateFieldRef(
  reference: unknown,
  path: string,
  allowed: readonly string[],
  errors: FieldErrors,
): void {
  if (!isObject(reference)) return;
  const field = textAt(reference, "fieldPath");
  if (/^metadata\.(labels|annotations)\['[^']+'\]$/.test(field) || allowed.includes(field)) return;
  if (field === "") return;
  if (/^(metadata|spec|status)\.\w+$/.test(field)) errors.notSupported(`${path}.fieldPath`, field, allowed);
  else errors.invalid(`${path}.fieldPath`, field, "error converting fieldPath: field label not supported");
}

const ENV_FIELDS = [
  "metadata.name",
  "metadata.namespace",
  "metadata.uid",
  "spec.nodeName",
  "spec.serviceAccountName",
  "status.hostIP",
  "status.hostIPs",
  "status.podIP",
  "status.podIPs",
];

function validateMounts(container: JsonObject, at: string, volumes: ReadonlySet<string>, errors: FieldErrors): void {
  const paths = new Set<string>();
  objectsAt(container, "volumeMounts").forEach((mount, index) => {
    const path = `${at}.volumeMounts[${index}]`;
    const name = textAt(mount, "name");
    if (name !== "" && !volumes.has(name)) errors.notFound(`${path}.name`, name);
    const target = textAt(mount, "mountPath");
    if (target !== "" && paths.has(target)) errors.invalid(`${path}.mountPath`, target, "must be unique");
    paths.add(target);
    const sub = textAt(mount, "subPath");
    if (sub.startsWith("/")) errors.invalid(`${path}.subPath`, sub, "must be a relative path");
    if (sub.split("/").includes("..")) errors.invalid(`${path}.subPath`, sub, "must not contain '..'");
  });
}

function validateProbe(probe: JsonObject, path: string, field: string, errors: FieldErrors): void {
  validateHandler(probe, path, errors);
  for (const name of [
    "initialDelaySeconds",
    "timeoutSeconds",
    "periodSeconds",
    "successThreshold",
    "failureThreshold",
  ]) {
    const value = numberAt(probe, name);
    if (value !== undefined && value < 0)
      errors.invalid(`${path}.${name}`, value, "must be greater than or equal to 0");
  }
  const grace = numberAt(probe, "terminationGracePeriodSeconds");
  if (grace !== undefined && grace <= 0)
    errors.invalid(`${path}.terminationGracePeriodSeconds`, grace, "must be greater than 0");
  if (field !== "readinessProbe" && probe["successThreshold"] !== 1)
    errors.invalid(`${path}.successThreshold`, probe["successThreshold"], "must be 1");
  if (field === "readinessProbe" && grace !== undefined) {
    errors.invalid(`${path}.terminationGracePeriodSeconds`, grace, "must not be set for readinessProbes");
  }
}

const HANDLERS = ["exec", "httpGet", "tcpSocket", "grpc", "sleep"];

function validateHandler(handler: JsonObject, path: string, errors: FieldErrors): void {
  const given = HANDLERS.filter((name) => handler[name] !== undefined);
  if (given.length === 0) errors.required(path, "must specify a handler type");
  for (const extra of given.slice(1)) errors.forbidden(`${path}.${extra}`, "may not specify more than 1 handler type");
  const exec = handler["exec"];
  if (isObject(exec) && !(Array.isArray(exec["command"]) && exec["command"].length > 0))
    errors.required(`${path}.exec.command`);
  for (const name of ["httpGet", "tcpSocket", "grpc"]) {
    const action = handler[name];
    if (isObject(action)) validatePortReference(action["port"], `${path}.${name}.port`, errors);
  }
}

function validateSecurityContext(context: JsonObject, path: string, errors: FieldErrors): void {
  for (const field of ["runAsUser", "runAsGroup"]) {
    const id = numberAt(context, field);
    if (id !== undefined && (id < 0 || id > 2 ** 31 - 1))
      errors.invalid(`${path}.${field}`, id, "must be between 0 and 2147483647, inclusive");
  }
  if (context["privileged"] === true && context["allowPrivilegeEscalation"] === false) {
    errors.invalid(path, context, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true");
  }
}
