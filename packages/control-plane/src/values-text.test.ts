import { describe, expect, test } from "bun:test";
import { parseGoDurationMs } from "./go-duration.ts";
import { DEFAULT_VALUES } from "./values.ts";
import { mergeValues, parseValues, stringifyValues } from "./values-text.ts";

describe("values", () => {
  test("come back from linkerd-config as they were, without private keys", () => {
    const tls = { crtPEM: "CERT\n", keyPEM: "SECRET" };
    const values = mergeValues(DEFAULT_VALUES, { identity: { issuer: { tls } }, proxyInjector: { keyPEM: "SECRET" } });
    const text = stringifyValues(values);
    expect(text).not.toContain("SECRET");
    const expected = mergeValues(values, {
      identity: { issuer: { tls: { keyPEM: "" } } },
      proxyInjector: { keyPEM: "" },
    });
    expect(parseValues(text)).toEqual(expected);
    expect(parseValues("")).toEqual(DEFAULT_VALUES);
  });

  test("keep what is not mentioned, replace users' maps whole, and leave out what nobody knows", () => {
    const values = parseValues(
      "proxy: {resources: {cpu: {limit: 2}}, unknown: 1}\nnodeSelector: {a: b}\nfuture: {x: 1}\n",
    );
    expect(values.proxy.resources.cpu).toEqual({ request: "", limit: "2" });
    expect(values.proxy.ports).toEqual(DEFAULT_VALUES.proxy.ports);
    expect(values.nodeSelector).toEqual({ a: "b" });
    expect(Object.keys(values)).toEqual(Object.keys(DEFAULT_VALUES));
  });

  const BAD = [
    { text: "proxy: {uid: many}", want: 'proxy.uid: "many" is not a number' },
    { text: "proxy: {await: 'yes'}", want: 'proxy.await: "yes" is not a boolean' },
    { text: "proxy: 3", want: "proxy: 3 is not a map" },
    { text: "tolerations: {}", want: "tolerations: {} is not a list" },
    {
      text: "proxy: {runtime: {workers: {maximumCPURatio: half}}}",
      want: 'proxy.runtime.workers.maximumCPURatio: "half" is not a number',
    },
    { text: "- a", want: 'values: ["a"] is not a map' },
    { text: "a: [", want: /^values are no YAML: / },
  ];
  for (const { text, want } of BAD) {
    test(`refuse ${text}`, () => {
      expect(() => parseValues(text)).toThrow(want);
    });
  }
});

describe("parseGoDurationMs", () => {
  const ROWS: readonly [text: string, ms: number | null][] = [
    ["0", 0],
    ["5s", 5_000],
    ["1h2m3.5s", 3_723_500],
    ["24h0m0s", 86_400_000],
    [".5s", 500],
    ["100us", 0.1],
    ["", null],
    ["5", null],
    ["-5s", null],
    ["5s ", null],
    ["5d", null],
    ["s", null],
  ];
  for (const [text, ms] of ROWS) {
    test(JSON.stringify(text), () => {
      expect(parseGoDurationMs(text)).toBe(ms);
    });
  }
});
