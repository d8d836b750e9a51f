import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { fieldsPass, type LogFields, parseFilter, targetLevel } from "./filter.ts";
import { Level, levelName } from "./level.ts";
import { logTarget } from "./target.ts";

const INBOUND = logTarget("inbound");
const INBOUND_HTTP = logTarget("inbound", "http1");
const OUTBOUND = logTarget("outbound");

describe("the level of a target", () => {
  const rows: { filter: string; target: string; want: Level }[] = [
    { filter: "warn,linkerd2_proxy=info", target: INBOUND, want: Level.Info },
    { filter: "warn,linkerd=info,hickory=error", target: INBOUND, want: Level.Info },
    { filter: "warn,linkerd_app=debug", target: INBOUND, want: Level.Debug },
    { filter: "info,linkerd_app_inbound=trace", target: INBOUND_HTTP, want: Level.Trace },
    { filter: "info,linkerd_app_inbound=trace", target: OUTBOUND, want: Level.Info },
    { filter: "warn,linkerd=info", target: "hickory", want: Level.Warn },
    { filter: "", target: INBOUND, want: Level.Warn },
    { filter: "linkerd=info", target: "other", want: Level.Warn },
    { filter: "error", target: INBOUND, want: Level.Error },
    { filter: "OFF", target: INBOUND, want: Level.Off },
    { filter: "off,linkerd2_proxy::inbound=Debug", target: INBOUND_HTTP, want: Level.Debug },
    { filter: "3", target: INBOUND, want: Level.Info },
    { filter: " warn , linkerd = info", target: "x", want: Level.Warn },
    { filter: "linkerd2_proxy::inbound=debug,linkerd2_proxy=error", target: INBOUND_HTTP, want: Level.Debug },
    { filter: "linkerd2_proxy=error,linkerd2_proxy::inbound=debug", target: INBOUND_HTTP, want: Level.Debug },
    { filter: "linkerd2_proxy::in=trace", target: INBOUND, want: Level.Warn },
    { filter: "linkerd2_proxy::inbound", target: INBOUND, want: Level.Trace },
    { filter: "linkerd=info,linkerd2_proxy=debug", target: INBOUND, want: Level.Debug },
    { filter: "info,[{headers}]=off,[name]=trace", target: INBOUND, want: Level.Info },
  ];
  for (const { filter, target, want } of rows) {
    test(`"${filter}" for ${target} is ${levelName(want)}`, () => {
      expect(targetLevel(parseFilter(filter).filter, target)).toBe(want);
    });
  }
});

describe("directives about fields", () => {
  const rows: { filter: string; level: Level; target?: string; fields: LogFields; want: boolean }[] = [
    { filter: "[{headers}]=off,[{request}]=off", level: Level.Error, fields: { headers: "x" }, want: false },
    { filter: "[{headers}]=off,[{request}]=off", level: Level.Error, fields: { request: "x" }, want: false },
    { filter: "[{headers}]=off,[{request}]=off", level: Level.Trace, fields: { peer: "x" }, want: true },
    { filter: "[{headers}]=warn", level: Level.Warn, fields: { headers: "x" }, want: true },
    { filter: "[{headers}]=warn", level: Level.Info, fields: { headers: "x" }, want: false },
    {
      filter: "linkerd::inbound[{headers}]=off",
      level: Level.Info,
      fields: { headers: 1 },
      target: OUTBOUND,
      want: true,
    },
    {
      filter: "linkerd::inbound[{headers}]=off",
      level: Level.Info,
      fields: { headers: 1 },
      target: INBOUND_HTTP,
      want: false,
    },
    { filter: '[conn{port="80"}]=off', level: Level.Info, fields: { port: 80 }, want: false },
    { filter: '[conn{port="80"}]=off', level: Level.Info, fields: { port: 81 }, want: true },
  ];
  for (const { filter, level, target = INBOUND, fields, want } of rows) {
    test(`"${filter}" ${want ? "passes" : "stops"} ${levelName(level)} ${JSON.stringify(fields)} of ${target}`, () => {
      const parsed = parseFilter(filter);
      expect(parsed.bad).toEqual([]);
      expect(fieldsPass(parsed.filter, level, target, fields)).toBe(want);
    });
  }
});

describe("bad directives", () => {
  const rows: { filter: string; bad: string[] }[] = [
    {
      filter: "warn,linkerd=loud,info=",
      bad: ['linkerd=loud: "loud" is not a level', "info=: not a filter directive"],
    },
    { filter: "=info", bad: ["=info: neither a target nor a span"] },
    { filter: "[unclosed=info", bad: ["[unclosed=info: not a filter directive"] },
    { filter: "[{a b}]=info", bad: ["[{a b}]=info: not a span such as [name{field}]"] },
    { filter: "a b", bad: ["a b: not a filter directive"] },
    { filter: "warn,,linkerd=info,", bad: [] },
  ];
  for (const { filter, bad } of rows) {
    test(JSON.stringify(filter), () => {
      expect(parseFilter(filter).bad).toEqual(bad);
    });
  }

  test("leave the good ones in force", () => {
    expect(targetLevel(parseFilter("linkerd=loud,linkerd=debug").filter, INBOUND)).toBe(Level.Debug);
  });

  test("no text makes the parser fail", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'ab=,:[]{}" info'.split("")) }), (text) => {
        expect(Array.isArray(parseFilter(text).bad)).toBe(true);
      }),
    );
  });
});
