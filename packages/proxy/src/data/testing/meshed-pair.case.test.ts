import type { EndpointMeta, Outbound } from "@bowline/model";
import type { ScriptedIo } from "@bowline/testkit";
import { ScriptedPlane } from "./plane-world.case.test.ts";

/** Where clients go, and where the second proxy takes it. */
export const SERVER = "10.1.0.1:8080";
export const APP = "127.0.0.1:9000";

/** Two proxies, one behind the other, of which the first knows that the second takes HTTP/1 as HTTP/2. */
export class MeshedPair {
  readonly kernel: ScriptedIo;
  readonly outbound: ScriptedPlane;
  readonly inbound: ScriptedPlane;

  constructor(kernel: ScriptedIo, hint: EndpointMeta["hint"] = "h2") {
    this.kernel = kernel;
    this.outbound = new ScriptedPlane(kernel);
    const env = { LINKERD2_PROXY_INBOUND_FORWARD: `tcp://${APP}` };
    this.inbound = new ScriptedPlane(kernel, { env, outbound: "10.1.0.1:4140", inbound: SERVER });
    const { plane } = this.outbound;
    plane.discover((message) => {
      if (message.kind !== "discover") return;
      const { target } = message;
      kernel.after(1, () => plane.outbound.discovery?.onOutbound(target, outboundTo(endpointAt(target, hint))));
    });
  }

  /** Until nothing is open, and everything has been given back. */
  settle(): void {
    const { kernel, outbound, inbound } = this;
    kernel.run(this.turn, () => outbound.plane.open === 0 && inbound.plane.open === 0, { forMsMax: 600_000 });
    kernel.runFor(this.turn, 8000);
    outbound.assertSettled();
    inbound.assertSettled();
    kernel.assertNothingOpen();
  }

  /** Neither may sleep over what the other has to do. */
  turn = (): void => {
    this.outbound.plane.reactor.turn(1);
    this.inbound.plane.reactor.turn(1);
  };
}

/** An endpoint as the control plane tells of it. */
export function endpointAt(address: string, hint: EndpointMeta["hint"] = null): EndpointMeta {
  const [ip = "", port] = address.split(":");
  return {
    ip,
    port: Number(port),
    weight: 10_000,
    labels: {},
    tlsIdentity: null,
    hint,
    opaqueTransportPort: null,
    authorityOverride: null,
    http2: null,
  };
}

/** What the control plane says of an address that is an endpoint's own, or a service's, and of nothing else. */
export function outboundTo(endpoint: EndpointMeta | null, name = ""): Outbound {
  const rest = { opaque: false, routes: [], retryBudget: null, overrides: [], parent: null, profileRef: null };
  return { profile: { name, endpoint, ...rest }, policy: null, invalid: null };
}
