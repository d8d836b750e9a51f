import type { CustomType, PrinterColumn } from "../kinds/custom-type.ts";
import { type Column, NAME } from "./columns.ts";
import { ageOf } from "./human-duration.ts";
import { parseJsonPath } from "./json-path.ts";

/** additionalPrinterColumns of a version, behind the name. */
export function customColumns(type: CustomType, version: string): readonly Column[] {
  return [NAME, ...type.columnsOf(version).map(customColumn)];
}

function customColumn({ name, type, format, description, priority, jsonPath }: PrinterColumn): Column {
  const find = finderOf(jsonPath);
  return {
    definition: { name, type, format, description, priority },
    cell: (object, nowMs) => cellOf(type, find(object), nowMs),
  };
}

function cellOf(type: string, found: readonly unknown[], nowMs: number): unknown {
  const [first] = found;
  if (first === undefined || first === null) return type === "string" ? "" : null;
  switch (type) {
    case "date":
      return ageOf(first, nowMs);
    case "integer":
      return typeof first === "number" ? Math.trunc(first) : null;
    case "number":
      return typeof first === "number" ? first : null;
    case "boolean":
      return typeof first === "boolean" ? first : null;
    default:
      return found.map((value) => (typeof value === "string" ? value : JSON.stringify(value))).join(" ");
  }
}

/** A path that cannot be read shows nothing: definitions with one are stored all the same. */
function finderOf(path: string): (value: unknown) => unknown[] {
  try {
    return parseJsonPath(path);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return () => [];
  }
}
