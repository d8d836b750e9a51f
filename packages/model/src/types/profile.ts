/** A service profile as plain data. Contract: destination.DestinationProfile. */
import type { EndpointMeta, Meta } from "./endpoint.ts";

export interface Profile {
  /** The fully qualified name; empty when the profile is of an address that is no service. */
  name: string;
  opaque: boolean;
  routes: ProfileRoute[];
  /** null: no retries. */
  retryBudget: RetryBudgetParams | null;
  /** Traffic split. Zero weights may be among them: `liveOverrides` leaves them out. */
  overrides: ProfileOverride[];
  /** The one endpoint the address belongs to, when it is a pod's. */
  endpoint: EndpointMeta | null;
  parent: Meta | null;
  profileRef: Meta | null;
}

export interface ProfileOverride {
  /** `name:port` */
  authority: string;
  weight: number;
  backend: Meta | null;
}

export interface RetryBudgetParams {
  /** Retries per request, 0 to 1000. */
  ratio: number;
  minPerSecond: number;
  /** How long a request counts, 1 to 60 seconds. */
  ttlMs: number;
}

export interface ProfileRoute {
  condition: RequestMatch;
  responseClasses: ResponseClass[];
  labels: Record<string, string>;
  retryable: boolean;
  timeoutMs: number | null;
}

export type RequestMatch =
  | { kind: "all"; matches: RequestMatch[] }
  | { kind: "any"; matches: RequestMatch[] }
  | { kind: "not"; match: RequestMatch }
  /** Must match the whole path. */
  | { kind: "path"; regex: string }
  | { kind: "method"; method: string };

export interface ResponseClass {
  condition: ResponseMatch;
  failure: boolean;
}

export type ResponseMatch =
  | { kind: "all"; matches: ResponseMatch[] }
  | { kind: "any"; matches: ResponseMatch[] }
  | { kind: "not"; match: ResponseMatch }
  /** Both ends count. */
  | { kind: "status"; min: number; max: number };
