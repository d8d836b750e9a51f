import type { KubeObject } from "@bowline/kube";
import { numberAt, objectAt, objectsAt, scalarText, textAt } from "../schema.ts";
import { AGE, type Column, CREATED_AT, column, countOf, NAME, NONE, shown } from "./columns.ts";
import { ageOf } from "./human-duration.ts";

export const NAMESPACE_COLUMNS: readonly Column[] = [
  NAME,
  column("Status", (object) => textAt(object, "status", "phase")),
  AGE,
];

export const NODE_COLUMNS: readonly Column[] = [
  NAME,
  column("Status", nodeStatus),
  column("Roles", nodeRoles),
  AGE,
  column("Version", (node) => textAt(node, "status", "nodeInfo", "kubeletVersion")),
  column("Internal-IP", (node) => nodeAddress(node, "InternalIP"), { wide: true }),
  column("External-IP", (node) => nodeAddress(node, "ExternalIP"), { wide: true }),
  nodeInfo("OS-Image", "osImage"),
  nodeInfo("Kernel-Version", "kernelVersion"),
  nodeInfo("Container-Runtime", "containerRuntimeVersion"),
];

export const EVENT_COLUMNS: readonly Column[] = [
  column("Last Seen", (event, nowMs) => ageOf(lastSeen(event), nowMs)),
  column("Type", (event) => textAt(event, "type")),
  column("Reason", (event) => textAt(event, "reason")),
  column("Object", (event) => {
    const about = objectAt(event, "involvedObject");
    return `${textAt(about, "kind").toLowerCase()}/${textAt(about, "name")}`;
  }),
  column("Subobject", (event) => textAt(event, "involvedObject", "fieldPath"), { wide: true }),
  column("Source", eventSource, { wide: true }),
  column("Message", (event) => textAt(event, "message").trim()),
  column("First Seen", (event, nowMs) => ageOf(textAt(event, "firstTimestamp") || event["eventTime"], nowMs), {
    wide: true,
  }),
  column("Count", eventCount, { type: "integer", wide: true }),
  column("Name", (event) => event.metadata.name, { wide: true, format: "name" }),
];

export const SERVICE_ACCOUNT_COLUMNS: readonly Column[] = [NAME, counted("Secrets", "secrets"), AGE];
export const CONFIG_MAP_COLUMNS: readonly Column[] = [
  NAME,
  column("Data", (object) => countOf(object["data"]) + countOf(object["binaryData"]), { type: "integer" }),
  AGE,
];
export const SECRET_COLUMNS: readonly Column[] = [
  NAME,
  column("Type", (object) => textAt(object, "type")),
  counted("Data", "data"),
  AGE,
];
export const LEASE_COLUMNS: readonly Column[] = [
  NAME,
  column("Holder", (object) => textAt(object, "spec", "holderIdentity")),
  AGE,
];
export const ROLE_COLUMNS: readonly Column[] = [NAME, CREATED_AT];
export const DEFINITION_COLUMNS: readonly Column[] = [NAME, CREATED_AT];
export const WEBHOOK_COLUMNS: readonly Column[] = [NAME, counted("Webhooks", "webhooks"), AGE];

export const ROLE_BINDING_COLUMNS: readonly Column[] = [
  NAME,
  column("Role", (object) => `${textAt(object, "roleRef", "kind")}/${textAt(object, "roleRef", "name")}`),
  AGE,
  subjects("Users", "User"),
  subjects("Groups", "Group"),
  subjects("ServiceAccounts", "ServiceAccount"),
];

export const DISRUPTION_BUDGET_COLUMNS: readonly Column[] = [
  NAME,
  column("Min Available", (object) => share(object, "minAvailable")),
  column("Max Unavailable", (object) => share(object, "maxUnavailable")),
  column("Allowed Disruptions", (object) => numberAt(object, "status", "disruptionsAllowed") ?? 0, { type: "integer" }),
  AGE,
];

export const PRIORITY_CLASS_COLUMNS: readonly Column[] = [
  NAME,
  column("Value", (object) => numberAt(object, "value") ?? 0, { type: "integer" }),
  column("Global-Default", (object) => object["globalDefault"] === true, { type: "boolean" }),
  AGE,
  column("PreemptionPolicy", (object) => textAt(object, "preemptionPolicy")),
];

export const CLAIM_COLUMNS: readonly Column[] = [
  NAME,
  column("Status", (object) => textAt(object, "status", "phase")),
  column("Volume", (object) => textAt(object, "spec", "volumeName")),
  column("Capacity", (object) => textAt(object, "status", "capacity", "storage")),
  column("Access Modes", (object) => accessModes(objectAt(object, "status"))),
  column("StorageClass", (object) => textAt(object, "spec", "storageClassName")),
  column("VolumeAttributesClass", () => "<unset>"),
  AGE,
  column("VolumeMode", (object) => shown(objectAt(object, "spec")["volumeMode"]), { wide: true }),
];

export const VOLUME_COLUMNS: readonly Column[] = [
  NAME,
  column("Capacity", (object) => textAt(object, "spec", "capacity", "storage")),
  column("Access Modes", (object) => accessModes(objectAt(object, "spec"))),
  column("Reclaim Policy", (object) => textAt(object, "spec", "persistentVolumeReclaimPolicy")),
  column("Status", (object) => textAt(object, "status", "phase")),
  column("Claim", (object) => {
    const claim = objectAt(object, "spec", "claimRef");
    return claim["name"] === undefined ? "" : `${textAt(claim, "namespace")}/${textAt(claim, "name")}`;
  }),
  column("StorageClass", (object) => textAt(object, "spec", "storageClassName")),
  column("VolumeAttributesClass", () => "<unset>"),
  column("Reason", (object) => textAt(object, "status", "reason")),
  AGE,
  column("VolumeMode", (object) => shown(objectAt(object, "spec")["volumeMode"]), { wide: true }),
];

function accessModes(part: Readonly<Record<string, unknown>>): string {
  const modes = part["accessModes"];
  return Array.isArray(modes) ? modes.map((mode) => ACCESS_MODES[scalarText(mode)] ?? scalarText(mode)).join(",") : "";
}

const ACCESS_MODES: Readonly<Record<string, string>> = {
  ReadWriteOnce: "RWO",
  ReadOnlyMany: "ROX",
  ReadWriteMany: "RWX",
  ReadWriteOncePod: "RWOP",
};

export const QUOTA_COLUMNS: readonly Column[] = [
  NAME,
  column("Request", (object) => quotaText(object, false)),
  column("Limit", (object) => quotaText(object, true)),
  AGE,
];

export const API_SERVICE_COLUMNS: readonly Column[] = [
  NAME,
  column("Service", (object) => {
    const service = objectAt(object, "spec", "service");
    return textAt(service, "name") === "" ? "Local" : `${textAt(service, "namespace")}/${textAt(service, "name")}`;
  }),
  column("Available", (object) => {
    const condition = objectsAt(object, "status", "conditions").find((each) => each["type"] === "Available");
    if (condition === undefined) return "Unknown";
    return condition["status"] === "True" ? "True" : `${textAt(condition, "status")} (${textAt(condition, "reason")})`;
  }),
  AGE,
];

function counted(name: string, field: string): Column {
  return column(name, (object) => countOf(object[field]), { type: "integer" });
}

function nodeInfo(name: string, field: string): Column {
  return column(name, (node) => textAt(node, "status", "nodeInfo", field) || "<unknown>", { wide: true });
}

function nodeStatus(node: KubeObject): string {
  const ready = objectsAt(node, "status", "conditions").find((condition) => condition["type"] === "Ready");
  const status = ready === undefined ? "Unknown" : ready["status"] === "True" ? "Ready" : "NotReady";
  return objectAt(node, "spec")["unschedulable"] === true ? `${status},SchedulingDisabled` : status;
}

function nodeRoles(node: KubeObject): string {
  const roles = Object.entries(node.metadata.labels ?? {}).flatMap(([key, value]) => {
    if (key.startsWith("node-role.kubernetes.io/")) return [key.slice("node-role.kubernetes.io/".length)];
    return key === "kubernetes.io/role" && value !== "" ? [value] : [];
  });
  return roles.length === 0 ? NONE : roles.sort().join(",");
}

function nodeAddress(node: KubeObject, type: string): string {
  return (
    textAt(
      objectsAt(node, "status", "addresses").find((address) => address["type"] === type),
      "address",
    ) || NONE
  );
}

function lastSeen(event: KubeObject): unknown {
  return textAt(event, "series", "lastObservedTime") || textAt(event, "lastTimestamp") || event["eventTime"];
}

function eventSource(event: KubeObject): string {
  const component = textAt(event, "source", "component") || textAt(event, "reportingComponent");
  const host = textAt(event, "source", "host") || textAt(event, "reportingInstance");
  return host === "" ? component : `${component}, ${host}`;
}

function eventCount(event: KubeObject): number {
  return numberAt(event, "series", "count") ?? numberAt(event, "count") ?? 1;
}

function subjects(name: string, kind: string): Column {
  const cell = (object: KubeObject): string =>
    objectsAt(object, "subjects")
      .filter((subject) => subject["kind"] === kind)
      .map((subject) =>
        kind === "ServiceAccount"
          ? `${textAt(subject, "namespace")}/${textAt(subject, "name")}`
          : textAt(subject, "name"),
      )
      .join(", ");
  return column(name, cell, { wide: true });
}

function share(object: KubeObject, field: string): string {
  const value = objectAt(object, "spec")[field];
  return value === undefined ? "N/A" : scalarText(value);
}

function quotaText(object: KubeObject, limits: boolean): string {
  const [hard, used] = [objectAt(object, "status", "hard"), objectAt(object, "status", "used")];
  return Object.keys(hard)
    .sort()
    .filter((name) => name.startsWith("limits.") === limits)
    .map((name) => `${name}: ${scalarText(used[name] ?? "0")}/${scalarText(hard[name])}`)
    .join(", ");
}
