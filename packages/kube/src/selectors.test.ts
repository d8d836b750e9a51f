import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  formatLabelSelector,
  matchesFields,
  matchesRequirements,
  matchesSelector,
  parseFieldSelector,
  parseLabelSelector,
} from "./selectors.ts";
import type { LabelSelector } from "./types.ts";

const WEB = { app: "web", tier: "front", "linkerd.io/workload-ns": "emojivoto", weight: "7" };

describe("label selectors", () => {
  const rows: [selector: string, matches: boolean][] = [
    ["", true],
    ["app=web", true],
    ["app==web", true],
    ["app = web , tier=front", true],
    ["app=db", false],
    ["app!=db", true],
    ["app!=web", false],
    ["missing!=x", true],
    ["app", true],
    ["missing", false],
    ["!missing", true],
    ["! missing", true],
    ["!app", false],
    ["app in (web, db)", true],
    ["app in (db)", false],
    ["app notin (db,cache)", true],
    ["app notin (web)", false],
    ["missing notin (web)", true],
    ["linkerd.io/workload-ns=emojivoto", true],
    ["app in (web),tier notin (back),!missing", true],
    ["app=", false],
    ["weight>6", true],
    ["weight>7", false],
    ["weight<8", true],
    ["missing>1", false],
    ["toString", false],
  ];
  test.each(rows)("%j", (text, matches) => {
    expect(matchesRequirements(parseLabelSelector(text), WEB)).toBe(matches);
  });

  test.each([
    "=x",
    "a b",
    "a=b=c",
    "a in b",
    "a in (b",
    "a,,b",
    "-a=b",
    "a=b!",
    "a>x",
    "A_/b=c",
    `${"a".repeat(64)}=b`,
  ])("%j is refused with 400", (text) => {
    expect(() => parseLabelSelector(text)).toThrow(expect.objectContaining({ code: 400, reason: "BadRequest" }));
  });

  test("no labels at all", () => {
    expect(matchesRequirements(parseLabelSelector("!a,b!=c"), undefined)).toBe(true);
    expect(matchesRequirements(parseLabelSelector("a"), undefined)).toBe(false);
  });
});

test("no selector selects nothing, an empty one everything", () => {
  expect(matchesSelector(undefined, WEB)).toBe(false);
  expect(matchesSelector({}, WEB)).toBe(true);
  expect(matchesSelector({}, undefined)).toBe(true);
});

test("a selector's text form selects the same objects", () => {
  const name = fc.constantFrom("a", "b", "x.y/c");
  const value = fc.constantFrom("", "1", "two");
  const expression = fc.oneof(
    fc.record({ key: name, operator: fc.constantFrom("In", "NotIn"), values: fc.array(value, { minLength: 1 }) }),
    fc.record({ key: name, operator: fc.constantFrom("Exists", "DoesNotExist") }),
  );
  const selector = fc.record(
    { matchLabels: fc.dictionary(name, value), matchExpressions: fc.array(expression) },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(selector, fc.dictionary(name, value), (generated, labels) => {
      const plain = { ...generated } as LabelSelector;
      const requirements = parseLabelSelector(formatLabelSelector(plain));
      expect(matchesRequirements(requirements, labels)).toBe(matchesSelector(plain, labels));
    }),
  );
});

describe("field selectors", () => {
  const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "web" }, status: { phase: "Running", ready: true } };
  const rows: [selector: string, matches: boolean][] = [
    ["", true],
    ["metadata.name=web", true],
    ["metadata.name==web", true],
    ["metadata.name!=web", false],
    ["status.phase=Running,metadata.name!=db", true],
    ["status.ready=true", true],
    ["spec.nodeName=", true],
    ["spec.nodeName!=", false],
    ["metadata=web", false],
    ["metadata.name=a\\,b", false],
  ];
  test.each(rows)("%j", (text, matches) => {
    expect(matchesFields(parseFieldSelector(text), pod)).toBe(matches);
  });

  test("values may contain what is escaped", () => {
    expect(parseFieldSelector("a=b\\,c\\=d\\\\,e=f")).toEqual([
      { path: "a", equal: true, value: "b,c=d\\" },
      { path: "e", equal: true, value: "f" },
    ]);
  });

  test.each(["name", "=x", "a b=c"])("%j is refused with 400", (text) => {
    expect(() => parseFieldSelector(text)).toThrow(expect.objectContaining({ code: 400 }));
  });
});
