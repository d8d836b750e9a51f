import { ApiError, type KubeObject } from "@bowline/kube";
import { recordUpdate } from "../../schema/patch/managed-fields.ts";
import type { ResourceType, WriteKind } from "../../schema/resource-type.ts";
import type { ServiceAddresses } from "../services/service-addresses.ts";
import type { Store } from "../storage/store.ts";
import type { Admission, AdmissionAttributes, WriteContext } from "./context.ts";
import { isFinished } from "./deletion.ts";
import { checkPreconditions, fillMetadata, generateName, modifiedError, resourceName, timestamp } from "./metadata.ts";
import { checkNamespace } from "./namespace-lifecycle.ts";

/** Chances that five random characters are taken are small, but not zero. */
const GENERATED_NAMES_MAX = 8;
/** More than a handful of conflicts in a row is a writer that never rests. */
const CONFLICTS_MAX = 16;

export interface UpdateOptions {
  readonly subresource?: string;
  /** What counts of the edited object; "update" unless given. */
  readonly write?: WriteKind;
  /** What managedFields are to say: "none" where the edit itself saw to them (server-side apply). */
  readonly managedFields?: "record" | "none";
}

/** Creates and updates: defaults, admission, validation, storing, in the order that Kubernetes has. */
export class Writer {
  readonly #store: Store;
  readonly #admission: Admission;
  readonly #addresses: ServiceAddresses;

  constructor(store: Store, admission: Admission, addresses: ServiceAddresses) {
    this.#store = store;
    this.#admission = admission;
    this.#addresses = addresses;
  }

  /** Stores a new object, in a served version; takes it over. Its namespace is in its metadata. */
  async create(type: ResourceType, object: KubeObject, context: WriteContext): Promise<KubeObject> {
    const draft = type.toStored(object);
    type.setDefaults(draft);
    const attributes: AdmissionAttributes = {
      operation: "CREATE",
      type,
      subresource: "",
      namespace: draft.metadata.namespace ?? "",
      name: draft.metadata.name ?? "",
      object: draft,
      oldObject: undefined,
      options: optionsOf("CreateOptions", context),
      context,
    };
    checkNamespace(this.#store, type, attributes.namespace, draft.metadata.name);
    const changing = this.#admission.mutate(attributes);
    if (changing !== undefined) await changing;
    const mutated = attributes.object ?? draft;
    fillMetadata(type, mutated);
    if (mutated.metadata.name !== undefined && mutated.metadata.name !== "") return this.#insert(attributes, mutated);
    return this.#insertNamed(attributes, mutated);
  }

  /**
   * Stores what `edit` makes of the object; it must return a new one, in the stored version, and is asked again when
   * someone else was faster. A resourceVersion other than the current one in the result is a conflict.
   */
  async update(
    type: ResourceType,
    namespace: string,
    name: string,
    edit: (old: KubeObject) => KubeObject,
    context: WriteContext,
    options: UpdateOptions = {},
  ): Promise<KubeObject> {
    for (let i = 0; i < CONFLICTS_MAX; i++) {
      const old = this.#store.get(type.storedAs, namespace, name);
      if (old === undefined) throw ApiError.notFound(resourceName(type), name);
      const edited = edit(old);
      checkPreconditions(type, old, edited.metadata);
      const stored = await this.#replace(type, old, edited, context, options);
      if (stored !== undefined) return stored;
    }
    throw modifiedError(type, name);
  }

  async #insertNamed(attributes: AdmissionAttributes, draft: KubeObject): Promise<KubeObject> {
    const base = draft.metadata.generateName ?? "";
    for (let i = 1; ; i++) {
      const named = { ...draft, metadata: { ...draft.metadata, name: generateName(base) } };
      try {
        return await this.#insert(attributes, named);
      } catch (error) {
        if (!(error instanceof ApiError) || error.reason !== "AlreadyExists" || i === GENERATED_NAMES_MAX) throw error;
      }
    }
  }

  async #insert(attributes: AdmissionAttributes, draft: KubeObject): Promise<KubeObject> {
    const { type, context, namespace } = attributes;
    const name = draft.metadata.name;
    const addresses = this.#addresses.begin();
    try {
      type.prepare(draft, "create", { services: addresses });
      record(type, undefined, draft, context);
      const judging = this.#admission.validate({ ...attributes, name, object: draft });
      if (judging !== undefined) await judging;
      // Once more: webhooks take their time, in which the namespace may have begun to go.
      checkNamespace(this.#store, type, namespace, name);
      if (this.#store.get(type.storedAs, namespace, name) !== undefined) {
        throw ApiError.alreadyExists(resourceName(type), name);
      }
      if (context.dryRun) return draft;
      const stored = this.#store.insert(type.storedAs, draft);
      if (stored === undefined) throw ApiError.alreadyExists(resourceName(type), name);
      return stored;
    } finally {
      addresses.end();
    }
  }

  /** Undefined: `old` is no longer what is stored. */
  async #replace(
    type: ResourceType,
    old: KubeObject,
    edited: KubeObject,
    context: WriteContext,
    options: UpdateOptions,
  ): Promise<KubeObject | undefined> {
    const { subresource = "", write = "update", managedFields = "record" } = options;
    type.setDefaults(edited);
    const attributes: AdmissionAttributes = {
      operation: "UPDATE",
      type,
      subresource,
      namespace: old.metadata.namespace ?? "",
      name: old.metadata.name,
      object: edited,
      oldObject: old,
      options: optionsOf("UpdateOptions", context),
      context,
    };
    const changing = this.#admission.mutate(attributes);
    if (changing !== undefined) await changing;
    const draft = attributes.object ?? edited;
    const addresses = this.#addresses.begin();
    try {
      type.prepare(draft, write, { old, services: addresses });
      if (isSame(old, draft, managedFields === "none")) {
        return this.#store.get(type.storedAs, attributes.namespace, attributes.name) === old ? old : undefined;
      }
      if (managedFields === "record") record(type, old, draft, context, subresource);
      const judging = this.#admission.validate({ ...attributes, object: draft });
      if (judging !== undefined) await judging;
      if (context.dryRun) return draft;
      if (isFinished(type, draft)) return this.#store.remove(type.storedAs, old, draft);
      return this.#store.replace(type.storedAs, old, draft);
    } finally {
      addresses.end();
    }
  }
}

function record(
  type: ResourceType,
  old: KubeObject | undefined,
  object: KubeObject,
  context: WriteContext,
  subresource = "",
): void {
  if (context.fieldManager === undefined) return;
  const sub = subresource === "status" || subresource === "scale" ? subresource : undefined;
  recordUpdate(type, old, object, context.fieldManager, timestamp(Date.now()), sub);
}

/** Whether a write would change nothing but its own bookkeeping. */
function isSame(old: KubeObject, draft: KubeObject, withManagers: boolean): boolean {
  return Bun.deepEquals(comparable(old, withManagers), comparable(draft, withManagers));
}

function comparable(object: KubeObject, withManagers: boolean): unknown {
  const { managedFields, resourceVersion: _, ...metadata } = object.metadata;
  const managers = withManagers ? managedFields?.map(({ time: _time, ...entry }) => entry) : undefined;
  return { ...object, metadata: { ...metadata, managers } };
}

function optionsOf(kind: string, context: WriteContext): Record<string, unknown> {
  return {
    kind,
    apiVersion: "meta.k8s.io/v1",
    ...(context.dryRun ? { dryRun: ["All"] } : {}),
    ...(context.fieldManager === undefined ? {} : { fieldManager: context.fieldManager }),
  };
}
