import type { KubeObject } from "@bowline/kube";
import type { ResourceType } from "../../schema/resource-type.ts";

/** Who asks, as authentication found out; the `user` of reviews and AdmissionReviews. */
export interface UserInfo {
  readonly username: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

/** What accompanies a write, whoever makes it. */
export interface WriteContext {
  readonly user: UserInfo;
  readonly dryRun: boolean;
  /** For managedFields, which are not kept of writes without one. */
  readonly fieldManager?: string;
  /** Texts for `Warning` headers. */
  warn(text: string): void;
}

/** The API server itself, and what runs in its process. */
const SYSTEM_USER: UserInfo = {
  username: "system:apiserver",
  groups: ["system:masters", "system:authenticated"],
};

/** May do everything, whatever the roles say. */
export function isMaster(user: UserInfo): boolean {
  return user.groups.includes("system:masters");
}

export const SYSTEM_CONTEXT: WriteContext = { user: SYSTEM_USER, dryRun: false, warn: () => undefined };

type Operation = "CREATE" | "UPDATE" | "DELETE" | "CONNECT";

/** A write on its way through admission, in the stored version. Mutating plugins change or replace `object`. */
export interface AdmissionAttributes {
  readonly operation: Operation;
  readonly type: ResourceType;
  /** "" for the object itself. */
  readonly subresource: string;
  readonly namespace: string;
  /** "" while a generated name has not been chosen. */
  readonly name: string;
  object: KubeObject | undefined;
  readonly oldObject: KubeObject | undefined;
  /** The CreateOptions, UpdateOptions … of the request, for webhooks. */
  readonly options: KubeObject | Record<string, unknown>;
  readonly context: WriteContext;
}

/**
 * What may change or refuse a write. Refusals are `ApiError`s, thrown or rejected with. Undefined: done already, so that a write that
 * nobody outside is asked about is one step, which no other write comes between.
 */
export interface Admission {
  mutate(attributes: AdmissionAttributes): Promise<void> | undefined;
  validate(attributes: AdmissionAttributes): Promise<void> | undefined;
}
