import { describe, expect, test } from "bun:test";
import { InjectorFlagError, parseInjectorFlags } from "./flags.ts";

describe("the proxy injector's flags", () => {
  test("have the defaults of a pod that install renders", () => {
    const { listen, admin, valuesPath, anchorsPath, tlsDirectory, kubeconfig, logLevel, logFormat } =
      parseInjectorFlags([]);
    expect([listen.port, admin.port, logLevel, logFormat, kubeconfig]).toEqual([8443, 9995, "info", "plain", ""]);
    expect([valuesPath, anchorsPath, tlsDirectory]).toEqual([
      "/var/run/linkerd/config/values",
      "/var/run/linkerd/identity/trust-roots/ca-bundle.crt",
      "/var/run/linkerd/tls",
    ]);
  });

  test("are read with and without an equals sign", () => {
    const flags = parseInjectorFlags([
      "--addr=127.0.0.1:1",
      "--admin-addr",
      "[::1]:2",
      "--log-level=warning",
      "--log-format=json",
    ]);
    expect([flags.listen, flags.admin]).toEqual([
      { host: "127.0.0.1", port: 1 },
      { host: "::1", port: 2 },
    ]);
    expect([flags.logLevel, flags.logFormat]).toEqual(["warn", "json"]);
  });

  for (const args of [["--addr=8443"], ["--addr=:70000"], ["--log-level=loud"], ["--what"], ["stray"], ["--addr"]]) {
    test(`refuse ${args.join(" ")}`, () => {
      expect(() => parseInjectorFlags(args)).toThrow(InjectorFlagError);
    });
  }
});
