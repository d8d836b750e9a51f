import type { grpcRoute, httpRoute, tlsRoute } from "@bowline/contracts/proto";
import type { GrpcMatch, HeaderMatch, HostMatch, HttpMatch, PathMatch, QueryMatch } from "@bowline/model";
import { convertHeaderName, convertHeaderValue, convertMethod } from "./header.ts";
import { InvalidMessage, required, within } from "./invalid-message.ts";
import { convertRegex } from "./regex.ts";

/** A host of an HTTP or gRPC route, or a server name of a TLS route: the two messages have the same shape. */
export function convertHostMatch({ match }: httpRoute.HostMatch | tlsRoute.SniMatch): HostMatch {
  switch (match.case) {
    case "exact":
      return { kind: "exact", host: match.value };
    case "suffix":
      return { kind: "suffix", reverseLabels: [...match.value.reverseLabels] };
    case undefined:
      throw new InvalidMessage("invalid host match: missing match");
  }
}

export function convertHttpMatch(match: httpRoute.HttpRouteMatch): HttpMatch {
  return within("route match", () => ({
    path: match.path === undefined ? null : convertPathMatch(match.path),
    headers: match.headers.map(convertHeaderMatch),
    query: match.queryParams.map(convertQueryMatch),
    method: match.method === undefined ? null : convertMethod(match.method),
  }));
}

export function convertGrpcMatch(match: grpcRoute.GrpcRouteMatch): GrpcMatch {
  return within("route match", () => {
    const { service, method } = required(match.rpc, "RPC match");
    return { service: service || null, method: method || null, headers: match.headers.map(convertHeaderMatch) };
  });
}

function convertPathMatch({ kind }: httpRoute.PathMatch): PathMatch {
  return within("path match", () => {
    switch (kind.case) {
      case "exact":
      case "prefix":
        return { kind: kind.case, path: kind.value };
      case "regex":
        return { kind: "regex", regex: convertRegex(kind.value) };
      case undefined:
        throw new InvalidMessage("missing match");
    }
  });
}

function convertHeaderMatch(match: httpRoute.HeaderMatch): HeaderMatch {
  return within("header match", () => {
    const name = convertHeaderName(match.name);
    switch (match.value.case) {
      case "exact":
        return { kind: "exact", name, value: convertHeaderValue(match.value.value) };
      case "regex":
        return { kind: "regex", name, regex: convertRegex(match.value.value) };
      case undefined:
        throw new InvalidMessage("missing value match");
    }
  });
}

function convertQueryMatch({ name, value }: httpRoute.QueryParamMatch): QueryMatch {
  return within("query param match", () => {
    if (name === "") throw new InvalidMessage("missing name");
    switch (value.case) {
      case "exact":
        return { kind: "exact", name, value: value.value };
      case "regex":
        return { kind: "regex", name, regex: convertRegex(value.value) };
      case undefined:
        throw new InvalidMessage("missing value match");
    }
  });
}
