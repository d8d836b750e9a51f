import { describe, expect, test } from "bun:test";
import type { Schema } from "../schema.ts";
import { created, cronTab, faultsOf, registryWithCronTab } from "../testing/objects.ts";
import { FieldErrors } from "../validation/field-errors.ts";
import { applySchemaDefaults } from "./defaulting.ts";
import { formatIsWrong } from "./formats.ts";
import { validateValue } from "./validate.ts";

function faults(schema: Schema, value: unknown): string[] {
  const errors = new FieldErrors();
  validateValue(schema, value, "spec.x", errors, { resolve: (each) => each, builtIn: false });
  return errors.causes.map((cause) => `${cause.field}: ${cause.message}`);
}

test("defaults are of the object's own fields, and reach nothing that all objects share", () => {
  const schema = JSON.parse(
    `{ "type": "object", "properties": {
      "__proto__": { "type": "object", "properties": { "polluted": { "type": "string", "default": "yes" } } },
      "constructor": { "type": "string", "default": "mine" } } }`,
  ) as Schema;
  const object: Record<string, unknown> = {};
  applySchemaDefaults(schema, object);
  expect(object["constructor"]).toBe("mine");
  expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
});

describe("a value", () => {
  test.each<[Schema, unknown, string]>([
    [{ type: "integer" }, "1", 'spec.x: Invalid value: "string": spec.x in body must be of type integer: "string"'],
    [{ type: "integer" }, 1.5, 'spec.x: Invalid value: "number": spec.x in body must be of type integer: "number"'],
    [{ type: "string" }, null, 'spec.x: Invalid value: "null": spec.x in body must be of type string: "null"'],
    [
      { "x-kubernetes-int-or-string": true },
      true,
      'spec.x: Invalid value: "boolean": spec.x in body must be of type integer,string: "boolean"',
    ],
    [{ type: "string", enum: ["a", "b"] }, "c", 'spec.x: Unsupported value: "c": supported values: "a", "b"'],
    [{ type: "string", pattern: "^a+$" }, "b", "spec.x: Invalid value: \"b\": spec.x in body should match '^a+$'"],
    [
      { type: "string", pattern: "(?i)^A\\z" },
      "b",
      "spec.x: Invalid value: \"b\": spec.x in body should match '(?i)^A\\z'",
    ],
    [
      { type: "string", minLength: 2 },
      "é",
      'spec.x: Invalid value: "é": spec.x in body should be at least 2 chars long',
    ],
    [{ type: "string", maxLength: 2 }, "abc", "spec.x: Too long: may not be more than 2 bytes"],
    [
      { type: "string", format: "ipv4" },
      "::1",
      'spec.x: Invalid value: "::1": spec.x in body must be of type ipv4: "::1"',
    ],
    [
      { type: "integer", minimum: 1 },
      0,
      "spec.x: Invalid value: 0: spec.x in body should be greater than or equal to 1",
    ],
    [
      { type: "integer", minimum: 1, exclusiveMinimum: true },
      1,
      "spec.x: Invalid value: 1: spec.x in body should be greater than 1",
    ],
    [
      { type: "number", maximum: 1 },
      1.5,
      "spec.x: Invalid value: 1.5: spec.x in body should be less than or equal to 1",
    ],
    [{ type: "integer", multipleOf: 5 }, 7, "spec.x: Invalid value: 7: spec.x in body should be a multiple of 5"],
    [
      { type: "integer", format: "int32" },
      2 ** 31,
      'spec.x: Invalid value: 2147483648: spec.x in body must be of type int32: "2147483648"',
    ],
    [{ type: "array", minItems: 1 }, [], "spec.x: Invalid value: 0: spec.x in body should have at least 1 items"],
    [{ type: "array", maxItems: 1 }, [1, 2], "spec.x: Too many: 2: must have at most 1 items"],
    [{ type: "array", "x-kubernetes-list-type": "set" }, ["a", "a"], 'spec.x[1]: Duplicate value: "a"'],
    [
      { type: "array", items: { type: "string" } },
      ["a", 1],
      'spec.x[1]: Invalid value: "integer": spec.x[1] in body must be of type string: "integer"',
    ],
    [{ type: "object", required: ["a"] }, {}, "spec.x.a: Required value"],
    [{ type: "object", maxProperties: 1 }, { a: 1, b: 2 }, "spec.x: Too many: 2: must have at most 1 items"],
    [
      { type: "object", additionalProperties: { type: "string" } },
      { a: 1 },
      'spec.x.a: Invalid value: "integer": spec.x.a in body must be of type string: "integer"',
    ],
    [
      { not: { required: ["a"] } },
      { a: 1 },
      'spec.x: Invalid value: {"a":1}: spec.x in body must not validate the schema (not)',
    ],
    [
      { anyOf: [{ required: ["a"] }, { required: ["b"] }] },
      {},
      "spec.x: Invalid value: {}: spec.x in body must validate at least one schema (anyOf)",
    ],
    [
      { oneOf: [{ required: ["a"] }, { required: ["b"] }] },
      { a: 1, b: 1 },
      'spec.x: Invalid value: {"a":1,"b":1}: spec.x in body must validate one and only one schema (oneOf)',
    ],
    [{ allOf: [{ required: ["a"] }] }, {}, "spec.x.a: Required value"],
  ])("against %j: %j is refused", (schema, value, fault) => {
    expect(faults(schema, value)).toEqual([fault]);
  });

  test.each<[Schema, unknown]>([
    [{ type: "string", nullable: true }, null],
    [{ "x-kubernetes-int-or-string": true }, "50%"],
    [{ "x-kubernetes-preserve-unknown-fields": true }, [{ a: 1 }]],
    [{ type: "number" }, 1],
    [{ type: "string", pattern: "[invalid" }, "anything"],
    [{ type: "string", format: "unheard-of" }, "anything"],
    [{ oneOf: [{ required: ["a"] }, { required: ["b"] }] }, { a: 1 }],
  ])("against %j: %j is accepted", (schema, value) => {
    expect(faults(schema, value)).toEqual([]);
  });
});

describe("formats", () => {
  test.each([
    ["date-time", "2026-01-02T03:04:05Z", "2026-01-02 03:04"],
    ["date", "2026-01-02", "2026-13-02"],
    ["duration", "1h30m", "soon"],
    ["ipv4", "10.0.0.1", "10.0.0.256"],
    ["ipv6", "fd00::1", "10.0.0.1"],
    ["cidr", "10.0.0.0/8", "10.0.0.0/33"],
    ["cidr", "fd00::/64", "10.0.0.0"],
    ["mac", "aa:bb:cc:00:11:22", "aa:bb"],
    ["uri", "https://example.com/a", "not a uri"],
    ["email", "a@b.c", "a b"],
    ["hostname", "a.example.com", "a b"],
    ["uuid", "123e4567-e89b-12d3-a456-426614174000", "123"],
    ["byte", "aGk=", "a?"],
  ])("%s: %s is one, %s is none", (format, right, wrong) => {
    expect(formatIsWrong(format, right)).toBe(false);
    expect(formatIsWrong(format, wrong)).toBe(true);
  });
});

test("every fault of a custom object is told, with its path", () => {
  const object = cronTab({
    cronSpec: "x",
    replicas: 20,
    mode: "z",
    image: "far too long",
    jobs: [{ name: "a" }, { name: "a" }, {}],
  });
  expect(faultsOf(() => created(registryWithCronTab(), object))).toEqual([
    "spec.cronSpec: Invalid value: \"x\": spec.cronSpec in body should match '^\\S+( \\S+){4}$'",
    "spec.replicas: Invalid value: 20: spec.replicas in body should be less than or equal to 10",
    'spec.mode: Unsupported value: "z": supported values: "fast", "slow"',
    "spec.image: Too long: may not be more than 8 bytes",
    'spec.jobs[1]: Duplicate value: {"name":"a"}',
    "spec.jobs[2].name: Required value",
  ]);
});

test("defaults stand in for null where null is not allowed", () => {
  const registry = registryWithCronTab();
  const stored = created(registry, cronTab({ replicas: null, note: null }));
  expect(stored["spec"]).toEqual({ cronSpec: "* * * * *", replicas: 1, note: null });
});
