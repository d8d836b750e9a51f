import { describe, expect, test } from "bun:test";
import { ApiError } from "@bowline/kube";
import fc from "fast-check";
import { parseAccept } from "./accept.ts";
import { parseRequestInfo } from "./request-info.ts";

function read(method: string, url: string): string {
  const [path = "", search = ""] = url.split("?");
  const info = parseRequestInfo(method, path, new URLSearchParams(search));
  if (info.kind === "path") return `${info.verb} ${info.path}`;
  const { verb, group, version, namespace, resource, name, subresource, rest } = info;
  return [verb, `${group}/${version}`, namespace, resource, name, subresource, rest].join(" ").trimEnd();
}

describe("a request is about", () => {
  const rows: [method: string, url: string, info: string][] = [
    ["GET", "/api", "get /api"],
    ["GET", "/api/v1", "get /api/v1"],
    ["GET", "/apis/apps/v1/", "get /apis/apps/v1/"],
    ["POST", "/healthz", "post /healthz"],
    ["GET", "/api/v1/pods", "list /v1  pods"],
    ["GET", "/api/v1/pods?watch=true", "watch /v1  pods"],
    ["GET", "/api/v1/pods?watch=false", "list /v1  pods"],
    ["GET", "/api/v1/watch/pods", "watch /v1  pods"],
    ["GET", "/api/v1/namespaces", "list /v1  namespaces"],
    ["GET", "/api/v1/namespaces/a", "get /v1 a namespaces a"],
    ["PUT", "/api/v1/namespaces/a/finalize", "update /v1 a namespaces a finalize"],
    ["GET", "/api/v1/namespaces/a/pods", "list /v1 a pods"],
    ["HEAD", "/api/v1/namespaces/a/pods/p", "get /v1 a pods p"],
    ["GET", "/api/v1/namespaces/a/pods?fieldSelector=metadata.name%3Dp", "list /v1 a pods p"],
    ["GET", "/api/v1/namespaces/a/pods/p?watch", "watch /v1 a pods p"],
    ["POST", "/api/v1/namespaces/a/pods", "create /v1 a pods"],
    ["DELETE", "/api/v1/namespaces/a/pods", "deletecollection /v1 a pods"],
    ["DELETE", "/apis/apps/v1/namespaces/a/deployments/d", "delete apps/v1 a deployments d"],
    ["PATCH", "/apis/apps/v1/namespaces/a/deployments/d/scale", "patch apps/v1 a deployments d scale"],
    ["GET", "/api/v1/namespaces/a/pods/p:80/proxy", "get /v1 a pods p:80 proxy"],
    ["GET", "/api/v1/namespaces/a/pods/p:80/proxy/", "get /v1 a pods p:80 proxy /"],
    ["GET", "/api/v1/namespaces/a/pods/p:80/proxy/x/y%2Fz", "get /v1 a pods p:80 proxy /x/y%2Fz"],
    ["GET", "/api/v1/namespaces/a/pods/p:80/proxy/x/", "get /v1 a pods p:80 proxy /x/"],
    ["GET", "/api/v1/nodes/n%2F1", "get /v1  nodes n/1"],
  ];
  for (const [method, url, info] of rows) {
    test(`${method} ${url}`, () => {
      expect(read(method, url)).toBe(info);
    });
  }

  test("something, or is refused, whatever its path", () => {
    fc.assert(
      fc.property(fc.constantFrom("GET", "POST", "DELETE", "OPTIONS"), fc.string(), (method, text) => {
        try {
          read(method, `/api/${text}`);
        } catch (error) {
          expect(error).toBeInstanceOf(ApiError);
        }
      }),
    );
  });
});

describe("a client accepts", () => {
  const rows: [header: string | undefined, kinds: string[]][] = [
    [undefined, ["json"]],
    ["*/*", ["json"]],
    ["application/vnd.kubernetes.protobuf", ["json"]],
    ["application/vnd.kubernetes.protobuf,application/json", ["json"]],
    ["application/yaml", ["yaml"]],
    ["text/html", []],
    ["application/json;q=0.5, application/yaml", ["yaml", "json"]],
    [
      "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json",
      ["json Table v1 meta.k8s.io", "json Table v1beta1 meta.k8s.io", "json"],
    ],
  ];
  for (const [header, kinds] of rows) {
    test(header ?? "anything", () => {
      const accepted = parseAccept(header).map(({ format, as, version, group }) =>
        [format, as, version, group].join(" ").trim(),
      );
      expect(accepted).toEqual(kinds);
    });
  }
});
