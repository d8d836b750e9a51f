import { isObject, type JsonObject, objectsAt, textAt } from "../schema.ts";

/** Defaults of a PodSpec, wherever it stands: in a pod or in a template. In place. */
function defaultPodSpec(spec: JsonObject): void {
  for (const container of containersOf(spec)) defaultContainer(container, spec["hostNetwork"] === true);
  objectsAt(spec, "volumes").forEach(defaultVolume);
  setDefaults(spec, {
    restartPolicy: "Always",
    terminationGracePeriodSeconds: 30,
    dnsPolicy: "ClusterFirst",
    securityContext: {},
    schedulerName: "default-scheduler",
  });
  const account = textAt(spec, "serviceAccountName") || textAt(spec, "serviceAccount");
  if (account !== "") {
    spec["serviceAccountName"] = account;
    spec["serviceAccount"] = account;
  }
}

/** What pods have beyond their templates. */
export function defaultPod(pod: JsonObject): void {
  const spec = fieldObject(pod, "spec");
  defaultPodSpec(spec);
  setDefaults(spec, { enableServiceLinks: true });
  for (const container of containersOf(spec)) requestWhatIsLimited(container);
}

/** The template of a workload, made if it is missing, with its defaults. */
export function defaultTemplate(owner: JsonObject): void {
  const template = fieldObject(owner, "template");
  fieldObject(template, "metadata");
  defaultPodSpec(fieldObject(template, "spec"));
}

/** Every container, of whatever sort. */
function containersOf(spec: unknown): JsonObject[] {
  return [
    ...objectsAt(spec, "initContainers"),
    ...objectsAt(spec, "containers"),
    ...objectsAt(spec, "ephemeralContainers"),
  ];
}

/** Sets the fields that are absent; values are copied. */
export function setDefaults(object: JsonObject, defaults: Readonly<JsonObject>): void {
  for (const [name, value] of Object.entries(defaults))
    object[name] ??= isObject(value) ? structuredClone(value) : value;
}

/** A field's object, which is made if it is absent. */
export function fieldObject(object: JsonObject, name: string): JsonObject {
  const value = object[name];
  if (isObject(value)) return value;
  const made: JsonObject = {};
  if (value === undefined || value === null) object[name] = made;
  return made;
}

function defaultContainer(container: JsonObject, hostNetwork: boolean): void {
  const image = textAt(container, "image");
  setDefaults(container, {
    imagePullPolicy: pullPolicyOf(image),
    terminationMessagePath: "/dev/termination-log",
    terminationMessagePolicy: "File",
    resources: {},
  });
  for (const port of objectsAt(container, "ports")) {
    setDefaults(port, { protocol: "TCP" });
    if (hostNetwork) setDefaults(port, { hostPort: port["containerPort"] });
  }
  for (const name of ["livenessProbe", "readinessProbe", "startupProbe"]) {
    const probe = container[name];
    if (isObject(probe)) defaultProbe(probe);
  }
  const { lifecycle } = container;
  if (isObject(lifecycle)) for (const hook of [lifecycle["postStart"], lifecycle["preStop"]]) defaultHandler(hook);
  for (const variable of objectsAt(container, "env")) {
    const { valueFrom } = variable;
    if (isObject(valueFrom) && isObject(valueFrom["fieldRef"]))
      setDefaults(valueFrom["fieldRef"], { apiVersion: "v1" });
    if (isObject(valueFrom) && isObject(valueFrom["resourceFieldRef"]))
      setDefaults(valueFrom["resourceFieldRef"], { divisor: "0" });
  }
}

/** Images whose tag may come to mean something else are looked for at each start. */
function pullPolicyOf(image: string): string {
  if (image.includes("@")) return "IfNotPresent";
  const name = image.slice(image.lastIndexOf("/") + 1);
  const colon = name.indexOf(":");
  return colon < 0 || name.slice(colon) === ":latest" ? "Always" : "IfNotPresent";
}

function defaultProbe(probe: JsonObject): void {
  setDefaults(probe, { timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 });
  // Zero is as good as absent.
  for (const [name, value] of Object.entries({
    timeoutSeconds: 1,
    periodSeconds: 10,
    successThreshold: 1,
    failureThreshold: 3,
  })) {
    if (probe[name] === 0) probe[name] = value;
  }
  defaultHandler(probe);
  if (isObject(probe["grpc"])) setDefaults(probe["grpc"], { service: "" });
}

function defaultHandler(handler: unknown): void {
  const get = isObject(handler) ? handler["httpGet"] : undefined;
  if (isObject(get)) setDefaults(get, { path: "/", scheme: "HTTP" });
}

function defaultVolume(volume: JsonObject): void {
  if (Object.keys(volume).every((field) => field === "name")) volume["emptyDir"] = {};
  for (const source of ["secret", "configMap", "downwardAPI", "projected"]) {
    const value = volume[source];
    if (isObject(value)) setDefaults(value, { defaultMode: 0o644 });
  }
  if (isObject(volume["hostPath"])) setDefaults(volume["hostPath"], { type: "" });
  defaultDownwardItems(volume["downwardAPI"]);
  for (const source of objectsAt(volume, "projected", "sources")) {
    defaultDownwardItems(source["downwardAPI"]);
    if (isObject(source["serviceAccountToken"]))
      setDefaults(source["serviceAccountToken"], { expirationSeconds: 3600 });
  }
}

function defaultDownwardItems(source: unknown): void {
  for (const item of objectsAt(source, "items")) {
    if (isObject(item["fieldRef"])) setDefaults(item["fieldRef"], { apiVersion: "v1" });
  }
}

function requestWhatIsLimited(container: JsonObject): void {
  const { resources } = container;
  const limits = isObject(resources) ? resources["limits"] : undefined;
  if (isObject(resources) && isObject(limits)) setDefaults(fieldObject(resources, "requests"), limits);
}
