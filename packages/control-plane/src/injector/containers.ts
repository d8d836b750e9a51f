import {
  ADMIN_PORT_NAME,
  AWAIT_PATH,
  CONTROL_PORT_NAME,
  DEBUG_CONTAINER,
  END_ENTITY_DIR,
  END_ENTITY_VOLUME,
  IDENTITY_TOKEN_DIR,
  IDENTITY_TOKEN_VOLUME,
  PROXY_CONTAINER,
  PROXY_PORT_NAME,
} from "@bowline/contracts";
import type { ResourceBounds, Resources, Values } from "../values.ts";
import { type JsonObject, objectIn } from "./json-object.ts";
import { proxyEnv } from "./proxy-env.ts";
import { serviceAccountMount } from "./report.ts";
import { type DebugSettings, imageReference } from "./settings.ts";
import type { PodView } from "./workload.ts";

export interface ProxyContainerInput {
  readonly values: Values;
  readonly pod: PodView;
  readonly component: string;
  readonly inboundPorts: readonly number[];
}

/** The sidecar: an init container that goes on running (native), or an ordinary one. */
export function proxyContainer(input: ProxyContainerInput): JsonObject {
  const { values, pod } = input;
  const { proxy } = values;
  const resources = resourceRequirements(proxy.resources);
  return {
    name: PROXY_CONTAINER,
    image: imageReference(proxy.image, values),
    imagePullPolicy: proxy.image.pullPolicy || values.imagePullPolicy,
    env: proxyEnv(input),
    ports: [
      { name: PROXY_PORT_NAME, containerPort: proxy.ports.inbound },
      { name: CONTROL_PORT_NAME, containerPort: proxy.ports.control },
      { name: ADMIN_PORT_NAME, containerPort: proxy.ports.admin },
    ],
    livenessProbe: { httpGet: { path: "/live", port: proxy.ports.admin }, ...proxy.livenessProbe },
    readinessProbe: { httpGet: { path: "/ready", port: proxy.ports.admin }, ...proxy.readinessProbe },
    ...startup(values),
    ...(resources === null ? {} : { resources }),
    securityContext: {
      allowPrivilegeEscalation: false,
      ...capabilitiesOf(pod),
      readOnlyRootFilesystem: true,
      ...(proxy.gid >= 0 ? { runAsGroup: proxy.gid } : {}),
      runAsNonRoot: true,
      runAsUser: proxy.uid,
      seccompProfile: { type: "RuntimeDefault" },
    },
    terminationMessagePolicy: "FallbackToLogsOnError",
    ...volumeMounts(values, pod),
  };
}

/** Without a command, the image waits for somebody to run tools in it. */
export function debugContainer(debug: DebugSettings): JsonObject {
  return {
    name: DEBUG_CONTAINER,
    image: debug.image,
    imagePullPolicy: debug.pullPolicy,
    terminationMessagePolicy: "FallbackToLogsOnError",
  };
}

/** null when nothing is asked for, so that a LimitRange's defaults can hold. */
export function resourceRequirements(resources: Resources): JsonObject | null {
  const side = (bound: keyof ResourceBounds): JsonObject | null => {
    const entries = Object.entries(resources).filter(([, bounds]: [string, ResourceBounds]) => bounds[bound] !== "");
    if (entries.length === 0) return null;
    return Object.fromEntries(entries.map(([name, bounds]: [string, ResourceBounds]) => [name, bounds[bound]]));
  };
  const limits = side("limit");
  const requests = side("request");
  if (limits === null && requests === null) return null;
  return { ...(limits === null ? {} : { limits }), ...(requests === null ? {} : { requests }) };
}

/** What the application's first container may do, its proxy may: pod security rules then treat both alike. */
export function firstCapabilities(pod: PodView): {
  readonly add: readonly unknown[];
  readonly drop: readonly unknown[];
} {
  const capabilities = objectIn(objectIn(pod.containers[0], "securityContext", ""), "capabilities", "");
  const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
  return { add: list(capabilities?.["add"]), drop: list(capabilities?.["drop"]) };
}

function capabilitiesOf(pod: PodView): JsonObject {
  const { add, drop } = firstCapabilities(pod);
  if (add.length === 0 && drop.length === 0) return {};
  return { capabilities: { ...(add.length === 0 ? {} : { add }), ...(drop.length === 0 ? {} : { drop }) } };
}

/**
 * How the application is made to wait for the proxy: a native sidecar's startup probe does it, an ordinary one's
 * postStart hook, as the kubelet starts the next container only when that has ended.
 */
function startup({ proxy }: Values): JsonObject {
  if (proxy.nativeSidecar) {
    const httpGet = { path: "/ready", port: proxy.ports.admin };
    return { ...(proxy.await ? { startupProbe: { httpGet, ...proxy.startupProbe } } : {}), restartPolicy: "Always" };
  }
  const wait = [AWAIT_PATH, "--timeout=2m", `--port=${proxy.ports.admin}`];
  const lifecycle = {
    ...(proxy.await ? { postStart: { exec: { command: wait } } } : {}),
    ...(proxy.waitBeforeExitSeconds > 0
      ? { preStop: { exec: { command: ["/bin/sleep", String(proxy.waitBeforeExitSeconds)] } } }
      : {}),
  };
  return Object.keys(lifecycle).length === 0 ? {} : { lifecycle };
}

function volumeMounts(values: Values, pod: PodView): JsonObject {
  const mounts: JsonObject[] = [];
  if (values.identity.enabled) {
    mounts.push({ name: END_ENTITY_VOLUME, mountPath: END_ENTITY_DIR });
    if (values.identity.serviceAccountTokenProjection) {
      mounts.push({ name: IDENTITY_TOKEN_VOLUME, mountPath: IDENTITY_TOKEN_DIR });
    }
  }
  const token = serviceAccountMount(pod);
  if (token !== null) mounts.push(token);
  return mounts.length === 0 ? {} : { volumeMounts: mounts };
}
