import { ApiError, type FieldCause } from "@bowline/kube";

/** Collects what is wrong with an object, in the words of Kubernetes' field errors. Paths are as in "spec.containers[0].name". */
export class FieldErrors {
  readonly causes: FieldCause[] = [];

  invalid(field: string, value: unknown, detail: string): void {
    this.#add(field, `Invalid value: ${shown(value)}: ${detail}`, "FieldValueInvalid");
  }

  typeInvalid(field: string, value: unknown, detail: string): void {
    this.#add(field, `Invalid value: ${shown(value)}: ${detail}`, "FieldValueTypeInvalid");
  }

  required(field: string, detail = ""): void {
    this.#add(field, detail === "" ? "Required value" : `Required value: ${detail}`, "FieldValueRequired");
  }

  notSupported(field: string, value: unknown, supported: readonly unknown[]): void {
    const list = supported.map(shown).join(", ");
    this.#add(field, `Unsupported value: ${shown(value)}: supported values: ${list}`, "FieldValueNotSupported");
  }

  duplicate(field: string, value: unknown): void {
    this.#add(field, `Duplicate value: ${shown(value)}`, "FieldValueDuplicate");
  }

  notFound(field: string, value: unknown): void {
    this.#add(field, `Not found: ${shown(value)}`, "FieldValueNotFound");
  }

  forbidden(field: string, detail: string): void {
    this.#add(field, `Forbidden: ${detail}`, "FieldValueForbidden");
  }

  tooLong(field: string, maxBytes: number): void {
    this.#add(field, `Too long: may not be more than ${maxBytes} bytes`, "FieldValueTooLong");
  }

  tooMany(field: string, count: number, max: number): void {
    this.#add(field, `Too many: ${count}: must have at most ${max} items`, "FieldValueTooMany");
  }

  /** @throws ApiError 422 if there is anything */
  throwIfAny(group: string, kind: string, name: string): void {
    if (this.causes.length > 0) throw ApiError.invalid(kind, name, this.causes, group);
  }

  #add(field: string, message: string, reason: string): void {
    if (this.causes.some((cause) => cause.field === field && cause.message === message)) return;
    this.causes.push({ field, message, reason });
  }
}

/** A value as messages quote it; long ones are cut. */
function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? "null";
  return text.length <= SHOWN_MAX ? text : `${text.slice(0, SHOWN_MAX)}…`;
}

const SHOWN_MAX = 1024;
