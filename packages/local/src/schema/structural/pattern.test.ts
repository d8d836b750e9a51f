import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Pattern } from "./pattern.ts";

test.each<[pattern: string, matching: string[], others: string[]]>([
  ["^a+$", ["a", "aaa"], ["", "b", "ab"]],
  ["b", ["abc"], ["ac"]],
  ["", ["", "x"], []],
  ["^(a|bc){2,3}$", ["aa", "abc", "bcabc"], ["a", "aaaa", "b"]],
  ["^a{0}b{2}c{1,}$", ["bbc", "bbccc"], ["abbc", "bc", "bb"]],
  ["^(foo|)$", ["foo", ""], ["fo"]],
  ["(?i)^A\\z", ["a", "A"], ["b", "a\n"]],
  ["^(?i:a)b$", ["Ab", "ab"], ["AB"]],
  ["^a(?i)b$", ["aB"], ["Ab"]],
  ["^.$", ["x", "é", "😀"], ["\n", "ab"]],
  ["(?s)^.$", ["\n"], [""]],
  ["(?m)^b$", ["a\nb\nc"], ["ab"]],
  ["^[a-c\\-_.]+$", ["a-_.c"], ["d", "+"]],
  ["^[]a]$", ["]", "a"], ["b"]],
  ["^[^\\]\\[]$", ["a"], ["]", "["]],
  ["^[\\w-.]+$", ["a-.9"], ["+"]],
  ["^[[:alpha:][:digit:]-]+$", ["a1-"], [":", "["]],
  ["^\\p{Lu}\\pL\\p{Greek}\\PN$", ["Éaαx"], ["éaαx", "Éaax", "Éaα1"]],
  ["^\\x41\\x{1F600}\\t\\.$", ["A😀\t."], ["A😀\tx"]],
  ["^\\Qa.b\\E+$", ["a.b"], ["axb"]],
  ["\\bcat\\b", ["a cat.", "cat"], ["cats"]],
  ["^a\\Bb$", ["ab"], ["a b"]],
  ["^(?P<year>\\d{4})-(?:\\d\\d)$", ["2026-11"], ["226-11"]],
  ["^{a}$", ["{a}"], ["a"]],
  // Of the Gateway API's and cert-manager's definitions.
  [
    "^(\\*\\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
    ["*.a-b.example", "a"],
    ["-a", "a.", "*a"],
  ],
  ["^([0-9]{1,5}(h|m|s|ms)){1,4}$", ["1h30m", "500ms"], ["1d", ""]],
  ["^(?:[-A-Za-z0-9/]|%[0-9a-fA-F]{2})+$", ["/a%2F"], ["%zz"]],
])("%s", (source, matching, others) => {
  const pattern = new Pattern(source);
  expect(matching.filter((text) => !pattern.test(text))).toEqual([]);
  expect(others.filter((text) => pattern.test(text))).toEqual([]);
});

test.each([
  "(?=a)",
  "(?<!a)b",
  "(a)\\1",
  "(",
  ")",
  "a**",
  "*a",
  "[a",
  "[z-a]",
  "a{2,1}",
  "a{1001}",
  "((a{99}){99}){9}",
  "\\y",
])("%s is none", (source) => {
  expect(() => new Pattern(source)).toThrow(SyntaxError);
});

describe("a text is matched", () => {
  const letter = fc.constantFrom("a", "b", "c", ".", "[ab]", "[^a]", "\\w", "^", "$", "\\b");
  const { source } = fc.letrec<{ source: string }>((tie) => ({
    source: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      letter,
      fc.tuple(tie("source"), tie("source")).map(([a, b]) => `${a}${b}`),
      fc.tuple(tie("source"), tie("source")).map(([a, b]) => `(${a}|${b})`),
      fc.tuple(tie("source"), fc.constantFrom("*", "+", "?", "{2}", "{1,2}", "{0,}")).map(([a, op]) => `(?:${a})${op}`),
    ),
  }));

  test("as JavaScript does it", () => {
    fc.assert(
      fc.property(source, fc.array(fc.constantFrom("a", "b", "c", " "), { maxLength: 7 }), (pattern, letters) => {
        const text = letters.join("");
        expect([pattern, new Pattern(pattern).test(text)]).toEqual([pattern, new RegExp(pattern, "u").test(text)]);
      }),
    );
  });

  test.each(["^(a+)+$", "^(a|aa)+$", "^(a*)*b$", "(x+x+)+y", "^(([a-z])+.)+[A-Z]([a-z])+$"])(
    "in time that grows as it does: %s",
    (source) => {
      // JavaScript's own would be at this for longer than the universe is old.
      expect(new Pattern(source).test(`${"a".repeat(20_000)}!`)).toBe(false);
    },
  );
});
