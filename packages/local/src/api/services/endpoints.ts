import { ApiError, type EndpointSlice, type Service } from "@bowline/kube";
import type { Store } from "../storage/store.ts";

export interface Address {
  readonly host: string;
  readonly port: number;
}

/**
 * One of the ready endpoints behind a service's port, any of them.
 * @param port name or number; "" is the only port there is
 * @throws ApiError 404 without such a service, 503 without such a port or a ready endpoint
 */
export function endpointOf(store: Store, namespace: string, name: string, port: string): Address {
  const service = store.get("services", namespace, name) as Service | undefined;
  if (service === undefined) throw ApiError.notFound("services", name);
  const ports = service.spec?.ports ?? [];
  const found =
    port === "" && ports.length === 1
      ? ports[0]
      : ports.find((each) => each.name === port || String(each.port) === port);
  if (found === undefined)
    throw unavailable(`no service port ${JSON.stringify(port)} found for service ${JSON.stringify(name)}`);
  const addresses: Address[] = [];
  const slices = store.list("endpointslices.discovery.k8s.io", namespace) as EndpointSlice[];
  for (const slice of slices) {
    if (slice.metadata.labels?.["kubernetes.io/service-name"] !== name) continue;
    const target = slice.ports?.find((each) => (each.name ?? "") === (found.name ?? ""))?.port;
    if (target === undefined) continue;
    for (const { addresses: hosts, conditions } of slice.endpoints ?? []) {
      const [host] = hosts;
      if (host !== undefined && conditions?.ready !== false) addresses.push({ host, port: target });
    }
  }
  const address = addresses[Math.floor(Math.random() * addresses.length)];
  if (address === undefined) throw unavailable(`no endpoints available for service ${JSON.stringify(name)}`);
  return address;
}

function unavailable(message: string): ApiError {
  return new ApiError(503, "ServiceUnavailable", message);
}
