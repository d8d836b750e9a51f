import { endpoint, profile, ScriptedControlPlane, servicePolicy } from "@bowline/testkit/control-plane";
import { BACKEND_ADDRESS, FAR_ADDRESS, SERVICE_PORT, serviceAddress } from "./addresses.ts";
import { CASES } from "./cases.ts";

const PROXY_AHEAD = { protocolHint: { protocol: { case: "h2", value: {} } } } as const;

/**
 * A control plane that knows two things: what is asked for at the backend's address is at the far one, behind a proxy
 * that takes HTTP/2; and the services that cases ask for have all ports of the backend as their endpoints.
 */
export async function startControlPlane(backendPorts: readonly number[]): Promise<ScriptedControlPlane> {
  const control = await ScriptedControlPlane.start();
  for (const port of backendPorts) {
    const path = tellOf(control, `far-${port}`, `${BACKEND_ADDRESS}:${port}`);
    control.destination(path).add(endpoint(`${FAR_ADDRESS}:${port}`, PROXY_AHEAD));
  }
  const services = Math.max(...CASES.map(({ load }) => (load.kind === "held" ? (load.services ?? 0) : 0)));
  for (let number = 1; number <= services; number++) {
    const path = tellOf(control, `service-${number}`, `${serviceAddress(number)}:${SERVICE_PORT}`);
    for (const port of backendPorts) control.destination(path).add(endpoint(`${BACKEND_ADDRESS}:${port}`));
  }
  return control;
}

function tellOf(control: ScriptedControlPlane, name: string, target: string): string {
  const host = `${name}.bench.svc.cluster.local`;
  const path = `${host}:${SERVICE_PORT}`;
  control.policy(target).send(servicePolicy(path));
  control.profile(target).send(profile({ fullyQualifiedName: host }));
  return path;
}
