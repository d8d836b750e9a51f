import type { grpcRoute, httpRoute, httpTypes, outbound } from "@bowline/contracts/proto";
import type { GrpcFilter, HeaderEdits, HttpFilter, OpaqueFilter, Ratio, Redirect } from "@bowline/model";
import { parseHostPort } from "../../../config/address-values.ts";
import { BadValue } from "../../../config/bad-value.ts";
import { convertHeaderName, convertHeaderValue, convertScheme } from "./header.ts";
import { InvalidMessage, within } from "./invalid-message.ts";
import { convertStatus } from "./status-code.ts";

const UINT16_MAX = 65_535;

export function convertHttpFilter({ kind }: outbound.HttpRoute_Filter): HttpFilter {
  return within("filter", () => {
    switch (kind.case) {
      case "failureInjector":
        return convertHttpFailure(kind.value);
      case "requestHeaderModifier":
        return { kind: "request-headers", ...convertHeaderEdits(kind.value) };
      case "responseHeaderModifier":
        return { kind: "response-headers", ...convertHeaderEdits(kind.value) };
      case "redirect":
        return convertRedirect(kind.value);
      case undefined:
        throw new InvalidMessage("missing filter kind");
    }
  });
}

export function convertGrpcFilter({ kind }: outbound.GrpcRoute_Filter): GrpcFilter {
  return within("filter", () => {
    switch (kind.case) {
      case "failureInjector":
        return convertGrpcFailure(kind.value);
      case "requestHeaderModifier":
        return { kind: "request-headers", ...convertHeaderEdits(kind.value) };
      case undefined:
        throw new InvalidMessage("missing filter kind");
    }
  });
}

/** Of an opaque or a TLS route: the two messages have the same shape. */
export function convertOpaqueFilter({ kind }: outbound.OpaqueRoute_Filter | outbound.TlsRoute_Filter): OpaqueFilter {
  return within("filter", () => {
    switch (kind.case) {
      case "invalid":
        return { kind: "invalid", message: kind.value.message };
      case "forbidden":
        return { kind: "forbidden" };
      case undefined:
        throw new InvalidMessage("missing filter kind");
    }
  });
}

function convertHttpFailure({ status, message, ratio }: httpRoute.HttpFailureInjector): HttpFilter {
  return within("failure injector", () => ({
    kind: "fail",
    status: convertStatus(status),
    message,
    ratio: convertRatio(ratio),
  }));
}

function convertGrpcFailure({ code, message, ratio }: grpcRoute.GrpcFailureInjector): GrpcFilter {
  return within("failure injector", () => {
    if (code > UINT16_MAX) throw new InvalidMessage(`${code} is not a gRPC status code`);
    return { kind: "grpc-fail", code, message, ratio: convertRatio(ratio) };
  });
}

/** All requests when there is no ratio. */
function convertRatio(ratio: httpRoute.Ratio | undefined): Ratio {
  const { numerator, denominator } = ratio ?? { numerator: 1, denominator: 1 };
  if (denominator === 0 || numerator > denominator) {
    throw new InvalidMessage(`invalid ratio: ${numerator} of ${denominator}`);
  }
  return { numerator, denominator };
}

function convertHeaderEdits(edits: httpRoute.RequestHeaderModifier | httpRoute.ResponseHeaderModifier): HeaderEdits {
  return within("header modifier", () => ({
    add: convertFields(edits.add),
    set: convertFields(edits.set),
    remove: edits.remove.map(convertHeaderName),
  }));
}

function convertFields(fields: httpTypes.Headers | undefined): [name: string, value: string][] {
  return (fields?.headers ?? []).map(({ name, value }) => [convertHeaderName(name), convertHeaderValue(value)]);
}

function convertRedirect({ scheme, host, port, path, status }: httpRoute.RequestRedirect): Redirect {
  return within("redirect", () => ({
    kind: "redirect",
    scheme: scheme === undefined ? null : convertScheme(scheme),
    host: host === "" ? null : convertHost(host),
    port: convertPort(port),
    path: convertPath(path),
    status: status === 0 ? null : convertStatus(status),
  }));
}

function convertHost(host: string): string {
  if (parseHostPort(`${host}:80`) instanceof BadValue) throw new InvalidMessage(`"${host}" is not a host`);
  return host;
}

/** 0 keeps the port. */
function convertPort(port: number): number | null {
  if (port > UINT16_MAX) throw new InvalidMessage(`${port} is not a port`);
  return port === 0 ? null : port;
}

function convertPath(path: httpRoute.PathModifier | undefined): Redirect["path"] {
  if (path?.replace.case === undefined) return null;
  if (!path.replace.value.startsWith("/")) throw new InvalidMessage("redirect paths must be absolute");
  return { kind: path.replace.case, path: path.replace.value };
}
