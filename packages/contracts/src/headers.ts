/** Header names Linkerd's proxies read, write or remove, in lower case as they are compared. */
export const L5D_HEADERS = {
  /** Inbound: always removed from requests, then set to the client's mesh identity. */
  clientId: "l5d-client-id",
  dstCanonical: "l5d-dst-canonical",
  dstOverride: "l5d-dst-override",
  requireId: "l5d-require-id",
  /** HTTP/1 carried over HTTP/2 between two proxies; never shown to applications. */
  origProto: "l5d-orig-proto",
  /** On synthesised responses: what went wrong, for people and machines. */
  proxyError: "l5d-proxy-error",
  /** Bowline's own: the stable name of the failure behind `l5d-proxy-error`. */
  proxyErrorCause: "l5d-proxy-error-cause",
  /** `close`: the proxy that made this response wants the application's connection closed too. */
  proxyConnection: "l5d-proxy-connection",
  timeout: "l5d-timeout",
  requestTimeout: "l5d-request-timeout",
  responseTimeout: "l5d-response-timeout",
  retryHttp: "l5d-retry-http",
  retryGrpc: "l5d-retry-grpc",
  retryLimit: "l5d-retry-limit",
  retryTimeout: "l5d-retry-timeout",
} as const;
