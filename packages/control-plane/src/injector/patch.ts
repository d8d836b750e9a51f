import { isObject } from "./json-object.ts";
import type { PodView } from "./workload.ts";

/** An operation of a JSON patch (RFC 6902), as far as injection needs them. */
export type PatchOperation =
  | { readonly op: "add"; readonly path: string; readonly value: unknown }
  | { readonly op: "remove"; readonly path: string };

/** One reference token of a JSON pointer (RFC 6901 section 3). */
export function pointerToken(text: string): string {
  return text.replaceAll("~", "~0").replaceAll("/", "~1");
}

/** A patch of one pod, in which maps and lists are made when the first thing goes into them. */
export class PodPatch {
  readonly operations: PatchOperation[] = [];
  readonly #pointer: string;
  readonly #made: Set<string> = new Set();
  #initAdded = 0;

  constructor(pod: PodView) {
    this.#pointer = pod.pointer;
    if (pod.metadata !== undefined) this.#made.add("/metadata");
    if (isObject(pod.metadata?.["annotations"])) this.#made.add("/metadata/annotations");
    if (isObject(pod.metadata?.["labels"])) this.#made.add("/metadata/labels");
    if (pod.volumes.length > 0) this.#made.add("/spec/volumes");
    if (pod.initContainers.length > 0) this.#made.add("/spec/initContainers");
  }

  annotate(name: string, value: string): void {
    this.#ensure("/metadata", {});
    this.#ensure("/metadata/annotations", {});
    this.#add(`/metadata/annotations/${pointerToken(name)}`, value);
  }

  label(name: string, value: string): void {
    this.#ensure("/metadata", {});
    this.#ensure("/metadata/labels", {});
    this.#add(`/metadata/labels/${pointerToken(name)}`, value);
  }

  addVolume(volume: unknown): void {
    this.#ensure("/spec/volumes", []);
    this.#add("/spec/volumes/-", volume);
  }

  /** Before the pod's own, behind those of earlier calls. */
  addFirstInitContainer(container: unknown): void {
    this.#ensure("/spec/initContainers", []);
    this.#add(`/spec/initContainers/${this.#initAdded++}`, container);
  }

  addLastInitContainer(container: unknown): void {
    this.#ensure("/spec/initContainers", []);
    this.#add("/spec/initContainers/-", container);
  }

  addFirstContainer(container: unknown): void {
    this.#add("/spec/containers/0", container);
  }

  addLastContainer(container: unknown): void {
    this.#add("/spec/containers/-", container);
  }

  #ensure(path: string, empty: unknown): void {
    if (this.#made.has(path)) return;
    this.#made.add(path);
    this.#add(path, empty);
  }

  #add(path: string, value: unknown): void {
    this.operations.push({ op: "add", path: `${this.#pointer}${path}`, value });
  }
}
