import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { applySet, applySetFile, mergeTree, SetFlagError, type ValueTree } from "./set-flags.ts";

function setting(texts: readonly string[], kind: "typed" | "string" = "typed"): ValueTree {
  const tree: ValueTree = {};
  for (const text of texts) applySet(tree, text, kind);
  return tree;
}

describe("--set", () => {
  const rows: [texts: string[], tree: ValueTree][] = [
    [["a=1"], { a: 1 }],
    [["a.b.c=x"], { a: { b: { c: "x" } } }],
    [["a=1,b=2"], { a: 1, b: 2 }],
    [["a=1", "a=2"], { a: 2 }],
    [["a.b=1", "a.c=2"], { a: { b: 1, c: 2 } }],
    [["a=true,b=false,c=null"], { a: true, b: false, c: null }],
    [["a=1.5,b=-3,c=0"], { a: 1.5, b: -3, c: 0 }],
    [["a=007,b=1e3,c=0x10,d="], { a: "007", b: "1e3", c: "0x10", d: "" }],
    [["a=25\\,587"], { a: "25,587" }],
    [["a={x,y,1}"], { a: ["x", "y", 1] }],
    [["a={}"], { a: [] }],
    [["a[0]=x,a[1]=y"], { a: ["x", "y"] }],
    [["a[0].name=x,a[0].value=1"], { a: [{ name: "x", value: 1 }] }],
    [["nodeSelector.kubernetes\\.io/os=linux"], { nodeSelector: { "kubernetes.io/os": "linux" } }],
    [["a=b=c"], { a: "b=c" }],
    [["a=https://x:1/y?z={w}"], { a: "https://x:1/y?z={w}" }],
    [["a=1,"], { a: 1 }],
  ];
  test.each(rows)("%j", (texts, tree) => {
    expect(setting(texts)).toEqual(tree);
  });

  test.each([
    ["a"],
    ["=1"],
    ["a..b=1"],
    ["a[x]=1"],
    ["a[-1]=1"],
    ["__proto__.x=1"],
    ["a=1,a.b=2"],
    ["a[0]=1,a.b=2"],
    ["a={x},a.b=1"],
  ])("%j is refused", (text) => {
    expect(() => setting([text])).toThrow(SetFlagError);
  });

  test("--set-string leaves texts alone", () => {
    expect(setting(["a=1,b=true,c={2,null}"], "string")).toEqual({ a: "1", b: "true", c: ["2", "null"] });
  });

  test("--set-file takes the file's text", () => {
    const tree: ValueTree = {};
    applySetFile(tree, "identity.anchors=a.pem,b=c\\,d", (path) => `text of ${path}`);
    expect(tree).toEqual({ identity: { anchors: "text of a.pem" }, b: "text of c,d" });
  });

  test("any text can be set, if it is escaped", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const escaped = text.replace(/[\\,={}[\].]/g, "\\$&");
        expect(setting([`a=${escaped}`], "string")).toEqual({ a: text });
      }),
    );
  });
});

test("maps are joined, lists and values replaced", () => {
  const tree: ValueTree = { a: { b: 1, c: [1, 2] }, d: 1 };
  mergeTree(tree, { a: { c: [3], e: 1 }, d: { f: 1 } });
  expect(tree).toEqual({ a: { b: 1, c: [3], e: 1 }, d: { f: 1 } });
});
