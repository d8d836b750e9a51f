import type { Deployment, Pod, PodTemplateSpec, Service, StatefulSet } from "@bowline/kube";

/** A template of one container whose image says which version it is. */
export function template(labels: Record<string, string>, image = "app:1"): PodTemplateSpec {
  return { metadata: { labels }, spec: { containers: [{ name: "app", image }] } };
}

export function deployment(name: string, replicas: number, spec: Partial<Deployment["spec"]> = {}): Deployment {
  const labels = { app: name };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace: "default" },
    spec: { replicas, selector: { matchLabels: labels }, template: template(labels), ...spec },
  };
}

export function statefulSet(name: string, replicas: number, spec: Partial<StatefulSet["spec"]> = {}): StatefulSet {
  const labels = { app: name };
  return {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: { name, namespace: "default" },
    spec: { replicas, serviceName: name, selector: { matchLabels: labels }, template: template(labels), ...spec },
  };
}

export function service(name: string, spec: Partial<Service["spec"]> = {}): Service {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace: "default" },
    spec: { selector: { app: name }, ports: [{ name: "http", port: 80, targetPort: 8080, protocol: "TCP" }], ...spec },
  };
}

export function pod(name: string, labels: Record<string, string>, rest: Partial<Pod> = {}): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default", labels },
    spec: { containers: [{ name: "app", image: "app:1" }] },
    ...rest,
  };
}
