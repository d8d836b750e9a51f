import { type Container, type Pod, parseQuantity } from "@bowline/kube";
import { ContainerConfigError } from "./config-error.ts";

/** What a pod's fields are before its status says so. */
export interface PodPlace {
  readonly nodeName: string;
  readonly hostIps: readonly string[];
  readonly podIps: readonly string[];
  readonly capacity: { readonly cpus: number; readonly memoryBytes: number };
}

/** The value of a downward API `fieldRef`. @throws ContainerConfigError for a path that there is not */
export function podField(pod: Pod, path: string, place: PodPlace): string {
  const { metadata, spec } = pod;
  const entry = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path);
  if (entry !== null) return metadata[entry[1] as "labels" | "annotations"]?.[entry[2] ?? ""] ?? "";
  switch (path) {
    case "metadata.name":
      return metadata.name;
    case "metadata.namespace":
      return metadata.namespace ?? "";
    case "metadata.uid":
      return metadata.uid ?? "";
    case "metadata.labels":
      return formatMap(metadata.labels ?? {});
    case "metadata.annotations":
      return formatMap(metadata.annotations ?? {});
    case "spec.nodeName":
      return place.nodeName;
    case "spec.serviceAccountName":
      return spec?.serviceAccountName ?? "default";
    case "spec.restartPolicy":
      return spec?.restartPolicy ?? "Always";
    case "status.hostIP":
      return place.hostIps[0] ?? "";
    case "status.hostIPs":
      return place.hostIps.join(",");
    case "status.podIP":
      return place.podIps[0] ?? "";
    case "status.podIPs":
      return place.podIps.join(",");
    default:
      throw new ContainerConfigError(`unsupported fieldPath: ${path}`);
  }
}

/** The value of a `resourceFieldRef`: rounded up to whole divisors; without a limit, what the node has. */
export function resourceField(
  container: Container,
  resource: string,
  divisor: string | undefined,
  place: PodPlace,
): string {
  const [kind = "", name = ""] = resource.split(".");
  const resources = container.resources ?? {};
  const limit = resources.limits?.[name];
  const given = kind === "limits" ? limit : (resources.requests?.[name] ?? limit);
  const unit = divisor === undefined || divisor === "0" ? 1 : parseQuantity(divisor);
  const capacity: Record<string, number> = { cpu: place.capacity.cpus, memory: place.capacity.memoryBytes };
  const whole = kind === "limits" ? (capacity[name] ?? 0) : 0;
  return String(Math.ceil((given === undefined ? whole : parseQuantity(given)) / unit - 1e-9));
}

/** Sorted `key="value"` lines, quoted as Go quotes. */
function formatMap(map: Readonly<Record<string, string>>): string {
  const keys = Object.keys(map).toSorted();
  return keys.map((key) => `${key}=${JSON.stringify(map[key])}`).join("\n");
}
