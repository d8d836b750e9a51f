import type { KubeObject } from "@bowline/kube";
import { isObject, objectAt, objectsAt, scalarText, textAt } from "../schema.ts";
import { ageOf } from "./human-duration.ts";

/** A column as tables describe it; priority 1 is shown with `-o wide` only. */
export interface ColumnDefinition {
  readonly name: string;
  readonly type: string;
  readonly format: string;
  readonly description: string;
  readonly priority: number;
}

/** What a column shows of an object. */
export interface Column {
  readonly definition: ColumnDefinition;
  readonly cell: (object: KubeObject, nowMs: number) => unknown;
}

interface More {
  readonly wide?: boolean;
  readonly type?: "string" | "integer" | "boolean";
  readonly format?: string;
  readonly description?: string;
}

const DESCRIPTIONS: Readonly<Record<string, string>> = {
  Name: "Name must be unique within a namespace.",
  Age: "CreationTimestamp is a timestamp representing the server time when this object was created.",
};

export function column(name: string, cell: Column["cell"], more: More = {}): Column {
  const { wide = false, type = "string", format = "", description = DESCRIPTIONS[name] ?? "" } = more;
  return { definition: { name, type, format, description, priority: wide ? 1 : 0 }, cell };
}

export const NAME: Column = column("Name", (object) => object.metadata.name, { format: "name" });
export const AGE: Column = column("Age", (object, nowMs) => ageOf(object.metadata.creationTimestamp, nowMs));
export const CREATED_AT: Column = column("Created At", (object) => object.metadata.creationTimestamp ?? "<unknown>", {
  format: "date-time",
});

export const NONE = "<none>";

/** A field's text or number; `<none>` where there is none. */
export function shown(value: unknown): string {
  if (typeof value === "string" && value !== "") return value;
  return typeof value === "number" || typeof value === "boolean" ? scalarText(value) : NONE;
}

/** Names and images of a template's containers, and the selector: the wide columns of workloads. */
export function templateColumns(...path: readonly string[]): readonly Column[] {
  const listed = (field: string) => (object: KubeObject) =>
    objectsAt(object, ...path, "spec", "containers")
      .map((container) => textAt(container, field))
      .join(",");
  return [column("Containers", listed("name"), { wide: true }), column("Images", listed("image"), { wide: true })];
}

export function selectorColumn(...path: readonly string[]): Column {
  return column("Selector", (object) => selectorText(objectAt(object, ...path)), { wide: true });
}

/** A LabelSelector, or a map of labels, in the notation of queries. */
export function selectorText(selector: unknown): string {
  const given = isObject(selector) ? selector : {};
  const structured = isObject(given["matchLabels"]) || Array.isArray(given["matchExpressions"]);
  const labels = structured ? objectAt(given, "matchLabels") : given;
  const terms = Object.entries(labels).map(([key, value]) => `${key}=${scalarText(value)}`);
  const expressions = objectsAt(given, "matchExpressions").map((expression) => {
    const [key, operator] = [textAt(expression, "key"), textAt(expression, "operator")];
    const values = Array.isArray(expression["values"]) ? expression["values"].join(",") : "";
    if (operator === "Exists") return key;
    if (operator === "DoesNotExist") return `!${key}`;
    return `${key} ${operator === "In" ? "in" : "notin"} (${values})`;
  });
  const all = [...terms.sort(), ...expressions];
  return all.length === 0 ? NONE : all.join(",");
}

/** How many entries a map or list has. */
export function countOf(value: unknown): number {
  if (Array.isArray(value)) return value.length;
  return isObject(value) ? Object.keys(value).length : 0;
}
