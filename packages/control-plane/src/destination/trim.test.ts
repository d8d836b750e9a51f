import { expect, test } from "bun:test";
import { trim } from "./trim.ts";

test("of a pod stays what discovery reads", () => {
  const pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: "p",
      namespace: "ns",
      labels: { app: "a" },
      annotations: { "kubectl.kubernetes.io/last-applied-configuration": "{}", "config.linkerd.io/opaque-ports": "1" },
      managedFields: [{}],
    },
    spec: {
      nodeName: "n",
      volumes: [{ name: "v" }],
      containers: [
        { name: "app", image: "i", ports: [{ containerPort: 1 }], env: [{ name: "SECRET", value: "x" }] },
        {
          name: "linkerd-proxy",
          env: [
            { name: "LINKERD2_PROXY_INBOUND_LISTEN_ADDR", value: "0.0.0.0:4143" },
            { name: "LINKERD2_PROXY_CONTROL_LISTENER", value: "tcp://0.0.0.0:4190" },
            { name: "LINKERD2_PROXY_LOG", value: "info" },
          ],
        },
      ],
    },
    status: { phase: "Running", podIP: "10.0.0.1", conditions: [{}] },
  };
  expect(trim("pods", pod)).toEqual({
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: "p",
      namespace: "ns",
      labels: { app: "a" },
      annotations: { "config.linkerd.io/opaque-ports": "1" },
    },
    spec: {
      nodeName: "n",
      initContainers: [],
      containers: [
        { name: "app", ports: [{ containerPort: 1 }] },
        {
          name: "linkerd-proxy",
          env: [
            { name: "LINKERD2_PROXY_INBOUND_LISTEN_ADDR", value: "0.0.0.0:4143" },
            { name: "LINKERD2_PROXY_CONTROL_LISTENER", value: "tcp://0.0.0.0:4190" },
          ],
        },
      ],
    },
    status: { phase: "Running", podIP: "10.0.0.1" },
  });
});

test("of a service stays its spec, of a ReplicaSet its owner", () => {
  const service = { apiVersion: "v1", kind: "Service", metadata: { name: "s" }, spec: { ports: [{ port: 1 }] } };
  expect(trim("services", service)).toEqual(service);
  const owner = { apiVersion: "apps/v1", kind: "Deployment", name: "d", uid: "u" };
  const replicaSet = {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: { name: "r", ownerReferences: [owner] },
    spec: {},
  };
  expect(trim("replicasets", replicaSet)).toEqual({
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: { name: "r", ownerReferences: [owner], annotations: {} },
  });
});
