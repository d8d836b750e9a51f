import {
  controllerReference,
  type EndpointSlice,
  type Endpoints,
  matchesSelector,
  type Node,
  type Pod,
  type Service,
} from "@bowline/kube";
import { canonical } from "../canonical.ts";
import {
  type Controller,
  type ControllerContext,
  keyOf,
  type ReconcileTarget,
  startController,
} from "../controller.ts";
import { type AddressType, endpointOfPod, type PodEndpoint } from "./endpoint-of-pod.ts";
import { familyOf, planSlices, type SliceContent } from "./plan-slices.ts";
import { MANAGED_BY, SERVICE_NAME, SLICES } from "./slice-labels.ts";
import { subsetsOf } from "./subsets.ts";

const NAME = "endpointslice-controller";
const MANAGER = "endpointslice-controller.k8s.io";
const HEADLESS = "service.kubernetes.io/headless";
/** Long enough to take what one roll-out changes at a time in one write, too short to be noticed. */
const SETTLE_MS = 10;

/** Tells, in EndpointSlices and Endpoints, which pods are behind each Service that has a selector. */
export function startEndpoints(context: ControllerContext): Controller {
  const { api } = context;
  return startController(context, {
    name: NAME,
    settleMs: SETTLE_MS,
    watch(on) {
      on<Service>("services", (event) => [keyOf(event.object)]);
      on<Pod>("pods", (event) => {
        if (event.old !== undefined && !concernsEndpoints(event.old, event.object)) return [];
        const { namespace = "", labels } = event.object.metadata;
        const services = api.list<Service>("services", { namespace });
        const before = event.old?.metadata.labels;
        return services.filter((service) => selects(service, labels) || selects(service, before)).map(keyOf);
      });
      on<EndpointSlice>(SLICES, ({ object: { metadata } }) => {
        const service = metadata.labels?.[SERVICE_NAME];
        return service !== undefined && metadata.labels?.[MANAGED_BY] === MANAGER
          ? [`${metadata.namespace}/${service}`]
          : [];
      });
      // One that was changed by hand, or deleted, comes back as it should be.
      on<Endpoints>("endpoints", (event) => [keyOf(event.object)]);
      on<Node>("nodes", () => api.list<Service>("services").map(keyOf));
    },
    reconcile: (target) => reconcile(context, target),
  });
}

/** Pods change often in ways that no endpoint tells of, such as the restarts of their containers. */
function concernsEndpoints(before: Pod, after: Pod): boolean {
  const view = ({ metadata, spec, status }: Pod): string =>
    canonical([
      metadata.labels,
      metadata.deletionTimestamp === undefined,
      spec?.nodeName,
      status?.phase,
      status?.podIPs ?? status?.podIP,
      status?.conditions?.find(({ type }) => type === "Ready")?.status,
    ]);
  return view(before) !== view(after);
}

function selects(service: Service, labels: Record<string, string> | undefined): boolean {
  return hasSelector(service) && matchesSelector({ matchLabels: service.spec?.selector ?? {} }, labels);
}

function hasSelector(service: Service): boolean {
  const { selector, type } = service.spec ?? {};
  return type !== "ExternalName" && Object.keys(selector ?? {}).length > 0;
}

async function reconcile(context: ControllerContext, target: ReconcileTarget): Promise<void> {
  const { api } = context;
  const { namespace, name } = target;
  const service = api.get<Service>("services", namespace, name);
  const slices = slicesOf(context, namespace, name);
  if (service === undefined || service.metadata.deletionTimestamp !== undefined || !hasSelector(service)) {
    // Slices that others have written for a Service without selector are theirs.
    for (const slice of slices) await removeSlice(context, slice);
    if (service === undefined) await api.delete("endpoints", namespace, name);
    return;
  }
  const labelSelector = { matchLabels: service.spec?.selector ?? {} };
  const pods = api.list<Pod>("pods", { namespace, labelSelector });
  const families = familiesOf(service);
  for (const family of families) {
    const mine = slices.filter((slice) => familyOf(slice) === family);
    await writeSlices(context, service, family, mine, endpointsOf(context, service, pods, family));
  }
  for (const slice of slices) if (!families.includes(familyOf(slice))) await removeSlice(context, slice);
  await writeEndpoints(context, service, endpointsOf(context, service, pods, families[0] ?? "IPv4"));
}

function slicesOf({ api }: ControllerContext, namespace: string, service: string): EndpointSlice[] {
  const labelSelector = { matchLabels: { [SERVICE_NAME]: service, [MANAGED_BY]: MANAGER } };
  return api.list<EndpointSlice>(SLICES, { namespace, labelSelector });
}

function familiesOf(service: Service): AddressType[] {
  const named = (service.spec?.ipFamilies ?? []).filter((family) => family === "IPv4" || family === "IPv6");
  return named.length > 0 ? named : ["IPv4"];
}

function endpointsOf(
  { api }: ControllerContext,
  service: Service,
  pods: readonly Pod[],
  family: AddressType,
): PodEndpoint[] {
  const nodeOf = (name: string): Node | undefined => api.get<Node>("nodes", "", name);
  const endpoints = pods.map((pod) => endpointOfPod(service, pod, family, nodeOf));
  return endpoints.filter((endpoint) => endpoint !== undefined);
}

/** What is new is written before what is old goes, so that no endpoint is missing in between. */
async function writeSlices(
  context: ControllerContext,
  service: Service,
  family: AddressType,
  existing: readonly EndpointSlice[],
  wanted: readonly PodEndpoint[],
): Promise<void> {
  const { api } = context;
  const plan = planSlices(existing, wanted);
  for (const { slice, ...content } of plan.update) {
    const { namespace = "", name } = slice.metadata;
    await api.change<EndpointSlice>(SLICES, namespace, name, (draft) => {
      fill(draft, service, content);
    });
  }
  for (const content of plan.create) {
    const slice: EndpointSlice = {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: {
        name: "",
        generateName: `${service.metadata.name}-`,
        namespace: service.metadata.namespace ?? "",
        ownerReferences: [controllerReference(service)],
      },
      addressType: family,
      endpoints: [],
    };
    fill(slice, service, content);
    await api.create<EndpointSlice>(SLICES, slice);
  }
  for (const slice of plan.remove) await removeSlice(context, slice);
}

function fill(slice: EndpointSlice, service: Service, { ports, endpoints }: SliceContent): void {
  slice.endpoints = structuredClone([...endpoints]);
  slice.ports = structuredClone([...ports]);
  slice.metadata.labels = {
    ...labelsOf(service),
    [SERVICE_NAME]: service.metadata.name,
    [MANAGED_BY]: MANAGER,
  };
}

/** Of the Service, with a mark where it is headless. */
function labelsOf(service: Service): Record<string, string> {
  const {
    [SERVICE_NAME]: _name,
    [MANAGED_BY]: _manager,
    [HEADLESS]: _headless,
    ...labels
  } = service.metadata.labels ?? {};
  return service.spec?.clusterIP === "None" ? { ...labels, [HEADLESS]: "" } : labels;
}

async function removeSlice({ api }: ControllerContext, { metadata }: EndpointSlice): Promise<void> {
  await api.delete(SLICES, metadata.namespace ?? "", metadata.name);
}

async function writeEndpoints(
  { api }: ControllerContext,
  service: Service,
  endpoints: readonly PodEndpoint[],
): Promise<void> {
  const { namespace = "", name } = service.metadata;
  const subsets = subsetsOf(endpoints);
  const labels = labelsOf(service);
  if (api.get("endpoints", namespace, name) === undefined) {
    const metadata = { name, namespace, labels };
    await api.create<Endpoints>("endpoints", { apiVersion: "v1", kind: "Endpoints", metadata, subsets });
    return;
  }
  await api.change<Endpoints>("endpoints", namespace, name, (draft) => {
    if (
      canonical(draft.subsets ?? []) === canonical(subsets) &&
      canonical(draft.metadata.labels ?? {}) === canonical(labels)
    ) {
      return false;
    }
    draft.metadata.labels = labels;
    draft.subsets = structuredClone(subsets);
    return undefined;
  });
}
