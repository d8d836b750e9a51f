import {
  INIT_CONTAINER,
  NETWORK_VALIDATOR_PATH,
  PROXY_INIT_PATH,
  VALIDATOR_CONTAINER,
  XTABLES_LOCK_VOLUME,
} from "@bowline/contracts";
import type { Values } from "../values.ts";
import { firstCapabilities, resourceRequirements } from "./containers.ts";
import type { JsonObject } from "./json-object.ts";
import { readPortItems } from "./port-items.ts";
import { serviceAccountMount } from "./report.ts";
import { imageReference } from "./settings.ts";
import type { PodView } from "./workload.ts";

export interface InitContainerInput {
  readonly values: Values;
  readonly pod: PodView;
  /** "" unless the pod is of the control plane. */
  readonly component: string;
}

/** What runs once before the proxy: proxy-init writes the redirect rules, or, where CNI did, the validator checks them. */
export function initContainer(input: InitContainerInput): JsonObject {
  return input.values.cniEnabled ? networkValidator(input.values) : proxyInit(input);
}

/** proxy-init's arguments. */
function proxyInitArgs({ values, component }: Omit<InitContainerInput, "pod">): string[] {
  const { proxy, proxyInit } = values;
  const { ports } = proxy;
  const outboundIgnored = component === "" ? [] : readPortItems(proxyInit.kubeAPIServerPorts).items;
  return [
    ...firewallArgs(proxyInit.iptablesMode),
    ...(values.disableIPv6 ? ["--ipv6=false"] : []),
    ...flag("--incoming-proxy-port", ports.inbound),
    ...flag("--outgoing-proxy-port", ports.outbound),
    ...flag("--proxy-uid", proxy.uid),
    ...(proxy.gid >= 0 ? flag("--proxy-gid", proxy.gid) : []),
    ...list("--inbound-ports-to-ignore", [
      String(ports.control),
      String(ports.admin),
      ...readPortItems(proxyInit.ignoreInboundPorts).items,
    ]),
    ...list("--outbound-ports-to-ignore", [...readPortItems(proxyInit.ignoreOutboundPorts).items, ...outboundIgnored]),
    ...(proxyInit.closeWaitTimeoutSecs > 0 ? flag("--timeout-close-wait-secs", proxyInit.closeWaitTimeoutSecs) : []),
    ...(proxyInit.logFormat === "" ? [] : flag("--log-format", proxyInit.logFormat)),
    ...(proxyInit.logLevel === "" ? [] : flag("--log-level", proxyInit.logLevel)),
    ...(proxyInit.skipSubnets === "" ? [] : flag("--subnets-to-ignore", proxyInit.skipSubnets)),
  ];
}

function proxyInit(input: InitContainerInput): JsonObject {
  const { values, pod } = input;
  const { proxy, proxyInit: init } = values;
  const resources = resourceRequirements(proxy.resources);
  const { add, drop } = firstCapabilities(pod);
  // Writing the sysctl of close-wait needs the node's /proc/sys to be writable.
  const privileged = init.privileged || init.closeWaitTimeoutSecs > 0;
  const token = serviceAccountMount(pod);
  return {
    name: INIT_CONTAINER,
    image: imageReference(proxy.image, values),
    imagePullPolicy: proxy.image.pullPolicy || values.imagePullPolicy,
    command: [PROXY_INIT_PATH],
    args: proxyInitArgs(input),
    ...(resources === null ? {} : { resources }),
    securityContext: {
      allowPrivilegeEscalation: privileged,
      capabilities: {
        add: [...new Set(["NET_ADMIN", "NET_RAW", ...add])],
        ...(drop.length === 0 ? {} : { drop }),
      },
      privileged,
      readOnlyRootFilesystem: true,
      runAsGroup: init.runAsRoot ? 0 : init.runAsGroup,
      runAsNonRoot: !init.runAsRoot,
      runAsUser: init.runAsRoot ? 0 : init.runAsUser,
      seccompProfile: { type: "RuntimeDefault" },
    },
    terminationMessagePolicy: "FallbackToLogsOnError",
    volumeMounts: [{ name: XTABLES_LOCK_VOLUME, mountPath: "/run" }, ...(token === null ? [] : [token])],
  };
}

function networkValidator(values: Values): JsonObject {
  const { proxy, networkValidator: validator, disableIPv6 } = values;
  const connect = validator.connectAddr || (disableIPv6 ? "1.1.1.1:20001" : "[fd00::1]:20001");
  const listen = validator.listenAddr || `${disableIPv6 ? "0.0.0.0" : "[::]"}:${proxy.ports.outbound}`;
  const resources = resourceRequirements(proxy.resources);
  return {
    name: VALIDATOR_CONTAINER,
    image: imageReference(proxy.image, values),
    imagePullPolicy: proxy.image.pullPolicy || values.imagePullPolicy,
    command: [NETWORK_VALIDATOR_PATH],
    args: [
      ...flag("--log-format", validator.logFormat),
      ...flag("--log-level", validator.logLevel),
      ...flag("--connect-addr", connect),
      ...flag("--listen-addr", listen),
      ...flag("--timeout", validator.timeout),
    ],
    ...(resources === null ? {} : { resources }),
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"] },
      readOnlyRootFilesystem: true,
      runAsGroup: 65534,
      runAsNonRoot: true,
      runAsUser: 65534,
      seccompProfile: { type: "RuntimeDefault" },
    },
    terminationMessagePolicy: "FallbackToLogsOnError",
  };
}

/** `plain` is proxy-init's own default. */
function firewallArgs(mode: Values["proxyInit"]["iptablesMode"]): string[] {
  if (mode === "plain") return [];
  return [
    ...flag("--firewall-bin-path", `iptables-${mode}`),
    ...flag("--firewall-save-bin-path", `iptables-${mode}-save`),
  ];
}

function flag(name: string, value: string | number): string[] {
  return [name, String(value)];
}

function list(name: string, items: readonly string[]): string[] {
  return items.length === 0 ? [] : [name, items.join(",")];
}
