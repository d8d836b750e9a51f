import { ApiError } from "@bowline/kube";
import type { UserInfo } from "../write/context.ts";
import type { AccessRequest } from "./rbac.ts";

/** The refusal of a request that no rule allows, in Kubernetes' words. */
export function denial(user: UserInfo, access: AccessRequest): ApiError {
  const who = `User ${JSON.stringify(user.username)}`;
  if ("path" in access) {
    const message = `forbidden: ${who} cannot ${access.verb} path ${JSON.stringify(access.path)}`;
    return new ApiError(403, "Forbidden", message, {});
  }
  const { verb, group, resource, namespace, name } = access;
  const where = namespace === "" ? "at the cluster scope" : `in the namespace ${JSON.stringify(namespace)}`;
  const why = `${who} cannot ${verb} resource ${JSON.stringify(resource)} in API group ${JSON.stringify(group)} ${where}`;
  const plural = resource.split("/")[0] ?? resource;
  return ApiError.forbidden(group === "" ? plural : `${plural}.${group}`, name, why);
}
