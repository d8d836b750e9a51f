import type { KubeObject } from "@bowline/kube";
import type { SchemaRegistry } from "../schema/registry.ts";
import type { Store } from "./storage/store.ts";

const DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io";

/**
 * Keeps the registry's custom types in step with the stored definitions, from within each write. The objects of a definition that is
 * gone go right after it, whatever their finalizers: there is no way to reach them any more.
 */
export function followDefinitions(store: Store, registry: SchemaRegistry, warn: (line: string) => void): void {
  const add = (definition: KubeObject): void => {
    try {
      registry.addCrd(definition);
    } catch (error) {
      warn(
        `CustomResourceDefinition ${definition.metadata.name}: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  };
  for (const definition of store.list(DEFINITIONS)) add(definition);
  store.listen(DEFINITIONS, ({ kind, object }) => {
    if (kind !== "DELETED") {
      add(object);
      return;
    }
    const { name } = object.metadata;
    registry.removeCrd(name);
    // A definition is named as its objects are stored: plural and group.
    queueMicrotask(() => {
      for (const each of store.list(name)) store.remove(name, each);
    });
  });
}
