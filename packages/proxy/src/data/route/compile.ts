import { type Outbound, type Profile, profileDecides } from "@bowline/model";
import { Cause } from "../failures.ts";
import { Forward } from "../pool/backend.ts";
import type { Backends } from "./backends.ts";
import { compilePolicy } from "./compile-policy.ts";
import { compileProfile } from "./compile-profile.ts";
import { failingRouting, OneWay, Routing } from "./routing.ts";
import { type Choice, OnlyChoice, type Way } from "./way.ts";

/**
 * Where traffic to a target goes by all that is known about it: its profile if that decides anything, else its policy,
 * else the one endpoint or the service that the profile names, else where it was going (control-plane-facts §0).
 */
export function compileOutbound(outbound: Outbound, backends: Backends, onFault: (fault: string) => void): Routing {
  const { profile, policy, invalid } = outbound;
  if (profile !== null && profileDecides(profile)) return compileProfile(profile, backends);
  if (invalid !== null) return failingRouting(Cause.InvalidPolicy);
  if (policy !== null) {
    const routing = compilePolicy(policy, backends);
    if (routing instanceof Routing) return profile?.opaque ? opaqueVersion(routing) : routing;
    onFault(routing.fault);
    return failingRouting(Cause.InvalidPolicy);
  }
  return plainRouting(profile, backends);
}

function plainRouting(profile: Profile | null, backends: Backends): Routing {
  const choice = new OnlyChoice(plainBackend(profile, backends));
  const router = new OneWay(plainWay(choice));
  const opaque = profile?.opaque ?? false;
  return new Routing({ opaque, http1: router, http2: router, tcp: choice, held: backends.held });
}

function plainBackend(profile: Profile | null, backends: Backends): ReturnType<Backends["forward"]> {
  if (profile === null) return backends.forward();
  const { endpoint, name, parent } = profile;
  if (endpoint !== null) return new Forward(backends.side, backends.side.endpointTarget(endpoint, ""));
  return name === "" ? backends.forward() : backends.service(`${name}:${backends.target.port}`, parent);
}

function plainWay(choice: Choice): Way {
  return {
    filters: null,
    prefixLength: null,
    retry: null,
    budget: null,
    classes: [],
    timeouts: { requestMs: null, responseMs: null, idleMs: null },
    headTimeoutMs: null,
    allowL5dHeaders: false,
    choice,
    series: null,
    profileSeries: null,
  };
}

/** A profile may say that connections are opaque whatever the policy says. */
function opaqueVersion(routing: Routing): Routing {
  const { http1, http2, tcp, held } = routing;
  return new Routing({ opaque: true, http1, http2, tcp, held });
}
