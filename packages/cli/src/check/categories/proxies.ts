import { CONFIG_ANNOTATION, PROXY_CONTAINER, PROXY_VERSION_ANNOTATION, VERSION } from "@bowline/contracts";
import { type KubeObject, matchesSelector, type Pod, type Service } from "@bowline/kube";
import { type Category, type Check, type CheckContext, CheckFailure, CheckSkipped, failIfAny } from "../check.ts";
import { isReady } from "./installation.ts";

const METRICS_SERVICE = "metrics-api";
const METRICS_PORT = 8085;

export const LINKERD_VERSION: Category = {
  name: "linkerd-version",
  checks: [
    {
      description: "cli is up-to-date",
      anchor: "l5d-version-cli",
      severity: "warning",
      run: async ({ expectedVersion }) => {
        if (expectedVersion !== VERSION)
          throw new CheckFailure(`is running version ${VERSION} but the expected version is ${expectedVersion}`);
      },
    },
  ],
};

export const CONTROL_PLANE_VERSION: Category = {
  name: "control-plane-version",
  checks: [
    {
      description: "can retrieve the control plane version",
      anchor: "l5d-version-control",
      severity: "error",
      run: async ({ state }) => {
        await state.values();
      },
    },
    {
      description: "control plane and cli versions match",
      anchor: "l5d-version-control",
      severity: "warning",
      run: async ({ state }) => {
        const { linkerdVersion } = await state.valuesOrSkip();
        if (linkerdVersion !== VERSION)
          throw new CheckFailure(`control plane running ${linkerdVersion} but cli running ${VERSION}`);
      },
    },
  ],
};

export const CONTROL_PLANE_PROXY: Category = {
  name: "linkerd-control-plane-proxy",
  checks: [
    proxiesHealthy("control plane proxies are healthy", "l5d-cp-proxy-healthy", "fatal", ({ state }) =>
      state.controlPlanePods(),
    ),
    proxiesMatch("control plane proxies and cli versions match", "l5d-cp-proxy-cli-version", ({ state }) =>
      state.controlPlanePods(),
    ),
  ],
};

export const METRICS_SERVICE_CATEGORY: Category = {
  name: "bowline-metrics",
  checks: [
    {
      description: "metrics service answers",
      anchor: "bowline-metrics-api",
      severity: "warning",
      retried: true,
      run: async ({ client, controlPlaneNamespace }) => {
        const path = "/api/stat?resource=ns";
        const response = await client().proxyService(controlPlaneNamespace, METRICS_SERVICE, METRICS_PORT, path);
        const text = await response.text();
        if (!response.ok)
          throw new CheckFailure(`service ${METRICS_SERVICE} answered ${response.status}: ${text.slice(0, 200)}`);
      },
    },
  ],
};

export const DATA_PLANE: Category = {
  name: "linkerd-data-plane",
  checks: [
    {
      description: "data plane namespace exists",
      anchor: "l5d-data-plane-exists",
      severity: "fatal",
      run: async ({ state, namespace }) => {
        if (namespace === undefined) throw new CheckSkipped();
        const namespaces = await state.namespaces();
        if (!namespaces.some(({ metadata }) => metadata.name === namespace))
          throw new CheckFailure(`the "${namespace}" namespace does not exist`);
      },
    },
    proxiesHealthy("data plane proxies are ready", "l5d-data-plane-ready", "error", meshed),
    proxiesMatch("data plane and cli versions match", "l5d-data-plane-cli-version", meshed),
    labelsInPlace("data plane pod labels are configured correctly", "l5d-data-plane-pod-labels", "labels", "pods"),
    labelsInPlace(
      "data plane service labels are configured correctly",
      "l5d-data-plane-services-labels",
      "labels",
      "services",
    ),
    labelsInPlace(
      "data plane service annotations are configured correctly",
      "l5d-data-plane-services-annotations",
      "annotations",
      "services",
    ),
  ],
};

export const OPAQUE_PORTS: Category = {
  name: "linkerd-opaque-ports-definition",
  checks: [
    {
      description: "opaque ports are properly annotated",
      anchor: "linkerd-opaque-ports-definition",
      severity: "warning",
      run: async (context) => {
        const { state, namespace } = context;
        const [services, pods] = await Promise.all([state.list<Service>("services", namespace), meshed(context)]);
        failIfAny(services.flatMap((service) => opaqueMismatches(service, pods)));
      },
    },
  ],
};

function meshed({ state, namespace }: CheckContext): Promise<Pod[]> {
  return state.meshedPods(namespace);
}

function proxiesHealthy(
  description: string,
  anchor: string,
  severity: Check["severity"],
  podsOf: (context: CheckContext) => Promise<Pod[]>,
): Check {
  return {
    description,
    anchor,
    severity,
    retried: true,
    run: async (context) => {
      const pods = (await podsOf(context)).filter((pod) => hasProxy(pod) && !isDone(pod));
      failIfAny(
        pods
          .filter((pod) => !proxyReady(pod))
          .map((pod) => `the proxy of pod ${pod.metadata.namespace}/${pod.metadata.name} is not ready`),
      );
    },
  };
}

function proxiesMatch(description: string, anchor: string, podsOf: (context: CheckContext) => Promise<Pod[]>): Check {
  return {
    description,
    anchor,
    severity: "warning",
    run: async (context) => {
      const pods = (await podsOf(context)).filter((pod) => hasProxy(pod) && !isDone(pod));
      const others = pods.filter(({ metadata }) => metadata.annotations?.[PROXY_VERSION_ANNOTATION] !== VERSION);
      failIfAny(
        others.map(
          ({ metadata }) =>
            `* ${metadata.namespace}/${metadata.name} (${metadata.annotations?.[PROXY_VERSION_ANNOTATION] ?? "no version"})`,
        ),
        `some proxies are not running version ${VERSION}:`,
      );
    },
  };
}

/** The control plane looks for annotations on pods and for labels nowhere: what stands in the other place has no effect. */
function labelsInPlace(
  description: string,
  anchor: string,
  place: "labels" | "annotations",
  resource: "pods" | "services",
): Check {
  return {
    description,
    anchor,
    severity: "warning",
    run: async (context) => {
      const objects: readonly KubeObject[] =
        resource === "pods" ? await meshed(context) : await context.state.list<Service>("services", context.namespace);
      const wrong = place === "labels" ? ["config.linkerd.io/", "linkerd.io/inject"] : ["mirror.linkerd.io/exported"];
      const problems = objects.flatMap(({ metadata }) =>
        Object.keys(metadata[place] ?? {})
          .filter((key) => wrong.some((prefix) => key.startsWith(prefix)))
          .map(
            (key) =>
              `* ${key} of ${metadata.namespace}/${metadata.name} is ${place === "labels" ? "a label: it must be an annotation" : "an annotation: it must be a label"}`,
          ),
      );
      failIfAny(problems);
    },
  };
}

/** A port that is opaque for a service's pods but not for the service, or the other way round, is treated in two ways. */
function opaqueMismatches({ metadata, spec }: Service, pods: readonly Pod[]): string[] {
  const matchLabels = spec?.selector;
  if (matchLabels === undefined) return [];
  const ofService = metadata.annotations?.[CONFIG_ANNOTATION.opaquePorts] ?? "";
  return pods
    .filter(
      (pod) => pod.metadata.namespace === metadata.namespace && matchesSelector({ matchLabels }, pod.metadata.labels),
    )
    .flatMap((pod) => {
      const ofPod = pod.metadata.annotations?.[CONFIG_ANNOTATION.opaquePorts] ?? "";
      const targets = (spec?.ports ?? []).flatMap(({ port, targetPort }) => {
        const target = typeof targetPort === "number" ? targetPort : port;
        const [serviceSays, podSays] = [isListed(port, ofService), isListed(target, ofPod)];
        return serviceSays === podSays ? [] : [{ port, target, serviceSays }];
      });
      return targets.map(({ port, target, serviceSays }) =>
        serviceSays
          ? `* service ${metadata.name} has opaque port ${port}, but pod ${pod.metadata.name} does not have ${target}`
          : `* pod ${pod.metadata.name} has opaque port ${target}, but service ${metadata.name} does not have ${port}`,
      );
    });
}

function isListed(port: number, list: string): boolean {
  return list.split(",").some((item) => {
    const [from = "", to = from] = item.trim().split("-");
    return from !== "" && Number(from) <= port && port <= Number(to);
  });
}

function hasProxy({ spec }: Pod): boolean {
  return [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])].some(({ name }) => name === PROXY_CONTAINER);
}

function proxyReady(pod: Pod): boolean {
  const { containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {};
  const proxy = [...containerStatuses, ...initContainerStatuses].find(({ name }) => name === PROXY_CONTAINER);
  return proxy?.ready === true || isReady(pod);
}

function isDone({ metadata, status }: Pod): boolean {
  return status?.phase === "Succeeded" || status?.phase === "Failed" || metadata.deletionTimestamp !== undefined;
}
