import type { KubeObject } from "@bowline/kube";

/**
 * Events have two faces, v1 and events.k8s.io/v1, of one stored object: the former's. Names of the fields that differ, the newer first.
 */
const RENAMED: readonly (readonly [newer: string, older: string])[] = [
  ["note", "message"],
  ["regarding", "involvedObject"],
  ["deprecatedSource", "source"],
  ["deprecatedFirstTimestamp", "firstTimestamp"],
  ["deprecatedLastTimestamp", "lastTimestamp"],
  ["deprecatedCount", "count"],
  ["reportingController", "reportingComponent"],
];

/** events.k8s.io/v1 → v1. */
export function eventToStored(event: KubeObject): KubeObject {
  return renamed(event, "v1", (name) => RENAMED.find(([newer]) => newer === name)?.[1]);
}

/** v1 → events.k8s.io/v1. */
export function eventFromStored(event: KubeObject): KubeObject {
  return renamed(event, "events.k8s.io/v1", (name) => RENAMED.find(([, older]) => older === name)?.[0]);
}

function renamed(event: KubeObject, apiVersion: string, other: (name: string) => string | undefined): KubeObject {
  if (event.apiVersion === apiVersion) return event;
  const { kind, metadata, ...fields } = event;
  const entries = Object.entries(fields).map(([name, value]) => [other(name) ?? name, value]);
  return { ...Object.fromEntries(entries), apiVersion, kind, metadata };
}
