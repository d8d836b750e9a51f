import { ApiError, type Pod } from "@bowline/kube";
import type { LogOptions } from "../../node/types.ts";
import type { Exchange } from "../http/exchange.ts";
import { isSet } from "../http/request-info.ts";
import type { ServerParts } from "../parts.ts";
import type { Target } from "./objects.ts";
import { find } from "./subresources.ts";

/** GET of a pod's `log`. */
export async function serveLog(parts: ServerParts, exchange: Exchange, target: Target): Promise<void> {
  const pod = find(parts, target) as Pod;
  const container = containerOf(pod, exchange.query.get("container") ?? "");
  const options = logOptions(exchange.query);
  if ((pod.spec?.nodeName ?? "") === "") throw ApiError.badRequest(`pod ${target.name} does not have a host assigned`);
  const stream = await parts.streams.log(target.namespace, target.name, container, options);
  await sendStream(exchange, stream, parts.closing);
}

/** Passes on what comes, as fast as the client takes it, until either side ends. */
async function sendStream(exchange: Exchange, stream: ReadableStream<Uint8Array>, closing: AbortSignal): Promise<void> {
  const { response } = exchange;
  const reader = stream.getReader();
  const cancel = (): void => {
    // The reason does not matter to a log that nobody reads any more.
    reader.cancel().catch(() => undefined);
  };
  response.on("close", cancel);
  closing.addEventListener("abort", cancel);
  response.writeHead(200, { "content-type": "text/plain" });
  response.flushHeaders();
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      if (response.destroyed) return;
      if (!response.write(next.value)) await drained(exchange);
    }
    response.end();
  } catch {
    // The head is out: a cut connection is all that can be said.
    response.destroy();
  } finally {
    closing.removeEventListener("abort", cancel);
    response.off("close", cancel);
    cancel();
  }
}

function drained({ response }: Exchange): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = (): void => {
    response.off("drain", done);
    response.off("close", done);
    resolve();
  };
  response.on("drain", done);
  response.on("close", done);
  return promise;
}

function containerOf({ metadata, spec }: Pod, wanted: string): string {
  const names = (list: readonly { readonly name: string }[] | undefined): string[] =>
    list?.map(({ name }) => name) ?? [];
  const containers = names(spec?.containers);
  const inits = names(spec?.initContainers);
  const [only] = containers;
  if (wanted === "") {
    if (only !== undefined && containers.length === 1) return only;
    const others = inits.length === 0 ? "" : ` or one of the init containers: [${inits.join(" ")}]`;
    throw ApiError.badRequest(
      `a container name must be specified for pod ${metadata.name}, choose one of: [${containers.join(" ")}]${others}`,
    );
  }
  const ephemeral = names(spec?.ephemeralContainers);
  if ([...containers, ...inits, ...ephemeral].includes(wanted)) return wanted;
  throw ApiError.badRequest(`container ${wanted} is not valid for pod ${metadata.name}`);
}

function logOptions(query: URLSearchParams): LogOptions {
  const sinceTime = query.get("sinceTime") ?? "";
  return {
    follow: isSet(query, "follow"),
    previous: isSet(query, "previous"),
    timestamps: isSet(query, "timestamps"),
    ...count(query, "tailLines"),
    ...count(query, "sinceSeconds"),
    ...count(query, "limitBytes"),
    ...(sinceTime === "" ? {} : { sinceTime }),
  };
}

function count(query: URLSearchParams, name: "tailLines" | "sinceSeconds" | "limitBytes"): Partial<LogOptions> {
  const text = query.get(name) ?? "";
  if (text === "") return {};
  if (/^\d{1,15}$/.test(text)) return { [name]: Number(text) };
  const cause = { field: name, message: `Invalid value: ${JSON.stringify(text)}: must be greater than or equal to 0` };
  throw ApiError.invalid("PodLogOptions", "", [cause]);
}
