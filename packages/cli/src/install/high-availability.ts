import type { ValueTree } from "./set-flags.ts";

/**
 * What `--ha` changes: three of each program, on machines of their own, never all away at once, with bounded memory; and
 * pods wait for the injector rather than start without a proxy.
 */
export const HIGH_AVAILABILITY: ValueTree = {
  highAvailability: true,
  controllerReplicas: 3,
  enablePodAntiAffinity: true,
  enablePodDisruptionBudget: true,
  webhookFailurePolicy: "Fail",
  deploymentStrategy: { rollingUpdate: { maxUnavailable: 1, maxSurge: "25%" } },
  destinationResources: bounded("50Mi"),
  proxyInjectorResources: bounded("50Mi"),
  identityResources: bounded("10Mi"),
  proxy: { resources: { cpu: { request: "100m" }, memory: { request: "20Mi", limit: "250Mi" } } },
};

function bounded(memoryRequest: string): ValueTree {
  return { cpu: { request: "100m" }, memory: { request: memoryRequest, limit: "250Mi" } };
}
