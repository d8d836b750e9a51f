import { type Outbound, type Profile, profileDecides } from "@bowline/model";
import { Cause } from "../failures.ts";
import type { Backends } from "./backends.ts";
import { compilePolicy } from "./compile-policy.ts";
import { compileProfile } from "./compile-profile.ts";
import { failingRouting, OneWay, Routing } from "./routing.ts";
import { HTTP_TRANSPORT, serviceMeta, TCP_TRANSPORT, type Transport } from "./transport.ts";
import { OnlyChoice, plainWay, type TcpWay } from "./way.ts";

/**
 * Where traffic to a target goes by all that is known about it: its profile if that decides anything, else its policy,
 * else the one endpoint or the service that the profile names, else where it was going (control-plane-facts §0).
 */
export function compileOutbound(outbound: Outbound, backends: Backends, onFault: (fault: string) => void): Routing {
  const { profile, policy, invalid } = outbound;
  if (profile !== null && profileDecides(profile)) return compileProfile(profile, backends);
  if (invalid !== null) return failingRouting(Cause.InvalidPolicy, backends.held);
  if (policy !== null) {
    const routing = compilePolicy(policy, backends);
    if (routing instanceof Routing) return profile?.opaque ? routing.opaqueVersion() : routing;
    onFault(routing.fault);
    return failingRouting(Cause.InvalidPolicy, backends.held);
  }
  return plainRouting(profile, backends);
}

function plainRouting(profile: Profile | null, backends: Backends): Routing {
  const router = new OneWay(plainWay(new OnlyChoice(plainBackend(profile, backends, HTTP_TRANSPORT))));
  const tcp = (): TcpWay => ({ choice: new OnlyChoice(plainBackend(profile, backends, TCP_TRANSPORT)), series: null });
  const opaque = profile?.opaque ?? false;
  const plain = profile === null || (profile.endpoint === null && profile.name === "");
  return new Routing({ opaque, http1: router, http2: router, tcp, detect: null, held: backends.held, plain });
}

function plainBackend(
  profile: Profile | null,
  backends: Backends,
  transport: Transport,
): ReturnType<Backends["forward"]> {
  if (profile === null) return backends.forward();
  const { endpoint, name, parent } = profile;
  if (endpoint !== null) return backends.endpoint(endpoint);
  if (name === "") return backends.forward();
  const path = `${name}:${backends.target.port}`;
  return backends.service(path, parent ?? serviceMeta(path), parent, transport);
}
