import { describe, expect, test } from "bun:test";
import type { PatchOperation } from "@bowline/control-plane";
import fc from "fast-check";
import { parseAllDocuments, stringify } from "yaml";
import { applyPatch } from "./json-patch.ts";
import { YamlStream } from "./yaml-stream.ts";

interface Row {
  readonly name: string;
  readonly input: string;
  readonly patch: readonly PatchOperation[];
  readonly want: string;
}

const add = (path: string, value: unknown): PatchOperation => ({ op: "add", path, value });
const remove = (path: string): PatchOperation => ({ op: "remove", path });

const ROWS: readonly Row[] = [
  {
    name: "a pair goes behind the last one, whose comment stays",
    input: "a: 1\nm:\n    x: 2   # two\n\n# end\nb: 3\n",
    patch: [add("/m/y", "no")],
    want: 'a: 1\nm:\n    x: 2   # two\n    "y": "no"\n\n# end\nb: 3\n',
  },
  {
    name: "a map that is missing is made with the document's indentation",
    input: "m:\n    x: 2\n",
    patch: [add("/m/o", {}), add("/m/o/k", "v")],
    want: "m:\n    x: 2\n    o:\n        k: v\n",
  },
  {
    name: "an empty flow map and an empty value become block maps",
    input: "m: {}  # none\no:\nl: 1\n",
    patch: [add("/m/a", "b"), add("/o", { c: "d" })],
    want: "m:\n  a: b  # none\no:\n  c: d\nl: 1\n",
  },
  {
    name: "items go before the comments of the first one, and behind the last",
    input: "l:\n  # first\n  - name: a\n    x: 1\n\nz: 1\n",
    patch: [add("/l/0", { name: "b" }), add("/l/-", { name: "c", p: [1] })],
    want: "l:\n  - name: b\n  # first\n  - name: a\n    x: 1\n  - name: c\n    p:\n      - 1\n\nz: 1\n",
  },
  {
    name: "lists that are not indented stay so",
    input: "l:\n- name: a\n",
    patch: [add("/l/0", { name: "b", p: [1] })],
    want: "l:\n- name: b\n  p:\n  - 1\n- name: a\n",
  },
  {
    name: "line ends of Windows, and no line end at the end",
    input: "m:\r\n  x: 1\r\nl:\r\n- a",
    patch: [add("/m/y", "2"), add("/l/-", "b\nc")],
    want: 'm:\r\n  x: 1\r\n  "y": "2"\r\nl:\r\n- a\r\n- |-\r\n  b\r\n  c',
  },
  {
    name: "an alias that is changed gets a copy of its own",
    input: "a: &x\n  k: 1\nb: *x\nc: *x # c\n",
    patch: [add("/b/l", 2)],
    want: "a: &x\n  k: 1\nb:\n  k: 1\n  l: 2\nc: *x # c\n",
  },
  {
    name: "aliases of an anchor that is changed keep what they were",
    input: "a: &x\n  k: 1\nb: *x\nl:\n- *x\n- q\nf: [*x]\n",
    patch: [add("/a/l", 2)],
    want: 'a: &x\n  k: 1\n  l: 2\nb:\n  k: 1\nl:\n- k: 1\n- q\nf: [{"k":1}]\n',
  },
  {
    name: "a merged key is overruled",
    input: "a: &x\n  k: {p: q}\nb:\n  <<: *x\n  z: 1\n",
    patch: [add("/b/k/r", "s")],
    want: "a: &x\n  k: {p: q}\nb:\n  <<: *x\n  z: 1\n  k:\n    p: q\n    r: s\n",
  },
  {
    name: "the merged map changes",
    input: "a: &x\n  k: 1\nb:\n  <<: *x\n",
    patch: [add("/a/l", 2)],
    want: 'a: &x\n  k: 1\n  l: 2\nb:\n  <<: {"k":1}\n',
  },
  {
    name: "JSON on several lines and on one",
    input: '{\n    "m": {\n        "x": 1\n    },\n    "n": {"a": [1]},\n    "e": {}\n}\n',
    patch: [add("/m/y", { z: [] }), add("/n/a/-", "b"), add("/e/k", "v")],
    want: '{\n    "m": {\n        "x": 1,\n        "y": {\n            "z": []\n        }\n    },\n    "n": {"a": [1, "b"]},\n    "e": {\n        "k": "v"\n    }\n}\n',
  },
  {
    name: "pairs and items go with their lines, and comments of others stay",
    input: "m:\n  # a\n  a: 1\n  # b\n  b:\n    c: 2\nl:\n- x: 1\n  y: 2\n- z\n",
    patch: [remove("/m/b"), remove("/l/0")],
    want: "m:\n  # a\n  a: 1\n  # b\nl:\n- z\n",
  },
  {
    name: "the last line goes, and with it the end of the line before it if it had none",
    input: "a: 1\nb: 2",
    patch: [remove("/b")],
    want: "a: 1",
  },
  {
    name: "the first key of an item",
    input: "l:\n- a: 1 # one\n  b: 2\n- c\n",
    patch: [remove("/l/0/a")],
    want: "l:\n- b: 2\n- c\n",
  },
  {
    name: "block texts end where their lines do",
    input: "m:\n  t: |+\n    x\n\nb: >-\n  y\n",
    patch: [add("/m/u", "v"), add("/c", 1)],
    want: "m:\n  t: |+\n    x\n\n  u: v\nb: >-\n  y\nc: 1\n",
  },
  {
    name: "texts that YAML 1.1 or 1.2 would take for something else are quoted",
    input: "m:\n  a: b\n",
    patch: [add("/m/c", "yes"), add("/m/d", "0644"), add("/m/e", "1e3"), add("/m/f", "0o7"), add("/m/g", "{x}")],
    want: 'm:\n  a: b\n  c: "yes"\n  d: "0644"\n  e: "1e3"\n  f: "0o7"\n  g: "{x}"\n',
  },
  {
    name: "documents that do not change, separators and comments between them",
    input: "# head\n---\n---\n# only a comment\n--- # second\na: 1\n...\n---\nb:   [ 1,2 ]\n",
    patch: [],
    want: "# head\n---\n---\n# only a comment\n--- # second\na: 1\n...\n---\nb:   [ 1,2 ]\n",
  },
];

describe("YamlStream", () => {
  for (const { name, input, patch, want } of ROWS) {
    test(name, () => {
      const stream = new YamlStream(input, "in.yaml");
      const values = stream.values.map((value) => applyPatch(value, patch));
      expect(stream.withValues(values)).toBe(want);
      expect(parse(want)).toEqual(values);
    });
  }

  const ERRORS = [
    { name: "a mistake of syntax", input: "a: 1\nb: [1\n", want: /^in\.yaml:3:1: / },
    { name: "in the second document", input: "a: 1\n---\nb: c: d\n", want: /^in\.yaml:3:4: / },
    { name: "a key twice", input: "a: 1\na: 2\n", want: /^in\.yaml:2:1: Map keys must be unique/ },
    { name: "an alias of nothing", input: "a: *x\n", want: /^in\.yaml:1:4: no anchor &x before/ },
    {
      name: "aliases that multiply",
      input: `a: &a [x,x,x,x,x,x,x,x,x]\n${"bcdefghi".replace(/./g, (key) => {
        const last = String.fromCharCode(key.charCodeAt(0) - 1);
        return `${key}: &${key} [${Array.from({ length: 9 }, () => `*${last}`).join(",")}]\n`;
      })}`,
      want: /^in\.yaml: Excessive alias count/,
    },
  ];
  for (const { name, input, want } of ERRORS) {
    test(`refuses ${name}, saying where`, () => {
      expect(() => new YamlStream(input, "in.yaml")).toThrow(want);
    });
  }

  test("means what it should after any change, and leaves other documents as they are", () => {
    fc.assert(
      fc.property(documents, fc.array(change, { minLength: 1, maxLength: 4 }), fc.nat(), (texts, changes, which) => {
        const text = texts.join("---\n");
        const stream = new YamlStream(text, "in.yaml");
        const index = which % texts.length;
        const values = stream.values.map((value, at) =>
          at === index ? changes.reduce((result, one) => changed(result, one), value) : value,
        );
        const output = stream.withValues(values);
        expect(parse(output)).toEqual(values);
        for (const [at, other] of texts.entries()) if (at !== index) expect(output).toContain(other);
      }),
      { numRuns: 300 },
    );
  });
});

const keys = fc.constantFrom("a", "b", "name", "no", "x/y", "1");
const scalar = fc.oneof(
  fc.constantFrom("yes", "", "a: b", "# c", "1", "two\nlines\n", "x"),
  fc.integer(),
  fc.boolean(),
  fc.constant(null),
);
const tree = fc.letrec((tie) => ({
  value: fc.oneof({ maxDepth: 3 }, scalar, tie("list"), tie("map")),
  list: fc.array(tie("value"), { maxLength: 3 }),
  map: fc.dictionary(keys, tie("value"), { maxKeys: 3, noNullPrototype: true }),
}));
const map = fc.dictionary(keys, tree.value, { minKeys: 1, maxKeys: 4, noNullPrototype: true });
const style = fc.record({ json: fc.boolean(), indent: fc.constantFrom(2, 4), indentSeq: fc.boolean() });
const documents = fc.array(
  fc.tuple(map, style).map(([value, { json, ...options }]) => {
    const text = json ? JSON.stringify(value, null, options.indent) : stringify(value, { ...options, version: "1.1" });
    return `# head\n${text.trimEnd()}\n# tail\n`;
  }),
  { minLength: 1, maxLength: 3 },
);
const change = fc.record({
  remove: fc.boolean(),
  path: fc.array(fc.nat({ max: 5 }), { minLength: 1, maxLength: 4 }),
  key: keys,
  value: tree.value,
});

/** Adds or removes something at a place that the path chooses among what is there. */
function changed(
  value: unknown,
  { remove: removes, path, key, value: added }: { remove: boolean; path: number[]; key: string; value: unknown },
): unknown {
  let at = value;
  let pointer = "";
  for (const step of path) {
    const entries = typeof at === "object" && at !== null ? Object.entries(at) : [];
    const entry = entries[step % Math.max(1, entries.length)];
    if (entry === undefined || typeof entry[1] !== "object" || entry[1] === null) break;
    pointer += `/${entry[0].replaceAll("/", "~1")}`;
    at = entry[1];
  }
  if (Array.isArray(at)) {
    if (removes && at.length > 0) return applyPatch(value, [remove(`${pointer}/${(path[0] ?? 0) % at.length}`)]);
    return applyPatch(value, [add(`${pointer}/${(path[0] ?? 0) % 2 === 0 ? "-" : 0}`, added)]);
  }
  const present = Object.keys(at as object);
  const gone = present[(path[0] ?? 0) % Math.max(1, present.length)];
  if (removes && gone !== undefined) return applyPatch(value, [remove(`${pointer}/${gone.replaceAll("/", "~1")}`)]);
  return applyPatch(value, [add(`${pointer}/${key.replaceAll("/", "~1")}`, added)]);
}

function parse(text: string): unknown[] {
  return parseAllDocuments(text, { version: "1.1" }).map((document): unknown => document.toJS());
}
