import type { Input } from "./inputs.ts";
import { withValueAt } from "./json-patch.ts";
import { isMapObject } from "./map-object.ts";
import { YamlStream } from "./yaml-stream.ts";
import { YamlError } from "./yaml-text.ts";

/** What has become of one object. */
export interface Transformed<Report> {
  readonly object: unknown;
  readonly report: Report;
}

/** Changes one object; what it does not change it hands back by the same reference. Throws ObjectError. */
export type Transformer<Report> = (object: Readonly<Record<string, unknown>>) => Transformed<Report>;

/** An object that must not go through unchanged, and cannot be changed. */
export class ObjectError extends Error {
  override name = "ObjectError";
}

export interface TransformedInput<Report> {
  readonly name: string;
  readonly text: string;
  readonly values: readonly unknown[];
  readonly reports: readonly Report[];
}

/**
 * Runs all objects of an input through a transformer: documents, and items of Lists.
 *
 * @returns the errors, in place of the result, if there is any
 */
export function transformInput<Report>(
  input: Input,
  transform: Transformer<Report>,
): TransformedInput<Report> | { readonly errors: readonly string[] } {
  const errors: string[] = [];
  const reports: Report[] = [];
  try {
    const stream = new YamlStream(input.text, input.name);
    const values = stream.values.map((value) => transformValue(value, transform, reports, errors));
    if (errors.length > 0) return { errors };
    return { name: input.name, text: stream.withValues(values), values, reports };
  } catch (error) {
    if (error instanceof YamlError) return { errors: [error.message] };
    throw error;
  }
}

function transformValue<Report>(
  value: unknown,
  transform: Transformer<Report>,
  reports: Report[],
  errors: string[],
): unknown {
  // An empty document, as two separators in a row make it, is nothing to speak of.
  if (value === null || value === undefined) return value;
  const object = isMapObject(value) ? value : {};
  const items = object["items"];
  if (object["kind"] === "List" && Array.isArray(items)) {
    return items.reduce((list: unknown, item: unknown, index) => {
      const changed = transformValue(item, transform, reports, errors);
      return changed === item ? list : withValueAt(list, ["items", index], changed);
    }, value);
  }
  try {
    const { object: changed, report } = transform(object);
    reports.push(report);
    return isMapObject(value) ? changed : value;
  } catch (error) {
    if (!(error instanceof ObjectError)) throw error;
    errors.push(error.message);
    return value;
  }
}
