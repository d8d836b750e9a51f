import { createHash } from "node:crypto";
import {
  CONFIG_ANNOTATION,
  DESTINATION_ADMIN_PORT,
  DESTINATION_PORT,
  LINKERD_CONFIG,
  PROXY_INJECTOR_ADMIN_PORT,
  PROXY_INJECTOR_PORT,
  TRUST_ROOTS,
} from "@bowline/contracts";
import { stringifyValues, type Values } from "@bowline/control-plane";
import type { KubeObject } from "@bowline/kube";
import { deployment, logArgs, service, serviceAccount } from "./parts.ts";
import { clusterAccess } from "./rbac.ts";
import { INJECTOR_TLS_SECRET } from "./webhooks.ts";

const METRICS_API_PORT = 8085;
const METRICS_API_ADMIN_PORT = 9995;

/** The program that tells proxies where things are. */
export function destination(values: Values): KubeObject[] {
  const [name, component] = ["linkerd-destination", "destination"];
  const grpc = { name: "grpc", port: DESTINATION_PORT, targetPort: DESTINATION_PORT };
  return [
    ...clusterAccess(values, component, name),
    serviceAccount(values, name, component),
    service(values, "linkerd-dst", component, [grpc]),
    // Proxies know of each pod by this one, and spread over them.
    service(values, "linkerd-dst-headless", component, [grpc], true),
    ...deployment(values, {
      name,
      component,
      args: destinationArgs(values),
      ports: { "dest-grpc": DESTINATION_PORT, "dest-admin": DESTINATION_ADMIN_PORT },
      adminPort: "dest-admin",
      resources: values.destinationResources,
      // Everybody has to find out where others are before any policy can be asked for.
      podAnnotations: { [CONFIG_ANNOTATION.defaultInboundPolicy]: "all-unauthenticated" },
    }),
  ];
}

/** The webhook's program. */
export function proxyInjector(values: Values): KubeObject[] {
  const [name, component] = ["linkerd-proxy-injector", "proxy-injector"];
  const mount = (volume: string, path: string): { name: string; mountPath: string; readOnly: boolean } => ({
    name: volume,
    mountPath: `/var/run/linkerd/${path}`,
    readOnly: true,
  });
  return [
    ...clusterAccess(values, component, name),
    serviceAccount(values, name, component),
    service(values, name, component, [{ name: "proxy-injector", port: 443, targetPort: "proxy-injector" }]),
    ...deployment(values, {
      name,
      component,
      args: [
        "proxy-injector",
        `--addr=:${PROXY_INJECTOR_PORT}`,
        `--admin-addr=:${PROXY_INJECTOR_ADMIN_PORT}`,
        `--linkerd-namespace=${values.namespace}`,
        ...logArgs(values),
      ],
      ports: { "proxy-injector": PROXY_INJECTOR_PORT, "injector-admin": PROXY_INJECTOR_ADMIN_PORT },
      adminPort: "injector-admin",
      resources: values.proxyInjectorResources,
      podAnnotations: {
        [CONFIG_ANNOTATION.opaquePorts]: String(PROXY_INJECTOR_PORT),
        [CONFIG_ANNOTATION.defaultInboundPolicy]: "all-unauthenticated",
        // New values need new pods.
        "checksum/config": createHash("sha256").update(stringifyValues(values)).digest("hex"),
      },
      volumes: [
        { name: "config", configMap: { name: LINKERD_CONFIG } },
        { name: "trust-roots", configMap: { name: TRUST_ROOTS } },
        { name: "tls", secret: { secretName: INJECTOR_TLS_SECRET } },
      ],
      volumeMounts: [mount("config", "config"), mount("trust-roots", "identity/trust-roots"), mount("tls", "tls")],
    }),
  ];
}

/** The program that `stat` asks. */
export function metricsApi(values: Values): KubeObject[] {
  const name = "metrics-api";
  return [
    ...clusterAccess(values, name, name),
    serviceAccount(values, name, name),
    service(values, name, name, [{ name: "http", port: METRICS_API_PORT, targetPort: METRICS_API_PORT }]),
    ...deployment(values, {
      name,
      component: name,
      args: [
        "metrics-api",
        `--addr=:${METRICS_API_PORT}`,
        `--admin-addr=:${METRICS_API_ADMIN_PORT}`,
        `--controller-namespace=${values.namespace}`,
        `--cluster-domain=${values.clusterDomain}`,
        ...(values.prometheusUrl === "" ? [] : [`--prometheus-url=${values.prometheusUrl}`]),
        ...logArgs(values),
      ],
      ports: { http: METRICS_API_PORT, "admin-http": METRICS_API_ADMIN_PORT },
      adminPort: "admin-http",
      resources: values.destinationResources,
    }),
  ];
}

function destinationArgs(values: Values): string[] {
  const trustDomain = values.identityTrustDomain === "" ? values.clusterDomain : values.identityTrustDomain;
  return [
    "destination",
    `--addr=:${DESTINATION_PORT}`,
    `--admin-addr=:${DESTINATION_ADMIN_PORT}`,
    `--controller-namespace=${values.namespace}`,
    `--cluster-domain=${values.clusterDomain}`,
    ...(values.identity.enabled ? [`--identity-trust-domain=${trustDomain}`] : []),
    `--outbound-transport-mode=${values.proxy.outboundTransportMode}`,
    `--enable-h2-upgrade=${values.enableH2Upgrade}`,
    `--enable-ipv6=${!values.disableIPv6}`,
    `--default-opaque-ports=${values.proxy.opaquePorts}`,
    `--meshed-http2-client-params=${JSON.stringify(MESHED_HTTP2)}`,
    ...logArgs(values),
  ];
}

/** How proxies keep connections to each other. */
const MESHED_HTTP2 = { keep_alive: { interval: { seconds: 10 }, timeout: { seconds: 3 }, while_idle: true } };
