import type { KubeObject } from "@bowline/kube";
import { stringify } from "yaml";

export type OutputFormat = "yaml" | "json";

/** Objects as `kubectl apply -f -` takes them: YAML documents, or a List in JSON. */
export function printObjects(objects: readonly KubeObject[], format: OutputFormat): string {
  if (format === "json") return `${JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }, null, 2)}\n`;
  return objects.map((object) => `---\n${stringify(object, YAML)}`).join("");
}

// kubectl reads YAML 1.1, in which a bare `off` or `no` is a boolean.
const YAML = { lineWidth: 0, aliasDuplicateObjects: false, compat: "yaml-1.1" } as const;
