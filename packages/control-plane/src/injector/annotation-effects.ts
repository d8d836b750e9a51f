import { CONFIG_ANNOTATION as A, DEFAULT_POLICIES } from "@bowline/contracts";
import { parseQuantity } from "@bowline/kube";
import { parseGoDurationMs } from "../go-duration.ts";
import { isNetwork, listItems } from "./networks.ts";
import { isPort, readPortItems } from "./port-items.ts";
import type { SettingsDraft } from "./settings.ts";

/** Changes the draft, or says why the text can't be used. Part of a list may be used, and the rest complained of. */
type Effect = (draft: SettingsDraft, text: string) => string | null;

type Parse<T> = (text: string) => T | Complaint;

class Complaint {
  readonly reason: string;
  constructor(reason: string) {
    this.reason = reason;
  }
}

/** Every annotation that changes how the proxy is rendered. Later rows win over earlier ones that set the same. */
export const ANNOTATION_EFFECTS: readonly (readonly [annotation: string, effect: Effect])[] = [
  [A.proxyImage, set(imageName, ({ values }, name) => Object.assign(values.proxy.image, { name }))],
  [A.proxyVersion, set(someText, ({ values }, version) => Object.assign(values.proxy.image, { version }))],
  [A.imagePullPolicy, set(pullPolicy, ({ values }, pullPolicy) => Object.assign(values.proxy.image, { pullPolicy }))],
  [A.inboundPort, set(port, ({ values }, inbound) => Object.assign(values.proxy.ports, { inbound }))],
  [A.outboundPort, set(port, ({ values }, outbound) => Object.assign(values.proxy.ports, { outbound }))],
  [A.adminPort, set(port, ({ values }, admin) => Object.assign(values.proxy.ports, { admin }))],
  [A.controlPort, set(port, ({ values }, control) => Object.assign(values.proxy.ports, { control }))],
  [A.skipInboundPorts, ports(({ values }, list) => Object.assign(values.proxyInit, { ignoreInboundPorts: list }))],
  [A.skipOutboundPorts, ports(({ values }, list) => Object.assign(values.proxyInit, { ignoreOutboundPorts: list }))],
  [A.skipSubnets, skipSubnets],
  [A.opaquePorts, ports(({ values }, opaquePorts) => Object.assign(values.proxy, { opaquePorts }))],
  [A.podInboundPorts, ports(({ values }, podInboundPorts) => Object.assign(values.proxy, { podInboundPorts }))],
  [
    A.proxyRequireIdentityInboundPorts,
    ports(({ values }, list) => Object.assign(values.proxy, { requireIdentityOnInboundPorts: list })),
  ],
  [A.proxyUid, set(id, ({ values }, uid) => Object.assign(values.proxy, { uid }))],
  [A.proxyGid, set(id, ({ values }, gid) => Object.assign(values.proxy, { gid }))],
  [A.proxyLogLevel, set(someText, ({ values }, logLevel) => Object.assign(values.proxy, { logLevel }))],
  [
    A.proxyLogFormat,
    set(oneOf(["plain", "json"]), ({ values }, logFormat) => Object.assign(values.proxy, { logFormat })),
  ],
  [
    A.proxyLogHttpHeaders,
    set(oneOf(["off", "insecure"]), ({ values }, logHTTPHeaders) => Object.assign(values.proxy, { logHTTPHeaders })),
  ],
  [A.accessLog, set(oneOf(["apache", "json"]), ({ values }, accessLog) => Object.assign(values.proxy, { accessLog }))],
  [A.proxyCpuRequest, quantity("cpu", "request")],
  [A.proxyCpuLimit, quantity("cpu", "limit")],
  [A.proxyMemoryRequest, quantity("memory", "request")],
  [A.proxyMemoryLimit, quantity("memory", "limit")],
  [A.proxyEphemeralStorageRequest, quantity("ephemeral-storage", "request")],
  [A.proxyEphemeralStorageLimit, quantity("ephemeral-storage", "limit")],
  [
    A.proxyCpuRatioLimit,
    set(ratio, ({ values }, maximumCPURatio) => Object.assign(values.proxy.runtime.workers, { maximumCPURatio })),
  ],
  [
    A.defaultInboundPolicy,
    set(oneOf(DEFAULT_POLICIES), ({ values }, defaultInboundPolicy) =>
      Object.assign(values.proxy, { defaultInboundPolicy }),
    ),
  ],
  [A.proxyOutboundConnectTimeout, millis("outboundConnectTimeout")],
  [A.proxyInboundConnectTimeout, millis("inboundConnectTimeout")],
  [A.proxyOutboundDiscoveryCacheUnusedTimeout, millis("outboundDiscoveryCacheUnusedTimeout")],
  [A.proxyInboundDiscoveryCacheUnusedTimeout, millis("inboundDiscoveryCacheUnusedTimeout")],
  [A.shutdownGracePeriod, millis("shutdownGracePeriod")],
  [A.proxyDisableOutboundProtocolDetectTimeout, flag("disableOutboundProtocolDetectTimeout")],
  [A.proxyDisableInboundProtocolDetectTimeout, flag("disableInboundProtocolDetectTimeout")],
  [A.enableExternalProfiles, flag("enableExternalProfiles")],
  [A.enableGateway, flag("isGateway")],
  [
    A.proxyMetricsHostnameLabels,
    set(bool, ({ values }, hostnameLabels) => Object.assign(values.proxy.metrics, { hostnameLabels })),
  ],
  [A.proxyAwait, set(enabled, ({ values }, on) => Object.assign(values.proxy, { await: on }))],
  [A.proxyAdminShutdown, set(enabled, ({ values }, on) => Object.assign(values.proxy, { enableShutdownEndpoint: on }))],
  [A.proxyEnableNativeSidecarAlpha, flag("nativeSidecar")],
  [A.proxyEnableNativeSidecarBeta, flag("nativeSidecar")],
  [A.proxyEnableNativeSidecar, flag("nativeSidecar")],
  [
    A.proxyWaitBeforeExitSeconds,
    set(id, ({ values }, waitBeforeExitSeconds) => Object.assign(values.proxy, { waitBeforeExitSeconds })),
  ],
  [A.closeWaitTimeout, closeWaitTimeout],
  [
    A.enableDebugSidecar,
    set(bool, (draft, debug) => {
      draft.debug = debug;
    }),
  ],
  [A.debugImage, set(imageName, ({ values }, name) => Object.assign(values.debugContainer.image, { name }))],
  [
    A.debugImageVersion,
    set(someText, ({ values }, version) => Object.assign(values.debugContainer.image, { version })),
  ],
  [
    A.debugImagePullPolicy,
    set(pullPolicy, ({ values }, pullPolicy) => Object.assign(values.debugContainer.image, { pullPolicy })),
  ],
];

function set<T>(parse: Parse<T>, apply: (draft: SettingsDraft, value: T) => unknown): Effect {
  return (draft, text) => {
    const value = parse(text.trim());
    if (value instanceof Complaint) return value.reason;
    apply(draft, value);
    return null;
  };
}

function ports(apply: (draft: SettingsDraft, list: string) => unknown): Effect {
  return (draft, text) => {
    const { items, bad } = readPortItems(text, draft.namedPorts);
    apply(draft, items.join(","));
    return bad.length === 0 ? null : `not a port, range or name of a container's port: ${bad.join(", ")}`;
  };
}

function flag(
  name:
    | "disableOutboundProtocolDetectTimeout"
    | "disableInboundProtocolDetectTimeout"
    | "enableExternalProfiles"
    | "isGateway"
    | "nativeSidecar",
): Effect {
  return set(bool, ({ values }, on) => Object.assign(values.proxy, { [name]: on }));
}

function millis(
  name:
    | "outboundConnectTimeout"
    | "inboundConnectTimeout"
    | "outboundDiscoveryCacheUnusedTimeout"
    | "inboundDiscoveryCacheUnusedTimeout"
    | "shutdownGracePeriod",
): Effect {
  return set(durationMs, ({ values }, ms) => Object.assign(values.proxy, { [name]: `${ms}ms` }));
}

function quantity(resource: "cpu" | "memory" | "ephemeral-storage", bound: "request" | "limit"): Effect {
  return set(quantityText, ({ values }, text) => Object.assign(values.proxy.resources[resource], { [bound]: text }));
}

function skipSubnets({ values }: SettingsDraft, text: string): string | null {
  const items = listItems(text);
  values.proxyInit.skipSubnets = items.filter(isNetwork).join(",");
  const bad = items.filter((item) => !isNetwork(item));
  return bad.length === 0 ? null : `not a network such as 10.0.0.0/8: ${bad.join(", ")}`;
}

function closeWaitTimeout({ values }: SettingsDraft, text: string): string | null {
  const ms = durationMs(text.trim());
  if (ms instanceof Complaint) return ms.reason;
  values.proxyInit.closeWaitTimeoutSecs = Math.ceil(ms / 1_000);
  return null;
}

function someText(text: string): string | Complaint {
  return text === "" ? new Complaint("it is empty") : text;
}

/** Spaces in an image's name would be found by the node only, after the pod was made. */
function imageName(text: string): string | Complaint {
  return /^\S+$/.test(text) ? text : new Complaint("not an image's name");
}

function pullPolicy(text: string): "Always" | "IfNotPresent" | "Never" | Complaint {
  return oneOf(["Always", "IfNotPresent", "Never"])(text);
}

function port(text: string): number | Complaint {
  const value = /^[0-9]+$/.test(text) ? Number(text) : null;
  return isPort(value) ? value : new Complaint("not a port");
}

function id(text: string): number | Complaint {
  const value = /^[0-9]{1,10}$/.test(text) ? Number(text) : Number.NaN;
  return value <= 0x7fff_ffff ? value : new Complaint("not a whole number");
}

/** As Go's ParseBool reads it. */
function bool(text: string): boolean | Complaint {
  if (/^(?:1|t|T|TRUE|true|True)$/.test(text)) return true;
  return /^(?:0|f|F|FALSE|false|False)$/.test(text) ? false : new Complaint("neither true nor false");
}

function enabled(text: string): boolean | Complaint {
  const word = oneOf(["enabled", "disabled"])(text);
  return word instanceof Complaint ? word : word === "enabled";
}

function oneOf<const T extends string>(words: readonly T[]): Parse<T> {
  return (text) => words.find((word) => word === text) ?? new Complaint(`not one of ${words.join(", ")}`);
}

function ratio(text: string): number | Complaint {
  const value = /^[0-9]*\.?[0-9]+$/.test(text) ? Number(text) : Number.NaN;
  return value > 0 && value <= 1 ? value : new Complaint("not a share between 0 and 1");
}

/** Whole milliseconds: the proxy knows no fractions of them. */
function durationMs(text: string): number | Complaint {
  const ms = parseGoDurationMs(text);
  return ms === null ? new Complaint("not a duration such as 500ms or 1m30s") : Math.round(ms);
}

function quantityText(text: string): string | Complaint {
  try {
    return parseQuantity(text) >= 0 ? text : new Complaint("it is negative");
  } catch (error) {
    if (error instanceof RangeError) return new Complaint("not a quantity such as 250m or 64Mi");
    throw error;
  }
}
