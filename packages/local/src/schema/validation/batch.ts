import { type KubeObject, type LabelSelector, matchesSelector } from "@bowline/kube";
import { isObject, type JsonObject, objectAt, textAt } from "../schema.ts";
import type { FieldErrors } from "./field-errors.ts";
import { validateImmutable } from "./metadata.ts";
import { validateCounts, validateTemplate } from "./workloads.ts";

export function validateJob(object: KubeObject, errors: FieldErrors): void {
  const spec = objectAt(object, "spec");
  validateJobSpec(spec, "spec", errors);
  const { selector } = spec;
  const labels = objectAt(spec, "template", "metadata", "labels");
  if (!isObject(selector)) errors.required("spec.selector");
  else if (!matchesSelector(selector as LabelSelector, labels as Record<string, string>)) {
    errors.invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`");
  }
}

export function validateJobUpdate(object: KubeObject, old: KubeObject, errors: FieldErrors): void {
  for (const field of ["spec.selector", "spec.completionMode", "spec.podFailurePolicy"]) {
    validateImmutable(object, old, field, errors);
  }
  if (objectAt(object, "spec")["completionMode"] !== "Indexed")
    validateImmutable(object, old, "spec.completions", errors);
  // Scheduling directives of a suspended job may change; nothing else of its template may.
  if (objectAt(old, "spec")["suspend"] !== true) validateImmutable(object, old, "spec.template", errors);
}

export function validateCronJob(object: KubeObject, errors: FieldErrors): void {
  const { name } = object.metadata;
  if (name.length > 52) errors.invalid("metadata.name", name, "must be no more than 52 characters");
  const spec = objectAt(object, "spec");
  const schedule = textAt(spec, "schedule");
  const wrong = schedule === "" ? undefined : scheduleFault(schedule);
  if (wrong !== undefined) errors.invalid("spec.schedule", schedule, wrong);
  const zone = spec["timeZone"];
  if (typeof zone === "string" && !isTimeZone(zone)) errors.invalid("spec.timeZone", zone, `unknown time zone ${zone}`);
  validateCounts(spec, errors, ["startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"]);
  const job = objectAt(spec, "jobTemplate", "spec");
  if (job["manualSelector"] === true)
    errors.notSupported("spec.jobTemplate.spec.manualSelector", true, ["nil", "false"]);
  validateJobSpec(job, "spec.jobTemplate.spec", errors);
}

function validateJobSpec(spec: JsonObject, path: string, errors: FieldErrors): void {
  for (const field of [
    "parallelism",
    "completions",
    "activeDeadlineSeconds",
    "backoffLimit",
    "ttlSecondsAfterFinished",
  ]) {
    const value = spec[field];
    if (typeof value === "number" && value < 0)
      errors.invalid(`${path}.${field}`, value, "must be greater than or equal to 0");
  }
  validateTemplate(objectAt(spec, "template"), `${path}.template`, errors);
  const policy = objectAt(spec, "template", "spec")["restartPolicy"];
  if (policy !== "OnFailure" && policy !== "Never") {
    errors.notSupported(`${path}.template.spec.restartPolicy`, policy, ["OnFailure", "Never"]);
  }
}

/** What is wrong with a cron schedule; names of months and days, steps, ranges and lists are known. */
function scheduleFault(schedule: string): string | undefined {
  if (schedule.includes("TZ=")) return "cannot use TZ or CRON_TZ in schedule, use timeZone field instead";
  if (schedule.startsWith("@")) {
    if (/^@(yearly|annually|monthly|weekly|daily|midnight|hourly)$/.test(schedule)) return undefined;
    return /^@every (\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/.test(schedule)
      ? undefined
      : `unrecognized descriptor: ${schedule}`;
  }
  const fields = schedule.trim().split(/\s+/);
  if (fields.length !== 5) return `expected exactly 5 fields, found ${fields.length}: [${fields.join(" ")}]`;
  for (const [index, field] of fields.entries()) {
    const wrong = field.split(",").find((part) => !isCronPart(part, index));
    if (wrong !== undefined) return `failed to parse ${wrong === field ? `'${field}'` : `'${wrong}' in '${field}'`}`;
  }
  return undefined;
}

const CRON_BOUNDS: readonly (readonly [low: number, high: number, names: readonly string[]])[] = [
  [0, 59, []],
  [0, 23, []],
  [1, 31, []],
  [1, 12, ["", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]],
  [0, 7, ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]],
];

function isCronPart(part: string, field: number): boolean {
  const [low = 0, high = 0, names = []] = CRON_BOUNDS[field] ?? [];
  const match = /^(\*|\?|([a-z0-9]+)(?:-([a-z0-9]+))?)(?:\/(\d+))?$/i.exec(part);
  if (match === null || match[4] === "0") return false;
  const numbers = [match[2], match[3]].flatMap((text) => {
    if (text === undefined) return [];
    const named = names.indexOf(text.toLowerCase());
    return [named >= 0 && text !== "" ? named : /^\d+$/.test(text) ? Number(text) : Number.NaN];
  });
  const [first = low, last = first] = numbers;
  return numbers.every((number) => number >= low && number <= high) && first <= last;
}

function isTimeZone(zone: string): boolean {
  if (zone === "" || zone.toLowerCase() === "local") return false;
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}
