/** Finds the route of a service profile for a request: the first whose condition holds. */
import { compilePattern, type Pattern } from "../regex/pattern.ts";
import type { ProfileRoute, RequestMatch } from "../types/profile.ts";

/** The part of a request a profile's conditions ask about. */
export interface ProfileRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
}

type Condition =
  | { readonly kind: "all" | "any"; readonly conditions: readonly Condition[] }
  | { readonly kind: "not"; readonly condition: Condition }
  | { readonly kind: "path"; readonly pattern: Pattern }
  | { readonly kind: "method"; readonly method: string };

export class ProfileRouteTable {
  /** Why some routes are left out, in words for the log: their expressions don't compile. The others hold. */
  readonly faults: readonly string[];
  #routes: { readonly route: ProfileRoute; readonly condition: Condition }[];

  constructor(routes: readonly ProfileRoute[]) {
    const faults: string[] = [];
    this.#routes = [];
    for (const route of routes) {
      const condition = compileCondition(route.condition);
      if (typeof condition === "string") faults.push(condition);
      else this.#routes.push({ route, condition });
    }
    this.faults = faults;
  }

  /** null when none matches: the default route, which has no name, no retries and no timeout. */
  find(request: ProfileRequest): ProfileRoute | null {
    for (const { route, condition } of this.#routes) if (holds(condition, request)) return route;
    return null;
  }
}

/** A string is the fault. */
function compileCondition(match: RequestMatch): Condition | string {
  switch (match.kind) {
    case "all":
    case "any": {
      const conditions: Condition[] = [];
      for (const each of match.matches) {
        const condition = compileCondition(each);
        if (typeof condition === "string") return condition;
        conditions.push(condition);
      }
      return { kind: match.kind, conditions };
    }
    case "not": {
      const condition = compileCondition(match.match);
      return typeof condition === "string" ? condition : { kind: "not", condition };
    }
    case "path": {
      const compiled = compilePattern(match.regex.trim());
      return "fault" in compiled ? compiled.fault : { kind: "path", pattern: compiled.pattern };
    }
    case "method":
      return { kind: "method", method: match.method };
    default:
      return unreachable(match);
  }
}

function holds(condition: Condition, request: ProfileRequest): boolean {
  switch (condition.kind) {
    case "all":
      for (const each of condition.conditions) if (!holds(each, request)) return false;
      return true;
    case "any":
      for (const each of condition.conditions) if (holds(each, request)) return true;
      return false;
    case "not":
      return !holds(condition.condition, request);
    case "path":
      return condition.pattern.matches(request.path);
    case "method":
      return condition.method === request.method;
    default:
      return unreachable(condition);
  }
}

function unreachable(condition: never): never {
  throw new Error(`not a condition: ${JSON.stringify(condition)}`);
}
