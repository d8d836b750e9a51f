import type { Service } from "@bowline/kube";

/** Docker links' variables, as Kubernetes still gives them: of services with a cluster address. */
export function serviceVariables(service: Service): [name: string, value: string][] {
  const address = service.spec?.clusterIP;
  const ports = service.spec?.ports ?? [];
  const first = ports[0];
  if (address === undefined || address === "" || address === "None" || first === undefined) return [];
  const prefix = variableName(service.metadata.name);
  const host = address.includes(":") ? `[${address}]` : address;
  const protocolOf = (protocol = "TCP") => protocol.toLowerCase();
  return [
    [`${prefix}_SERVICE_HOST`, address],
    [`${prefix}_SERVICE_PORT`, String(first.port)],
    ...ports.flatMap(({ name, port }): [string, string][] =>
      name === undefined || name === "" ? [] : [[`${prefix}_SERVICE_PORT_${variableName(name)}`, String(port)]],
    ),
    [`${prefix}_PORT`, `${protocolOf(first.protocol)}://${host}:${first.port}`],
    ...ports.flatMap(({ port, protocol }): [string, string][] => {
      const name = `${prefix}_PORT_${port}_${(protocol ?? "TCP").toUpperCase()}`;
      return [
        [name, `${protocolOf(protocol)}://${host}:${port}`],
        [`${name}_PROTO`, protocolOf(protocol)],
        [`${name}_PORT`, String(port)],
        [`${name}_ADDR`, address],
      ];
    }),
  ];
}

function variableName(name: string): string {
  return name.toUpperCase().replaceAll("-", "_");
}
