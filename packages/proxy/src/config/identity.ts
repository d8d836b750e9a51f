import { IDENTITY_ENV, SERVICE_ENV, SPIRE_BACKOFF_ENV } from "@bowline/contracts";
import { parseDnsName } from "./address-values.ts";
import { BadValue } from "./bad-value.ts";
import { readService } from "./control-plane.ts";
import { readBackoff } from "./direction.ts";
import type { EnvReader } from "./env-reader.ts";
import { parseNonEmpty, parsePositiveDuration } from "./scalar-values.ts";
import type { IdentityConfig } from "./types.ts";

const MIN_REFRESH_MS = 10_000;
const MAX_REFRESH_MS = 24 * 3_600_000;
const SPIRE_BACKOFF = { minMs: 100, maxMs: 1_000, jitter: 0.1 };

/** Checks the shape of what is there; which of it must be there is for the certificate client to say. */
export function readIdentity(env: EnvReader): IdentityConfig {
  env.read(IDENTITY_ENV.disabled, (text) =>
    text === "" ? null : new BadValue("identity can no longer be disabled; remove the variable"),
  );
  // One name for both, or each by itself: 2.15 and later set them apart.
  const shared = env.isSet(IDENTITY_ENV.localName);
  const serverId = shared
    ? env.read(IDENTITY_ENV.localName, parseDnsName)
    : env.read(IDENTITY_ENV.serverId, parseIdentityId);
  const serverName = shared ? serverId : env.read(IDENTITY_ENV.serverName, parseDnsName);
  const spire = readSpire(env);
  checkServerId(env, serverId, serverName, spire !== null);
  return {
    trustAnchorsPem: env.read(IDENTITY_ENV.trustAnchors, parseNonEmpty),
    serverId,
    serverName,
    dir: env.read(IDENTITY_ENV.dir, parseNonEmpty),
    tokenFile: env.read(IDENTITY_ENV.tokenFile, parseNonEmpty),
    service: readService(env, SERVICE_ENV.identity),
    minRefreshMs: env.read(IDENTITY_ENV.minRefresh, parsePositiveDuration) ?? MIN_REFRESH_MS,
    maxRefreshMs: env.read(IDENTITY_ENV.maxRefresh, parsePositiveDuration) ?? MAX_REFRESH_MS,
    spire,
  };
}

/** A DNS name, or an absolute URI with a host such as `spiffe://cluster.local/ns/web`. */
export function parseIdentityId(text: string): string | BadValue {
  if (/^[a-zA-Z][a-zA-Z0-9+.-]*:\/\/[^/\s]+(?:\/\S*)?$/.test(text)) return text;
  const name = parseDnsName(text);
  return name instanceof BadValue ? new BadValue("not a DNS name and not a URI") : name;
}

function readSpire(env: EnvReader): IdentityConfig["spire"] {
  const address = env.readFirst(
    [IDENTITY_ENV.spireWorkloadApiAddress, parseNonEmpty],
    [IDENTITY_ENV.spireSocket, parseNonEmpty],
  );
  const backoff = readBackoff(env, SPIRE_BACKOFF_ENV, SPIRE_BACKOFF);
  return address === null ? null : { workloadApiAddress: address.replace(/^unix:(?:\/\/)?/, ""), backoff };
}

function checkServerId(env: EnvReader, id: string | null, name: string | null, spire: boolean): void {
  const variable = env.isSet(IDENTITY_ENV.localName) ? IDENTITY_ENV.localName : IDENTITY_ENV.serverId;
  if (spire) {
    if (id === null && !env.isSet(variable)) env.missing(variable, IDENTITY_ENV.spireWorkloadApiAddress);
    else if (id !== null && !/^spiffe:/i.test(id)) env.invalid(variable, "SPIRE needs a spiffe:// id");
  } else if (id !== null && name !== null && id !== name) {
    env.invalid(variable, `must equal ${IDENTITY_ENV.serverName} unless SPIRE is used`);
  }
}
