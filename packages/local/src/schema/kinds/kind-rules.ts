import type { KubeObject } from "@bowline/kube";
import type { PrepareOptions, WriteKind } from "../resource-type.ts";
import type { FieldErrors } from "../validation/field-errors.ts";
import type { NameRule } from "../validation/names.ts";

/** What is particular to one kind. Everything is in place, and nothing waits. */
export interface KindRules {
  /** Of the object's name; a DNS subdomain when absent. */
  readonly name?: NameRule;
  readonly defaults?: (object: KubeObject) => void;
  /** The status of a new object; without it a status that was sent is kept. */
  readonly initialStatus?: (object: KubeObject) => unknown;
  /** Fields beside `spec` whose change makes a new generation; without it there are no generations. */
  readonly generation?: readonly string[];
  /** Fills in what the server decides: selectors, labels, what an update left out. After defaults, before validation. */
  readonly complete?: (object: KubeObject, write: WriteKind, options: PrepareOptions) => void;
  readonly validate?: (object: KubeObject, errors: FieldErrors) => void;
  readonly validateUpdate?: (object: KubeObject, old: KubeObject, errors: FieldErrors) => void;
  /** Takes what only one object can have: addresses, ports. After validation, on create and update. */
  readonly allocate?: (object: KubeObject, options: PrepareOptions) => void;
}
